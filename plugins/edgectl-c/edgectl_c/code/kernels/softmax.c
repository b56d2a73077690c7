/* Over channels, in 32-bit fixed point; table: exp of minus 0, 1, 2 ... steps, while it is counted at all. */
static int32_t one_over_one_plus(int32_t a) {
  const int32_t half = (int32_t)(((int64_t)a + INT32_MAX + 1) >> 1);
  int32_t x = 1515870810 + high_product(half, -1010580540);
  for (int i = 0; i < 3; i++) {
    const int32_t error = (1 << 29) - high_product(half, x);
    const int64_t step = (int64_t)high_product(x, error) * 4;
    x += (int32_t)(step > INT32_MAX ? INT32_MAX : step < INT32_MIN ? INT32_MIN : step);
  }
  return x > INT32_MAX / 2 ? INT32_MAX : x * 2;
}

static void softmax(const op *o, int32_t y) {
  const int32_t channels = o->out->c;
  const int8_t *a = row_of(o->a, y);
  int8_t *out = row_of(o->out, y);
  for (int32_t x = 0; x < o->out->w; x++, a += channels, out += channels) {
    int32_t largest = a[0], sum = 0, zeros = 0;
    for (int32_t c = 1; c < channels; c++) {
      largest = a[c] > largest ? a[c] : largest;
    }
    for (int32_t c = 0; c < channels; c++) {
      if (largest - a[c] < o->count) {
        sum += shift_right(o->table[largest - a[c]], 12);
      }
    }
    while (zeros < 31 && !(((uint32_t)sum << zeros) & UINT32_C(0x80000000))) {
      zeros++;
    }
    const int32_t scale = one_over_one_plus((int32_t)(((uint32_t)sum << zeros) - UINT32_C(0x80000000)));
    for (int32_t c = 0; c < channels; c++) {
      int32_t v = -128;
      if (largest - a[c] < o->count) {
        const int32_t bits = 12 - zeros + 31 - 8;
        v = high_product(scale, o->table[largest - a[c]]);
        v = (bits > 31 ? 0 : shift_right(v, bits)) - 128;
        v = v > 127 ? 127 : v;
      }
      out[c] = (int8_t)v;
    }
  }
}
