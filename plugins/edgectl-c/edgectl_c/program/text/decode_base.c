#include "decode.h"

#include <stddef.h>
#include <string.h>

/* Sums and products are rounded one by one, as the reference does it. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

#define COUNT(array) ((int32_t)(sizeof(array) / sizeof(array)[0]))

/* One output. values[byte + 128]: the number a byte stands for, after activation, transform and unit. */
typedef struct {
  int32_t output, rows, columns, channels, stride;
  int32_t softmax; /* the values are powers still to be divided by their sum: values[difference to the largest] */
  const float *values;
} head;

float decode_threshold = DECODE_THRESHOLD;
static decode_result found[DECODE_RESULTS];
