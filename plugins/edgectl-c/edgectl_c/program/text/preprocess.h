/* A camera's frame becomes the network's input: resized, padded, channels in the order of training, every byte
 * pixel - 128. Rows leave one by one, so that neither the input nor, where lines are handed over, the frame has
 * to stand in memory. The arithmetic is OpenCV's, which prepared the images of training: area averaging where
 * the image shrinks, linear interpolation where it grows, in integers.
 */
#ifndef PREPROCESS_H
#define PREPROCESS_H

#include <stdint.h>

/* DEFINES */

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  PREPROCESS_RGB565_LE, /* 5 bits red, 6 green, 5 blue; the low byte first */
  PREPROCESS_RGB565_BE, /* the high byte first, as most small cameras send it */
  PREPROCESS_RGB888,
  PREPROCESS_BGR888,
  PREPROCESS_YUYV, /* 4:2:2, ITU-R BT.601, luma 16 .. 235; an even width */
  PREPROCESS_UYVY,
  PREPROCESS_GRAY /* one byte a pixel, 0 .. 255 */
} preprocess_format;

typedef struct {
  preprocess_format format;
  int32_t width, height;
  const uint8_t *pixels; /* the whole frame, or NULL: then read_line hands over its lines */
  int32_t row_bytes;     /* from one line of pixels to the next; 0 where they lie close */
  /* Returns line 0 .. height - 1. Lines are asked for in order, each at most once; the bytes may change when
   * the next one is asked for. */
  const uint8_t *(*read_line)(void *context, int32_t line);
  void *context;
} preprocess_frame;

/* Before the rows of a frame. Returns 0 for a frame that cannot be taken: no pixels, more than 16 million of
 * them, an odd width of YUYV. Keeps state: one frame at a time. */
int preprocess_begin(const preprocess_frame *frame);

/* Writes one row of the network's input. Rows are asked for in order, each once. A model_read_row. */
void preprocess_row(void *context, int32_t row, int8_t *pixels);

/* Writes them all, PREPROCESS_ROWS * PREPROCESS_COLUMNS * PREPROCESS_CHANNELS bytes. */
void preprocess_image(int8_t *image);

/* From pixels of the network's input to pixels of the frame begun last, within its borders. */
void preprocess_to_frame(float *x, float *y);

#ifdef __cplusplus
}
#endif

#endif
