/* x * multiplier * 2**(shift - 31), rounded twice, as the reference kernels round. */
static inline int32_t high_product(int32_t x, int32_t multiplier) {
  return (int32_t)(((int64_t)x * multiplier + ((int64_t)1 << 30)) >> 31);
}

static inline int32_t shift_right(int32_t x, int32_t bits) {
  const int32_t mask = (int32_t)((UINT32_C(1) << bits) - 1u);
  return (x >> bits) + ((x & mask) > (mask >> 1) + (x < 0));
}

static inline int32_t rescale(int32_t x, int32_t multiplier, int32_t shift) {
  if (shift > 0) {
    return high_product((int32_t)((uint32_t)x << shift), multiplier);
  }
  return shift_right(high_product(x, multiplier), -shift);
}

#if defined(MODEL_MVE)
static inline int32x4_t rescale4(int32x4_t x, int32x4_t multiplier, int32x4_t shift) {
  const int32x4_t zero = vdupq_n_s32(0), right = vminq_s32(shift, zero);
  x = vqrdmulhq_s32(vshlq_s32(x, vmaxq_s32(shift, zero)), multiplier);
  return vrshlq_s32(vqaddq_s32(x, vshrq_n_s32(vandq_s32(x, right), 31)), right);
}
#endif
