/* Four bytes at a time, widened to pairs of 16 bits. */
#if defined(MODEL_DSP)
static inline int8x4_t word_at(const int8_t *p) {
  int8x4_t v;
  memcpy(&v, p, 4);
  return v;
}

static inline int16x2_t even(int8x4_t v) { return __sxtb16(v); }

static inline int16x2_t odd(int8x4_t v) {
  int16x2_t r;
  __asm__("sxtb16 %0, %1, ror #8" : "=r"(r) : "r"(v));
  return r;
}
#endif
