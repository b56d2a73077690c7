static void lookup(const op *o, int32_t y) {
  const int8_t *a = row_of(o->a, y);
  int8_t *out = row_of(o->out, y);
  for (int32_t i = 0; i < o->out->row_bytes; i++) {
    out[i] = o->weights[a[i] + 128];
  }
}
