/* Feeds the library from memory, whichever way it takes its input. */
#include <string.h>

#include "model.h"

#define ROW (MODEL_INPUT_WIDTH * MODEL_INPUT_CHANNELS)

void host_run(const int8_t *image);

static void read_row(void *context, int32_t row, int8_t *pixels) {
  memcpy(pixels, *(const int8_t *const *)context + row * ROW, ROW);
}

void host_run(const int8_t *image) { model_run_rows(read_row, &image); }
