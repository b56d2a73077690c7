/* A test on images whose results are known, then camera, network, results, for ever. */
#include "edgectl_program.h"

#include <stddef.h>
#include <stdio.h>

#include "labels.h"
#include "model.h"

/* 0 leaves the test and its images out of the program's flash. */
#ifndef EDGECTL_SELF_TEST
#define EDGECTL_SELF_TEST 1
#endif

#define WEAK __attribute__((weak))

#if MODEL_INPUT_HEIGHT != PREPROCESS_ROWS || MODEL_INPUT_WIDTH != PREPROCESS_COLUMNS || \
    MODEL_INPUT_CHANNELS != PREPROCESS_CHANNELS
#error "preprocess.h and model.h are of two models"
#endif

WEAK void program_print(const char *text) { fputs(text, stdout); }

WEAK int camera_frame(preprocess_frame *frame) {
  (void)frame;
  return 0;
}

WEAK void program_mark(int where) { (void)where; }

static void print_number(int32_t v) {
  char text[13];
  int32_t n = 12;
  uint32_t rest = v < 0 ? 0u - (uint32_t)v : (uint32_t)v;
  text[n] = 0;
  do {
    text[--n] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest);
  if (v < 0) {
    text[--n] = '-';
  }
  text[--n] = ' ';
  program_print(text + n);
}

/* Nearest whole number; what is none, or too large for a frame, as 99999. */
static int32_t whole(float v) {
  const int32_t most = 99999;
  return v > -99999.0f && v < 99999.0f ? (int32_t)(v < 0.0f ? v - 0.5f : v + 0.5f) : v <= -99999.0f ? -most : most;
}

#if EDGECTL_SELF_TEST
#include "golden.h"

#define ROW (MODEL_INPUT_WIDTH * MODEL_INPUT_CHANNELS)

static int32_t golden_image;

static void golden_row(void *context, int32_t row, int8_t *pixels) {
  const int8_t *from = golden_images[golden_image] + row * ROW;
  (void)context;
  for (int32_t i = 0; i < ROW; i++) {
    pixels[i] = from[i];
  }
}

/* Returns how many bytes of output k differ. */
static int32_t compare_output(int32_t k) {
  const int8_t *bytes = model_output(k), *golden = golden_outputs[k] + golden_image * golden_bytes[k];
  int32_t differing = 0, largest = 0;
  for (int32_t i = 0; i < golden_bytes[k]; i++) {
    const int32_t d = bytes[i] < golden[i] ? golden[i] - bytes[i] : bytes[i] - golden[i];
    differing += d != 0;
    largest = d > largest ? d : largest;
  }
  program_print("differs");
  print_number(k);
  print_number(differing);
  print_number(largest);
  program_print("\n");
  return differing;
}

static float apart(float a, float b) { return a == b ? 0.0f : a < b ? b - a : a - b; }

/* Returns how many results are not the golden ones: another class, another score, half a pixel off. */
static int32_t compare_results(void) {
  const decode_result *results, *golden = golden_results;
  for (int32_t i = 0; i < golden_image; i++) {
    golden += golden_counts[i];
  }
  program_mark(2);
  const int32_t count = decode(model_output, &results);
  program_mark(3);
  const int32_t wanted = golden_counts[golden_image];
  int32_t wrong = count > wanted ? count - wanted : wanted - count, hundredths = 0;
  for (int32_t i = 0; i < count && i < wanted; i++) {
    const decode_result *r = &results[i], *g = &golden[i];
    float most = apart(r->x0, g->x0);
    const float others[3] = {apart(r->y0, g->y0), apart(r->x1, g->x1), apart(r->y1, g->y1)};
    for (int32_t k = 0; k < 3; k++) {
      most = others[k] > most ? others[k] : most;
    }
    wrong += r->label != g->label || apart(r->score, g->score) > 0.0001f || most > 0.5f;
    hundredths = whole(most * 100.0f) > hundredths ? whole(most * 100.0f) : hundredths;
  }
  program_print("decoded");
  print_number(count);
  print_number(wrong);
  print_number(hundredths);
  program_print("\n");
  return wrong;
}

int program_self_test(void) {
  int32_t wrong = 0;
  program_print("edgectl-verify 1\n");
  model_init();
  for (golden_image = 0; golden_image < GOLDEN_IMAGES; golden_image++) {
    program_print("image");
    print_number(golden_image);
    program_print("\n");
    program_mark(0);
    model_run_rows(golden_row, NULL);
    program_mark(1);
    for (int32_t k = 0; k < MODEL_OUTPUTS; k++) {
      wrong += compare_output(k);
    }
    wrong += compare_results();
  }
  program_print("done\n");
  program_print(wrong ? "self-test FAILED: do not trust this board's results\n" : "self-test passed\n");
  return wrong == 0;
}
#else
int program_self_test(void) {
  model_init();
  return 1;
}
#endif

static void print_result(const decode_result *r) {
  program_print(labels[r->label]);
  print_number(whole(r->score * 100.0f));
  program_print("%");
  if (r->x1 != r->x0) {
    float x0 = r->x0, y0 = r->y0, x1 = r->x1, y1 = r->y1;
    preprocess_to_frame(&x0, &y0);
    preprocess_to_frame(&x1, &y1);
    program_print(" at");
    print_number(whole(x0));
    print_number(whole(y0));
    program_print(" to");
    print_number(whole(x1));
    print_number(whole(y1));
  }
  program_print("\n");
}

int32_t program_step(const decode_result **results) {
  preprocess_frame frame = {PREPROCESS_RGB888, 0, 0, NULL, 0, NULL, NULL};
  const decode_result *found;
  if (!camera_frame(&frame) || !preprocess_begin(&frame)) {
    return -1;
  }
  model_run_rows(preprocess_row, NULL);
  const int32_t count = decode(model_output, &found);
  for (int32_t i = 0; i < count; i++) {
    print_result(&found[i]);
  }
  if (results) {
    *results = found;
  }
  return count;
}

#if !defined(ARDUINO)
static void run(void) {
  program_self_test();
  while (program_step(NULL) >= 0) {
  }
  program_print("no frame: define camera_frame, see README.md\n");
}

#if defined(ESP_PLATFORM)
void app_main(void);
WEAK void app_main(void) { run(); }
#else
WEAK int main(void) {
  run();
  return 0;
}
#endif
#endif
