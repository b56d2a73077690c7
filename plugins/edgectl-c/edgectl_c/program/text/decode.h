/* From the bytes of the network's heads to results, by the rule the network was evaluated with.
 *
 * Results are the best first. Static arrays only: DECODE_RESULTS results (24 bytes each) and what the program
 * needs beside them, DECODE_BYTES in all; both bounds are those of evaluation, or what the network can give.
 */
#ifndef DECODE_H
#define DECODE_H

#include <stdint.h>

/* DEFINES */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int32_t label;          /* of labels.h */
  float score;            /* 0 .. 1 */
  float x0, y0, x1, y1;   /* pixels of the network's input; zeros for a class of the whole image */
} decode_result;

/* Results below it are dropped. */
extern float decode_threshold;

/* head(k): bytes of output k, rows x columns x channels, as model_output gives them. Returns the number of
 * results and where they are: valid until the next call. */
int32_t decode(const int8_t *(*head)(int32_t index), const decode_result **results);

#ifdef __cplusplus
}
#endif

#endif
