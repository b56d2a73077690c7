/* map: first and second row for every row written, first and second pixel for every pixel of it; table: the
   seconds' weights in 1024ths, rows and then pixels. */
static void resize_bilinear(const op *o, int32_t y) {
  const int32_t rows = o->out->h, width = o->out->w, channels = o->a->c, v = o->table[y];
  const int8_t *above = row_of(o->a, o->map[y]), *below = row_of(o->a, o->map[rows + y]);
  int8_t *out = row_of(o->out, y);
  for (int32_t x = 0; x < width; x++) {
    const int32_t u = o->table[rows + x];
    const int32_t first = o->map[2 * rows + x] * channels, second = o->map[2 * rows + width + x] * channels;
    for (int32_t c = 0; c < channels; c++) {
      const int32_t up = above[first + c] * (1024 - u) + above[second + c] * u;
      const int32_t down = below[first + c] * (1024 - u) + below[second + c] * u;
      const int32_t sum = up * (1024 - v) + down * v;
      *out++ = (int8_t)(sum < 0 ? -((-sum + (1 << 19)) >> 20) : (sum + (1 << 19)) >> 20);
    }
  }
}
