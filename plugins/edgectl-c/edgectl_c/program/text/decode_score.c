/* The score of channel c of a cell's bytes. */
static float score_of(const head *h, const int8_t *cell, int32_t c) {
  if (!h->softmax) {
    return h->values[cell[c] + 128];
  }
  int32_t largest = cell[0];
  for (int32_t i = 1; i < h->channels; i++) {
    largest = cell[i] > largest ? cell[i] : largest;
  }
  float all = 0.0f;
  for (int32_t i = 0; i < h->channels; i++) {
    all += h->values[largest - cell[i]];
  }
  return h->values[largest - cell[c]] / all;
}
