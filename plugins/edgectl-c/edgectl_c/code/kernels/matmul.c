/* A row is one matrix of the batch; kh, kw: the first, the second operand is read with its axes exchanged. */
static void matmul(const op *o, int32_t y) {
  const tensor *a = o->a, *b = o->b;
  const int8_t *from = row_of(a, y), *by = row_of(b, y);
  const int32_t terms = o->kh ? a->w : a->c;
  const int32_t a_pixel = o->kh ? 1 : a->c, a_term = o->kh ? a->c : 1;
  const int32_t b_term = o->kw ? 1 : b->c, b_channel = o->kw ? b->c : 1;
  int8_t *out = row_of(o->out, y);
  for (int32_t x = 0; x < o->out->w; x++) {
    for (int32_t c = 0; c < o->out->c; c++) {
      const int8_t *p = from + x * a_pixel, *q = by + c * b_channel;
      int32_t sum = 0;
      for (int32_t k = 0; k < terms; k++, p += a_term, q += b_term) {
        sum += (*p - o->za) * (*q - o->zb);
      }
      *out++ = (int8_t)clamp(o, rescale(sum, o->multipliers[0], o->shifts[0]) + o->zout);
    }
  }
}
