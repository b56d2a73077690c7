/* From sums of products to bytes. A copy of what it needs, so that no store to the output makes the compiler
   read it again. */
typedef struct ending {
  const int32_t *bias, *multipliers;
  const int8_t *shifts;
  int32_t offset, low, high;
} ending;

static inline ending ending_of(const op *o) {
  const ending e = {o->bias, o->multipliers, o->shifts, o->zout, o->low, o->high};
  return e;
}

/* quick: |sum| < 2**30 and every shift is to the right. */
static MODEL_INLINE int8_t finish(const ending *e, int32_t sum, int32_t multiplier, int32_t shift, int quick) {
  int32_t v;
  if (quick) {
#if defined(MODEL_DSP)
    __asm__("smmulr %0, %1, %2" : "=r"(v) : "r"(sum * 2), "r"(multiplier));
#else
    v = high_product(sum, multiplier);
#endif
    /* halves away from zero: one less where negative, then halves up in the last of the shifts */
    v = (((v + (v >> 31)) >> (-shift - 1)) + 1 + 2 * e->offset) >> 1;
  } else {
    v = rescale(sum, multiplier, shift) + e->offset;
  }
  v = v < e->low ? e->low : v;
  v = v > e->high ? e->high : v;
  return (int8_t)v;
}

#if defined(MODEL_MVE)
static MODEL_INLINE void finish4(const ending *e, int32x4_t sums, int32_t c, mve_pred16_t p, int8_t *out, int quick) {
  const int32x4_t multiplier = vldrwq_z_s32(e->multipliers + c, p);
  const int32x4_t shift = vldrbq_z_s32(e->shifts + c, p);
  int32x4_t v;
  if (quick) {
    v = vqrdmulhq_s32(sums, multiplier);
    v = vrshlq_s32(vaddq_s32(v, vshrq_n_s32(v, 31)), shift);
  } else {
    v = rescale4(sums, multiplier, shift);
  }
  v = vaddq_n_s32(v, e->offset);
  v = vminq_s32(vmaxq_s32(v, vdupq_n_s32(e->low)), vdupq_n_s32(e->high));
  vstrbq_p_s32(out + c, v, p);
}
#endif
