/* A network in C99: constant tables, one static arena, no allocation, no recursion, no floating point.
 *
 * Input: int8, rows x pixels x channels. Where MODEL_INPUT_SCALE is 1/255 and its zero point -128, a byte is
 * the pixel's 0 .. 255 minus 128 (pixel ^ 0x80). Outputs: int8, rows x pixels x channels;
 * real = (byte - zero point) * scale. The library computes neither. It keeps state: one caller at a time.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdint.h>

/* DEFINES */

#ifdef __cplusplus
extern "C" {
#endif

/* Writes one row of the input, MODEL_INPUT_WIDTH * MODEL_INPUT_CHANNELS bytes. Rows come in order, once. */
typedef void (*model_read_row)(void *context, int32_t row, int8_t *pixels);

/* Once, before anything else. */
void model_init(void);

/* Asks for every row of an image and computes the outputs. */
void model_run_rows(model_read_row read, void *context);

#if !MODEL_CAMERA_ROWS
/* Where an image goes, MODEL_INPUT_BYTES. model_run overwrites it. */
int8_t *model_input(void);

/* Computes the outputs of the image that stands there. */
void model_run(void);
#endif

/* Output 0 .. MODEL_OUTPUTS - 1, valid until the next image; NULL for another number. */
const int8_t *model_output(int32_t index);

#if defined(MODEL_TRACE)
/* For tests: called with every row a step has written. To be defined by the program. */
void model_trace(int32_t step, int32_t row, const int8_t *bytes, int32_t count);
#endif

#ifdef __cplusplus
}
#endif

#endif
