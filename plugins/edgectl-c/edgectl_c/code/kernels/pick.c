/* Elements in another order; table: the first one, how many rows before the outermost axis moves on, and the
   bytes from one element to the next along it, along rows, pixels and channels. */
static void pick(const op *o, int32_t y) {
  const int32_t *t = o->table;
  const int8_t *a = o->a->data + t[0] + y / t[1] * t[2] + y % t[1] * t[3];
  int8_t *out = row_of(o->out, y);
  for (int32_t x = 0; x < o->out->w; x++) {
    for (int32_t c = 0; c < o->out->c; c++) {
      *out++ = a[x * t[4] + c * t[5]];
    }
  }
}
