/* What falls on each pixel of the output when every input pixel is spread by the kernel. */
static void transpose_conv(const op *o, int32_t y) {
  const ending e = ending_of(o);
  const tensor *a = o->a;
  int8_t *out = row_of(o->out, y);
  for (int32_t x = 0; x < o->out->w; x++, out += o->out->c) {
    for (int32_t c = 0; c < o->out->c; c++) {
      int32_t sum = e.bias[c];
      for (int32_t i = 0; i < o->kh; i++) {
        const int32_t down = y + o->top - i, iy = down / o->sh;
        if (down < 0 || down % o->sh || iy >= a->h) {
          continue;
        }
        for (int32_t j = 0; j < o->kw; j++) {
          const int32_t right = x + o->left - j, ix = right / o->sw;
          if (right < 0 || right % o->sw || ix >= a->w) {
            continue;
          }
          const int8_t *p = row_of(a, iy) + ix * a->c;
          const int8_t *w = o->weights + ((c * o->kh + i) * o->kw + j) * a->c;
          for (int32_t k = 0; k < a->c; k++) {
            sum += (p[k] - o->za) * w[k];
          }
        }
      }
      out[c] = finish(&e, sum, e.multipliers[c], e.shifts[c], 0);
    }
  }
}
