/* table: bytes in the input from a row of the output to the next, from a pixel, from a channel */
static void transpose(const op *o, int32_t y) {
  const int8_t *a = o->a->data + y * o->table[0];
  int8_t *out = row_of(o->out, y);
  for (int32_t x = 0; x < o->out->w; x++) {
    for (int32_t c = 0; c < o->out->c; c++) {
      *out++ = a[x * o->table[1] + c * o->table[2]];
    }
  }
}
