static void pad(const op *o, int32_t y) {
  int8_t *out = row_of(o->out, y);
  const int32_t from = y - o->top;
  memset(out, o->zout, (size_t)o->out->row_bytes);
  if (from >= 0 && from < o->a->h) {
    memcpy(out + o->left * o->out->c, row_of(o->a, from), (size_t)o->a->row_bytes);
  }
}
