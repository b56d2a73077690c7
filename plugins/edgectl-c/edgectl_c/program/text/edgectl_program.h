/* The whole program: a test of itself, then camera, network, results. See README.md. */
#ifndef EDGECTL_PROGRAM_H
#define EDGECTL_PROGRAM_H

#include <stdint.h>

#include "decode.h"
#include "preprocess.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Runs the network on the images in golden.h and prints what 'edgectl deploy verify --serial' reads.
 * Returns 1 where every byte and every result is as it was measured before the model was sent here. */
int program_self_test(void);

/* Takes a frame, runs the network, prints the results. Returns their number, or -1 without a frame. */
int32_t program_step(const decode_result **results);

/* Yours to define; what stands in main.c is used where you do not. */

/* Prints text; "\n" ends a line. Default: the C library's stdout. */
void program_print(const char *text);

/* Fills in where the next frame lies and of what format it is. Returns 0 where there is none. Default: 0. */
int camera_frame(preprocess_frame *frame);

/* Called around the network (0, 1) and around decoding (2, 3), for measurements. Default: nothing. */
void program_mark(int where);

#ifdef __cplusplus
}
#endif

#endif
