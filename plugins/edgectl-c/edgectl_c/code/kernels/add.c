/* Both operands are raised by 20 bits, brought to one scale, added and brought to the output's. */
static void add(const op *o, int32_t y) {
  const operand a = operand_of(o->a, y), b = operand_of(o->b, y);
  const int32_t *m = o->multipliers;
  const int8_t *s = o->shifts;
  const int32_t channels = o->out->c;
  int8_t *out = row_of(o->out, y);
  for (int32_t x = 0; x < o->out->w; x++, out += channels) {
    const int8_t *p = a.row + x * a.pixel, *q = b.row + x * b.pixel;
    int32_t c = 0;
#if defined(MODEL_MVE)
    for (; c < channels && a.channel && b.channel; c += 4) {
      const mve_pred16_t lanes = vctp32q((uint32_t)(channels - c));
      int32x4_t u = vsubq_n_s32(vldrbq_z_s32(p + c, lanes), o->za);
      int32x4_t v = vsubq_n_s32(vldrbq_z_s32(q + c, lanes), o->zb);
      u = rescale4(vshlq_n_s32(u, 20), vdupq_n_s32(m[0]), vdupq_n_s32(s[0]));
      v = rescale4(vshlq_n_s32(v, 20), vdupq_n_s32(m[1]), vdupq_n_s32(s[1]));
      v = rescale4(vaddq_s32(u, v), vdupq_n_s32(m[2]), vdupq_n_s32(s[2]));
      v = vaddq_n_s32(v, o->zout);
      v = vminq_s32(vmaxq_s32(v, vdupq_n_s32(o->low)), vdupq_n_s32(o->high));
      vstrbq_p_s32(out + c, v, lanes);
    }
#endif
    for (; c < channels; c++) {
      const int32_t u = rescale((p[c * a.channel] - o->za) * (1 << 20), m[0], s[0]);
      const int32_t v = rescale((q[c * b.channel] - o->zb) * (1 << 20), m[1], s[1]);
      out[c] = (int8_t)clamp(o, rescale(u + v, m[2], s[2]) + o->zout);
    }
  }
}
