#include <stddef.h>
#include <string.h>

#if !defined(MODEL_PLAIN) && defined(__ARM_FEATURE_MVE)
#define MODEL_MVE 1
#include <arm_mve.h>
#elif !defined(MODEL_PLAIN) && defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP && !defined(__ARM_BIG_ENDIAN)
#define MODEL_DSP 1
#include <arm_acle.h>
#endif

/* What is called for every pixel, with numbers that are known where it is called. */
#if defined(__GNUC__)
#define MODEL_INLINE inline __attribute__((always_inline))
#else
#define MODEL_INLINE inline
#endif

/* A tensor of bytes, a row after the other: all h rows, or the last `rows` of them in a ring. */
typedef struct tensor {
  int8_t *data;
  int32_t rows, row_bytes, h, w, c;
} tensor;

typedef struct op op;
struct op {
  void (*run)(const op *o, int32_t y);   /* computes row y */
  const tensor *a, *b, *out;
  const tensor *const *parts;            /* operands of a concatenation */
  const int8_t *weights, *border;        /* border: bytes of the zero point, in place of pixels outside */
  const int32_t *bias, *multipliers, *table;
  const int8_t *shifts;
  const int16_t *map;
  int16_t kh, kw, sh, sw, dh, dw, top, left;
  int16_t za, zb, zout, low, high, count;
};

static inline int8_t *row_of(const tensor *t, int32_t y) {
  return t->data + (t->rows == t->h ? y : y % t->rows) * t->row_bytes;
}

static inline int32_t clamp(const op *o, int32_t v) {
  v = v < o->low ? o->low : v;
  return v > o->high ? o->high : v;
}
