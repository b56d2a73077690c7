/* What is no number comes last. */
static int less(float a, float b) { return a < b || (a != a && b == b); }

/* The best classes, equal ones in their order. */
int32_t decode(const int8_t *(*bytes_of)(int32_t index), const decode_result **results) {
  const int8_t *bytes = bytes_of(scores.output);
  int32_t count = 0;
  for (int32_t c = 0; c < scores.channels; c++) {
    const float score = score_of(&scores, bytes, c);
    int32_t at = count;
    while (at > 0 && less(found[at - 1].score, score)) {
      at--;
    }
    if (at == DECODE_RESULTS) {
      continue;
    }
    count += count < DECODE_RESULTS;
    memmove(found + at + 1, found + at, (size_t)(count - 1 - at) * sizeof found[0]);
    memset(found + at, 0, sizeof found[0]);
    found[at].label = c;
    found[at].score = score;
  }
  *results = found;
  return count;
}
