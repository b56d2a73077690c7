/* What is measured around the program's own test, a line a fact:
 *
 *   edgectl-verify 1          first line; the last one is "done"
 *   image N                   what follows is of this image
 *   step K HASH               FNV-1a of all rows of step K, as eight hexadecimal digits
 *   ticks N, stack N          clock ticks and bytes of stack of the network
 *   differs K N LARGEST       of output K, bytes that are not the golden ones, and the largest difference
 *   decode_stack N            bytes of stack of decoding
 *   decoded N WRONG FAR       results, those that are not the golden ones, hundredths of a pixel at most
 */
#include <stddef.h>

#include "board.h"
#include "edgectl_program.h"
#include "model.h"

#define PAINT UINT32_C(0xA5C3F00D)

static uint32_t hashes[MODEL_STEPS];
static uint32_t ticks, last;
static uint32_t *bottom;

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

void program_print(const char *text) { board_print(text); }

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
  uint32_t *end = top - 4096;
  if (board_stack_pointer() == 0) {
    return NULL;
  }
  if ((uintptr_t)end < board_stack_limit()) {
    end = (uint32_t *)(uintptr_t)((board_stack_limit() + 7) & ~UINT32_C(7));
  }
  for (uint32_t *p = end; p < top; p++) {
    *p = PAINT;
  }
  return end;
}

static uint32_t painted(void) {
  if (!bottom) {
    return 0;
  }
  while (*bottom == PAINT) {
    bottom++;
  }
  return board_stack_pointer() - (uint32_t)(uintptr_t)bottom;
}

void program_mark(int where) {
  if (where == 0) {
    for (int32_t k = 0; k < MODEL_STEPS; k++) {
      hashes[k] = UINT32_C(2166136261);
    }
    board_start_clock();
    bottom = paint();
    last = board_clock();
    ticks = 0;
  } else if (where == 1) {
    poll();
    print("stack", painted());
    print("ticks", ticks);
#if defined(VERIFY_STEPS)
    for (int32_t k = 0; k < MODEL_STEPS; k++) {
      board_print("step");
      print_number((uint32_t)k, 10);
      print_number(hashes[k], 16);
      board_print("\n");
    }
#endif
  } else if (where == 2) {
    bottom = paint();
  } else {
    print("decode_stack", painted());
  }
}

int main(void) {
  program_self_test();
  return 0;
}
