/* Convolution; bias holds what the input's zero point contributes, and pixels outside are that zero point. */
#if defined(MODEL_MVE)
static MODEL_INLINE int32x4_t four(int32_t s0, int32_t s1, int32_t s2, int32_t s3) {
  int32x4_t v = vdupq_n_s32(s0);
  v = vsetq_lane_s32(s1, v, 1);
  v = vsetq_lane_s32(s2, v, 2);
  return vsetq_lane_s32(s3, v, 3);
}

static MODEL_INLINE void conv4(const ending *e, const int8_t *weights, const taps *t, int32_t k, int32_t left,
                         int32_t c, int8_t *out, int quick) {
  const int8_t *w0 = weights, *w1 = left > 1 ? w0 + k : w0, *w2 = left > 2 ? w1 + k : w0,
               *w3 = left > 3 ? w2 + k : w0;
  int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  for (int32_t i = 0; i < t->count; i++) {
    const int8_t *a = t->at[i];
    int32_t n = t->bytes;
    for (; n >= 16; n -= 16, a += 16, w0 += 16, w1 += 16, w2 += 16, w3 += 16) {
      const int8x16_t x = vldrbq_s8(a);
      s0 = vmladavaq_s8(s0, x, vldrbq_s8(w0));
      s1 = vmladavaq_s8(s1, x, vldrbq_s8(w1));
      s2 = vmladavaq_s8(s2, x, vldrbq_s8(w2));
      s3 = vmladavaq_s8(s3, x, vldrbq_s8(w3));
    }
    if (n > 0) {
      const mve_pred16_t p = vctp8q((uint32_t)n);
      const int8x16_t x = vldrbq_z_s8(a, p);
      s0 = vmladavaq_s8(s0, x, vldrbq_z_s8(w0, p));
      s1 = vmladavaq_s8(s1, x, vldrbq_z_s8(w1, p));
      s2 = vmladavaq_s8(s2, x, vldrbq_z_s8(w2, p));
      s3 = vmladavaq_s8(s3, x, vldrbq_z_s8(w3, p));
      w0 += n, w1 += n, w2 += n, w3 += n;
    }
  }
  const mve_pred16_t p = vctp32q((uint32_t)left);
  const int32x4_t sums = four(s0, s1, s2, s3);
  finish4(e, vaddq_s32(sums, vldrwq_z_s32(e->bias + c, p)), c, p, out, quick);
}

/* One pixel of at most 16 channels under the window: it stays in a register for all outputs. */
static MODEL_INLINE void short_row(const op *o, int32_t y, int quick) {
  const ending e = ending_of(o);
  const int32_t channels = o->out->c, width = o->out->w, k = o->a->c, step = o->sw * k;
  const mve_pred16_t used = vctp8q((uint32_t)k);
  int8_t *out = row_of(o->out, y);
  const int8_t *a = row_of(o->a, y * o->sh);
  for (int32_t x = 0; x < width; x += 2, a += 2 * step, out += 2 * channels) {
    const int32_t next = x + 1 < width;
    const int8x16_t p = vldrbq_z_s8(a, used), q = vldrbq_z_s8(a + next * step, used);
    int8_t *beside = out + next * channels;
    const int8_t *w = o->weights;
    for (int32_t c = 0; c < channels; c += 4) {
      const int32_t left = channels - c;
      const mve_pred16_t lanes = vctp32q((uint32_t)left);
      const int8x16_t w0 = vldrbq_z_s8(w, used);
      w += left > 1 ? k : 0;
      const int8x16_t w1 = vldrbq_z_s8(w, used);
      w += left > 2 ? k : 0;
      const int8x16_t w2 = vldrbq_z_s8(w, used);
      w += left > 3 ? k : 0;
      const int8x16_t w3 = vldrbq_z_s8(w, used);
      w += k;
      const int32x4_t bias = vldrwq_z_s32(e.bias + c, lanes);
      const int32x4_t s = four(vmladavq_s8(p, w0), vmladavq_s8(p, w1), vmladavq_s8(p, w2), vmladavq_s8(p, w3));
      const int32x4_t t = four(vmladavq_s8(q, w0), vmladavq_s8(q, w1), vmladavq_s8(q, w2), vmladavq_s8(q, w3));
      finish4(&e, vaddq_s32(s, bias), c, lanes, out, quick);
      finish4(&e, vaddq_s32(t, bias), c, lanes, beside, quick);
    }
  }
}

static MODEL_INLINE void conv_row(const op *o, int32_t y, int quick) {
  const ending e = ending_of(o);
  const int32_t channels = o->out->c, width = o->out->w, k = o->kh * o->kw * o->a->c;
  if (o->kh * o->kw == 1 && k <= 16) {
    short_row(o, y, quick);
    return;
  }
  int8_t *out = row_of(o->out, y);
  window w;
  find_rows(o, y, &w);
  for (int32_t x = 0; x < width; x++, out += channels) {
    const int8_t *weights = o->weights;
    taps t;
    if (is_run(o, x)) {
      find_runs(o, &w, x, &t);
    } else {
      find_pixels(o, &w, x, &t);
    }
    for (int32_t c = 0; c < channels; c += 4, weights += 4 * k) {
      conv4(&e, weights, &t, k, channels - c, c, out, quick);
    }
  }
}
#else
typedef struct quad {
  int32_t s0, s1, s2, s3;
} quad;

/* Two pixels times two channels: every byte loaded is used twice. */
static MODEL_INLINE quad dot2x2(const int8_t *a, const int8_t *b, const int8_t *u, const int8_t *v, int32_t n, quad s) {
#if defined(MODEL_DSP)
  for (; n >= 4; n -= 4, a += 4, b += 4, u += 4, v += 4) {
    const int8x4_t wa = word_at(a), wb = word_at(b), wu = word_at(u), wv = word_at(v);
    const int16x2_t a0 = even(wa), b0 = even(wb), u0 = even(wu), v0 = even(wv);
    s.s0 = __smlad(a0, u0, s.s0);
    s.s1 = __smlad(a0, v0, s.s1);
    s.s2 = __smlad(b0, u0, s.s2);
    s.s3 = __smlad(b0, v0, s.s3);
    const int16x2_t a1 = odd(wa), b1 = odd(wb), u1 = odd(wu), v1 = odd(wv);
    s.s0 = __smlad(a1, u1, s.s0);
    s.s1 = __smlad(a1, v1, s.s1);
    s.s2 = __smlad(b1, u1, s.s2);
    s.s3 = __smlad(b1, v1, s.s3);
  }
#endif
  for (int32_t i = 0; i < n; i++) {
    s.s0 += a[i] * u[i];
    s.s1 += a[i] * v[i];
    s.s2 += b[i] * u[i];
    s.s3 += b[i] * v[i];
  }
  return s;
}

static MODEL_INLINE void conv_row(const op *o, int32_t y, int quick) {
  const ending e = ending_of(o);
  const int32_t channels = o->out->c, width = o->out->w, k = o->kh * o->kw * o->a->c;
  int8_t *out = row_of(o->out, y);
  window w;
  find_rows(o, y, &w);
  for (int32_t x = 0; x < width; x += 2, out += 2 * channels) {
    const int32_t next = x + 1 < width ? x + 1 : x;
    int8_t *beside = out + (next - x) * channels;
    taps first, second;
    if (is_run(o, x) && is_run(o, next)) {
      find_runs(o, &w, x, &first);
      find_runs(o, &w, next, &second);
    } else {
      find_pixels(o, &w, x, &first);
      find_pixels(o, &w, next, &second);
    }
    const int8_t *u = o->weights;
    const int8_t *a = first.at[0], *b = second.at[0];
    const int32_t count = first.count, bytes = first.bytes;
    for (int32_t c = 0; c < channels; c += 2) {
      const int32_t d = c + 1 < channels ? c + 1 : c;
      const int8_t *v = u + (d - c) * k;
      quad s = {e.bias[c], e.bias[d], e.bias[c], e.bias[d]};
      if (count == 1) {
        s = dot2x2(a, b, u, v, bytes, s);
      } else {
        const int8_t *f = u, *g = v;
        for (int32_t i = 0; i < count; i++, f += bytes, g += bytes) {
          s = dot2x2(first.at[i], second.at[i], f, g, bytes, s);
        }
      }
      u = v + k;
      const int32_t m = e.multipliers[c], n = e.multipliers[d], p = e.shifts[c], q = e.shifts[d];
      out[c] = finish(&e, s.s0, m, p, quick);
      out[d] = finish(&e, s.s1, n, q, quick);
      beside[c] = finish(&e, s.s2, m, p, quick);
      beside[d] = finish(&e, s.s3, n, q, quick);
    }
  }
}
#endif
