/* Over all rows and pixels of a row. */
static void mean(const op *o, int32_t y) {
  const tensor *a = o->a;
  int8_t *out = row_of(o->out, y);
  for (int32_t c = 0; c < a->c; c++) {
    int32_t sum = 0;
    for (int32_t i = 0; i < a->h; i++) {
      const int8_t *p = row_of(a, i) + c;
      for (int32_t j = 0; j < a->w; j++) {
        sum += p[j * a->c] - o->za;
      }
    }
    out[c] = (int8_t)clamp(o, rescale(sum, o->multipliers[0], o->shifts[0]) + o->zout);
  }
}
