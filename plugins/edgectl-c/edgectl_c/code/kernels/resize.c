/* Nearest neighbor; map: the row for every row written, then the pixel for every pixel of it. */
static void resize(const op *o, int32_t y) {
  const int8_t *a = row_of(o->a, o->map[y]);
  int8_t *out = row_of(o->out, y);
  for (int32_t x = 0; x < o->out->w; x++, out += o->a->c) {
    memcpy(out, a + o->map[o->out->h + x] * o->a->c, (size_t)o->a->c);
  }
}
