/* Runs the library on golden images and prints a line a fact, for edgectl deploy verify:
 *
 *   edgectl-verify 1          first line; the last one is "done"
 *   image N                   what follows is of this image
 *   step K HASH               FNV-1a of all rows of step K, as eight hexadecimal digits
 *   differs K N LARGEST       of output K, bytes that are not the golden ones, and the largest difference
 *   ticks N, stack N          clock ticks and bytes of stack of one run
 */
#include "board.h"
#include "golden.h"
#include "model.h"

#define ROW (MODEL_INPUT_WIDTH * MODEL_INPUT_CHANNELS)
#define PAINT UINT32_C(0xA5C3F00D)

static uint32_t hashes[MODEL_STEPS];
static uint32_t ticks, last;

static uint32_t hash(uint32_t h, const int8_t *bytes, int32_t count) {
  for (int32_t i = 0; i < count; i++) {
    h = (h ^ (uint8_t)bytes[i]) * UINT32_C(16777619);
  }
  return h;
}

static void poll(void) {
  const uint32_t now = board_clock();
  ticks += (now - last) & 0xFFFFFF;
  last = now;
}

void model_trace(int32_t step, int32_t row, const int8_t *bytes, int32_t count) {
  (void)row;
#if defined(VERIFY_STEPS)
  hashes[step] = hash(hashes[step], bytes, count);
#else
  (void)step, (void)bytes, (void)count;
  poll();
#endif
}

static void read_row(void *context, int32_t row, int8_t *pixels) {
  const int8_t *from = (const int8_t *)context + row * ROW;
  for (int32_t i = 0; i < ROW; i++) {
    pixels[i] = from[i];
  }
}

static void print_number(uint32_t v, uint32_t base) {
  char text[12];
  int32_t n = 11;
  text[n] = 0;
  do {
    text[--n] = "0123456789abcdef"[v % base];
    v /= base;
  } while (v || (base == 16 && n > 3));
  text[--n] = ' ';
  board_print(text + n);
}

static void print(const char *key, uint32_t value) {
  board_print(key);
  print_number(value, 10);
  board_print("\n");
}

/* Fills the free stack below this frame, down to 16 KiB. */
static uint32_t *paint(void) {
  uint32_t *top = (uint32_t *)(uintptr_t)((board_stack_pointer() & ~UINT32_C(7)) - 256);
  uint32_t *bottom = top - 4096;
  if (board_stack_pointer() == 0) {
    return 0;
  }
  if ((uintptr_t)bottom < board_stack_limit()) {
    bottom = (uint32_t *)(uintptr_t)((board_stack_limit() + 7) & ~UINT32_C(7));
  }
  for (uint32_t *p = bottom; p < top; p++) {
    *p = PAINT;
  }
  return bottom;
}

static uint32_t painted(const uint32_t *bottom) {
  if (!bottom) {
    return 0;
  }
  while (*bottom == PAINT) {
    bottom++;
  }
  return board_stack_pointer() - (uint32_t)(uintptr_t)bottom;
}

static void compare(uint32_t image, int32_t k, const int8_t *golden, int32_t count) {
  const int8_t *found = model_output(k);
  uint32_t differing = 0;
  int32_t largest = 0;
  for (int32_t i = 0; i < count; i++) {
    const int32_t d = found[i] - golden[(int32_t)image * count + i];
    differing += d != 0;
    largest = d > largest ? d : -d > largest ? -d : largest;
  }
  board_print("differs");
  print_number((uint32_t)k, 10);
  print_number(differing, 10);
  print_number((uint32_t)largest, 10);
  board_print("\n");
}

int main(void) {
  board_print("edgectl-verify 1\n");
  model_init();
  board_start_clock();
  for (uint32_t image = 0; image < GOLDEN_IMAGES; image++) {
    print("image", image);
    for (int32_t k = 0; k < MODEL_STEPS; k++) {
      hashes[k] = UINT32_C(2166136261);
    }
    uint32_t *bottom = paint();
    last = board_clock();
    ticks = 0;
    union {
      const int8_t *from;
      void *context;
    } pixels = {golden_images[image]};
    model_run_rows(read_row, pixels.context);
    poll();
    print("stack", painted(bottom));
    print("ticks", ticks);
#if defined(VERIFY_STEPS)
    for (int32_t k = 0; k < MODEL_STEPS; k++) {
      board_print("step");
      print_number((uint32_t)k, 10);
      print_number(hashes[k], 16);
      board_print("\n");
    }
#endif
    for (int32_t k = 0; k < MODEL_OUTPUTS; k++) {
      compare(image, k, golden_outputs[k], golden_bytes[k]);
    }
  }
  board_print("done\n");
  return 0;
}
