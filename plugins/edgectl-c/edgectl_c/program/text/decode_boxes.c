/* Every score over the threshold is a candidate; the DECODE_CANDIDATES best are turned into boxes, and of boxes
 * of one class that overlap by more than DECODE_OVERLAP the better one stays. Equal scores count in the order of
 * strides, classes, rows and columns. */
typedef struct {
  float score;
  uint32_t order;
} candidate;

static candidate candidates[DECODE_CANDIDATES]; /* a heap, the worst on top; then the best first */
static int32_t waiting;

static int worse(candidate a, candidate b) { return a.score < b.score || (a.score == b.score && a.order > b.order); }

static void sink(int32_t i, int32_t count) {
  const candidate moved = candidates[i];
  for (int32_t child; (child = 2 * i + 1) < count; i = child) {
    child += child + 1 < count && worse(candidates[child + 1], candidates[child]);
    if (!worse(candidates[child], moved)) {
      break;
    }
    candidates[i] = candidates[child];
  }
  candidates[i] = moved;
}

static void offer(candidate c) {
  if (waiting == DECODE_CANDIDATES) {
    if (worse(candidates[0], c)) {
      candidates[0] = c;
      sink(0, waiting);
    }
    return;
  }
  int32_t i = waiting++;
  for (; i > 0 && worse(c, candidates[(i - 1) / 2]); i = (i - 1) / 2) {
    candidates[i] = candidates[(i - 1) / 2];
  }
  candidates[i] = c;
}

static void sort_candidates(void) {
  for (int32_t last = waiting - 1; last > 0; last--) {
    const candidate worst = candidates[0];
    candidates[0] = candidates[last];
    sink(0, last);
    candidates[last] = worst;
  }
}

static void offer_level(const level *at, const int8_t *(*bytes_of)(int32_t index)) {
  const head *scores = &at->scores;
  const int8_t *bytes = bytes_of(scores->output);
  const int8_t *quality = at->combine ? bytes_of(at->quality.output) : NULL;
  const int32_t cells = scores->rows * scores->columns;
  for (int32_t i = 0; i < cells; i++) {
    for (int32_t c = 0; c < scores->channels; c++) {
      float score = score_of(scores, bytes + i * scores->channels, c);
      if (quality) {
        score = score * at->quality.values[quality[i] + 128];
#if DECODE_ROOTS
        score = at->combine == GEOMETRIC_MEAN ? sqrtf(score) : score;
#endif
      }
      if (score > decode_threshold) {
        const candidate found_here = {score, at->first + (uint32_t)(c * cells + i)};
        offer(found_here);
      }
    }
  }
}

static decode_result box_of(candidate c, const int8_t *(*bytes_of)(int32_t index)) {
  int32_t k = COUNT(levels) - 1;
  while (levels[k].first > c.order) {
    k--;
  }
  const level *at = &levels[k];
  const int32_t cells = at->scores.rows * at->scores.columns, place = (int32_t)(c.order - at->first);
  const int32_t cell = place % cells;
  const int8_t *sides = bytes_of(at->sides.output) + cell * 4;
  const float *length = at->sides.values + 128, stride = (float)at->sides.stride;
  const float x = ((float)(cell % at->sides.columns) + at->offset) * stride;
  const float y = ((float)(cell / at->sides.columns) + at->offset) * stride;
  const decode_result box = {place / cells,           c.score,
                             x - length[sides[0]], y - length[sides[1]],
                             x + length[sides[2]], y + length[sides[3]]};
  return box;
}

#if DECODE_OVERLAPS
/* What is no number stays none. */
static float least(float a, float b) { return a != a || a < b ? a : b; }
static float most(float a, float b) { return a != a || a > b ? a : b; }
static float positive(float a) { return a <= 0.0f ? 0.0f : a; }
static float area(const decode_result *b) { return positive(b->x1 - b->x0) * positive(b->y1 - b->y0); }

static int covered(const decode_result *better, const decode_result *box) {
  const float across = least(better->x1, box->x1) - most(better->x0, box->x0);
  const float down = least(better->y1, box->y1) - most(better->y0, box->y0);
  const float shared = positive(across) * positive(down);
  const float all = area(better) + area(box) - shared;
  return shared > DECODE_OVERLAP * all;
}
#endif

int32_t decode(const int8_t *(*bytes_of)(int32_t index), const decode_result **results) {
  waiting = 0;
  for (int32_t k = 0; k < COUNT(levels); k++) {
    offer_level(&levels[k], bytes_of);
  }
  sort_candidates();
  int32_t count = 0;
  for (int32_t i = 0; i < waiting && count < DECODE_RESULTS; i++) {
    const decode_result box = box_of(candidates[i], bytes_of);
    int free_of_better = 1;
#if DECODE_OVERLAPS
    for (int32_t k = 0; k < count && free_of_better; k++) {
      free_of_better = found[k].label != box.label || !covered(&found[k], &box);
    }
#endif
    if (free_of_better) {
      found[count++] = box;
    }
  }
  *results = found;
  return count;
}
