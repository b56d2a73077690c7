/* count groups: every output reads the channels of its group. */
static void conv_grouped(const op *o, int32_t y) {
  const ending e = ending_of(o);
  const int32_t channels = o->out->c, each = channels / o->count, depth = o->a->c / o->count;
  int8_t *out = row_of(o->out, y);
  window w;
  find_rows(o, y, &w);
  for (int32_t x = 0; x < o->out->w; x++, out += channels) {
    const int8_t *f = o->weights;
    taps t;
    find_pixels(o, &w, x, &t);
    for (int32_t c = 0; c < channels; c++) {
      const int32_t from = c / each * depth;
      int32_t sum = e.bias[c];
      for (int32_t i = 0; i < t.count; i++, f += depth) {
        const int8_t *a = t.at[i] + from;
        for (int32_t k = 0; k < depth; k++) {
          sum += a[k] * f[k];
        }
      }
      out[c] = finish(&e, sum, e.multipliers[c], e.shifts[c], 0);
    }
  }
}
