static void mul(const op *o, int32_t y) {
  const operand a = operand_of(o->a, y), b = operand_of(o->b, y);
  int8_t *out = row_of(o->out, y);
  for (int32_t x = 0; x < o->out->w; x++, out += o->out->c) {
    const int8_t *p = a.row + x * a.pixel, *q = b.row + x * b.pixel;
    for (int32_t c = 0; c < o->out->c; c++) {
      const int32_t v = (p[c * a.channel] - o->za) * (q[c * b.channel] - o->zb);
      out[c] = (int8_t)clamp(o, rescale(v, o->multipliers[0], o->shifts[0]) + o->zout);
    }
  }
}
