static void max_pool(const op *o, int32_t y) {
  const tensor *a = o->a;
  int8_t *out = row_of(o->out, y);
  for (int32_t x = 0; x < o->out->w; x++, out += a->c) {
    int first = 1;
    for (int32_t i = 0; i < o->kh; i++) {
      const int32_t iy = y * o->sh - o->top + i;
      if (iy < 0 || iy >= a->h) {
        continue;
      }
      for (int32_t j = 0; j < o->kw; j++) {
        const int32_t ix = x * o->sw - o->left + j;
        if (ix < 0 || ix >= a->w) {
          continue;
        }
        const int8_t *p = row_of(a, iy) + ix * a->c;
        for (int32_t c = 0; c < a->c; c++) {
          out[c] = first || p[c] > out[c] ? p[c] : out[c];
        }
        first = 0;
      }
    }
    for (int32_t c = 0; c < a->c; c++) {
      out[c] = (int8_t)clamp(o, first ? -128 : out[c]);
    }
  }
}
