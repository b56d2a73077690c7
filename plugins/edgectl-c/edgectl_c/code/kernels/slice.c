/* top, left, kh: the first row, pixel, channel; sh, sw, kw: the steps. */
static void slice(const op *o, int32_t y) {
  const int8_t *a = row_of(o->a, o->top + y * o->sh) + o->left * o->a->c + o->kh;
  int8_t *out = row_of(o->out, y);
  for (int32_t x = 0; x < o->out->w; x++, a += o->sw * o->a->c) {
    for (int32_t c = 0; c < o->out->c; c++) {
      *out++ = a[c * o->kw];
    }
  }
}
