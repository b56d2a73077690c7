/* Where the pixels under a window lie. */
typedef struct window {
  const int8_t *rows[MODEL_KERNEL_ROWS]; /* NULL outside */
} window;

typedef struct taps {
  const int8_t *at[MODEL_TAPS];
  int32_t count, bytes;
} taps;

/* The rows under row y of the output. */
static void find_rows(const op *o, int32_t y, window *found) {
  for (int32_t i = 0; i < o->kh; i++) {
    const int32_t iy = y * o->sh - o->top + i * o->dh;
    found->rows[i] = iy >= 0 && iy < o->a->h ? row_of(o->a, iy) : NULL;
  }
}

/* Whether all pixels under pixel x are inside, next to each other. */
static MODEL_INLINE int is_run(const op *o, int32_t x) {
  const int32_t x0 = x * o->sw - o->left;
  return o->dw == 1 && x0 >= 0 && x0 + o->kw <= o->a->w;
}

/* Neighbors of a row as one run of bytes. */
static MODEL_INLINE void find_runs(const op *o, const window *w, int32_t x, taps *found) {
  const int32_t at = (x * o->sw - o->left) * o->a->c;
  found->bytes = o->kw * o->a->c;
  found->count = o->kh;
  for (int32_t i = 0; i < o->kh; i++) {
    found->at[i] = w->rows[i] != NULL ? w->rows[i] + at : o->border;
  }
}

/* Every pixel on its own. */
static void find_pixels(const op *o, const window *w, int32_t x, taps *found) {
  const int32_t c = o->a->c, x0 = x * o->sw - o->left;
  const int8_t **at = found->at;
  found->bytes = c;
  found->count = o->kh * o->kw;
  for (int32_t i = 0; i < o->kh; i++) {
    const int8_t *row = w->rows[i];
    for (int32_t j = 0; j < o->kw; j++) {
      const int32_t ix = x0 + j * o->dw;
      *at++ = row != NULL && ix >= 0 && ix < o->a->w ? row + ix * c : o->border;
    }
  }
}
