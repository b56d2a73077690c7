/* count operands; kh: the dimension they are joined along, 0 rows, 1 pixels of a row, 2 channels */
static void concat(const op *o, int32_t y) {
  int8_t *out = row_of(o->out, y);
  for (int32_t i = 0; i < o->count; i++) {
    const tensor *a = o->parts[i];
    if (o->kh == 2) {
      const int8_t *from = row_of(a, y);
      int8_t *to = out;
      for (int32_t x = 0; x < a->w; x++, from += a->c, to += o->out->c) {
        memcpy(to, from, (size_t)a->c);
      }
      out += a->c;
    } else if (o->kh == 1) {
      memcpy(out, row_of(a, y), (size_t)a->row_bytes);
      out += a->row_bytes;
    } else if (y >= 0 && y < a->h) {
      memcpy(out, row_of(a, y), (size_t)a->row_bytes);
      return;
    } else {
      y -= a->h;
    }
  }
}
