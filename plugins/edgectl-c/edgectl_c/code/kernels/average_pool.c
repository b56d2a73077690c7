/* The mean of the pixels inside, halves away from zero. */
static void average_pool(const op *o, int32_t y) {
  const tensor *a = o->a;
  const int32_t y0 = y * o->sh - o->top, y_from = y0 < 0 ? 0 : y0;
  const int32_t y_to = y0 + o->kh > a->h ? a->h : y0 + o->kh;
  int8_t *out = row_of(o->out, y);
  for (int32_t x = 0; x < o->out->w; x++, out += a->c) {
    const int32_t x0 = x * o->sw - o->left, x_from = x0 < 0 ? 0 : x0;
    const int32_t x_to = x0 + o->kw > a->w ? a->w : x0 + o->kw;
    const int32_t count = (y_to - y_from) * (x_to - x_from);
    for (int32_t c = 0; c < a->c; c++) {
      int32_t sum = 0;
      for (int32_t i = y_from; i < y_to; i++) {
        const int8_t *p = row_of(a, i) + c;
        for (int32_t j = x_from; j < x_to; j++) {
          sum += p[j * a->c];
        }
      }
      sum = sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
      out[c] = (int8_t)clamp(o, sum);
    }
  }
}
