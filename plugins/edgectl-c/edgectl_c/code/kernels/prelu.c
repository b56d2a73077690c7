/* Two multipliers: for what is not negative, and for the rest times the slopes in b. */
static void prelu(const op *o, int32_t y) {
  const operand a = operand_of(o->a, y), b = operand_of(o->b, y);
  const int32_t *m = o->multipliers;
  const int8_t *s = o->shifts;
  int8_t *out = row_of(o->out, y);
  for (int32_t x = 0; x < o->out->w; x++, out += o->out->c) {
    const int8_t *p = a.row + x * a.pixel, *q = b.row + x * b.pixel;
    for (int32_t c = 0; c < o->out->c; c++) {
      int32_t v = p[c * a.channel] - o->za;
      v = v >= 0 ? rescale(v, m[0], s[0]) : rescale(v * (q[c * b.channel] - o->zb), m[1], s[1]);
      out[c] = (int8_t)clamp(o, v + o->zout);
    }
  }
}
