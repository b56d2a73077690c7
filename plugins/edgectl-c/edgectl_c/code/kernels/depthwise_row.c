/* A filter or several a channel; weights lie tap by tap, the channels of a tap together. */
static MODEL_INLINE void depthwise_row(const op *o, int32_t y, int quick) {
  const ending e = ending_of(o);
  const int32_t channels = o->out->c, width = o->out->w, multiple = channels / o->a->c;
  const int8_t *weights = o->weights;
  int8_t *out = row_of(o->out, y);
  window rows;
  find_rows(o, y, &rows);
  for (int32_t x = 0; x < width; x++, out += channels) {
    int32_t c = 0;
    taps t;
    find_pixels(o, &rows, x, &t);
    if (multiple == 1) {
#if defined(MODEL_MVE)
      for (; c < channels; c += 4) {
        const mve_pred16_t p = vctp32q((uint32_t)(channels - c));
        const int8_t *w = weights + c;
        int32x4_t sums = vldrwq_z_s32(e.bias + c, p);
        for (int32_t i = 0; i < t.count; i++, w += channels) {
          sums = vaddq_s32(sums, vmulq_s32(vldrbq_z_s32(t.at[i] + c, p), vldrbq_z_s32(w, p)));
        }
        finish4(&e, sums, c, p, out, quick);
      }
#else
      for (; c + 4 <= channels; c += 4) {
        const int8_t *w = weights + c;
        int32_t s0 = e.bias[c], s1 = e.bias[c + 1], s2 = e.bias[c + 2], s3 = e.bias[c + 3];
        for (int32_t i = 0; i < t.count; i++, w += channels) {
          const int8_t *a = t.at[i] + c;
#if defined(MODEL_DSP)
          const int8x4_t wa = word_at(a), ww = word_at(w);
          const int16x2_t p = even(wa), q = even(ww), r = odd(wa), s = odd(ww);
          s0 = __smlabb(p, q, s0);
          s1 = __smlabb(r, s, s1);
          s2 = __smlatt(p, q, s2);
          s3 = __smlatt(r, s, s3);
#else
          s0 += a[0] * w[0];
          s1 += a[1] * w[1];
          s2 += a[2] * w[2];
          s3 += a[3] * w[3];
#endif
        }
        out[c] = finish(&e, s0, e.multipliers[c], e.shifts[c], quick);
        out[c + 1] = finish(&e, s1, e.multipliers[c + 1], e.shifts[c + 1], quick);
        out[c + 2] = finish(&e, s2, e.multipliers[c + 2], e.shifts[c + 2], quick);
        out[c + 3] = finish(&e, s3, e.multipliers[c + 3], e.shifts[c + 3], quick);
      }
#endif
    }
    for (; c < channels; c++) {
      int32_t sum = e.bias[c];
      for (int32_t i = 0; i < t.count; i++) {
        sum += t.at[i][c / multiple] * weights[i * channels + c];
      }
      out[c] = finish(&e, sum, e.multipliers[c], e.shifts[c], quick);
    }
  }
}
