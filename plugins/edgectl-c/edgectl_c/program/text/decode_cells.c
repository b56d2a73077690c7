/* A cell fires where a class beats every other channel, the background in channel 0 included, with a score of
 * at least the threshold. Of cells that share an edge the strongest reports, the first in reading order where
 * they are equal; its place is the score-weighted mean of it and those four of its class. */
#define ROWS DECODE_ROWS
#define COLUMNS DECODE_COLUMNS

static float firing[ROWS * COLUMNS];
static uint16_t winner[ROWS * COLUMNS];
static const int8_t around[4][2] = {{-1, 0}, {1, 0}, {0, -1}, {0, 1}};

static int32_t inside(int32_t y, int32_t x) { return y >= 0 && y < ROWS && x >= 0 && x < COLUMNS; }

static void fire(int32_t i, const int8_t *cell) {
  int32_t best = 0;
  float most = score_of(&scores, cell, 0);
  for (int32_t c = 1; c < scores.channels && most == most; c++) {
    const float score = score_of(&scores, cell, c);
    if (score > most || score != score) { /* no number counts as the largest, and fires nothing */
      best = c;
      most = score;
    }
  }
  winner[i] = (uint16_t)best;
  firing[i] = best > 0 && most >= decode_threshold ? most : 0.0f;
}

static int32_t strongest(int32_t y, int32_t x) {
  if (!inside(y, x) || !(firing[y * COLUMNS + x] > 0.0f)) {
    return 0;
  }
  for (int32_t k = 0; k < 4; k++) {
    const int32_t v = y + around[k][0], u = x + around[k][1];
    if (inside(v, u) && firing[v * COLUMNS + u] > firing[y * COLUMNS + x]) {
      return 0;
    }
  }
  return 1;
}

static decode_result object_at(int32_t y, int32_t x) {
  const int32_t i = y * COLUMNS + x;
  const float stride = (float)scores.stride, half = stride / 2.0f;
  float weight = firing[i], cx = firing[i] * ((float)x + 0.5f), cy = firing[i] * ((float)y + 0.5f);
  for (int32_t k = 0; k < 4; k++) {
    const int32_t v = y + around[k][0], u = x + around[k][1];
    if (inside(v, u) && winner[v * COLUMNS + u] == winner[i]) {
      weight += firing[v * COLUMNS + u];
      cx += firing[v * COLUMNS + u] * ((float)u + 0.5f);
      cy += firing[v * COLUMNS + u] * ((float)v + 0.5f);
    }
  }
  cx = cx / weight * stride;
  cy = cy / weight * stride;
  const decode_result result = {winner[i] - 1, firing[i], cx - half, cy - half, cx + half, cy + half};
  return result;
}

int32_t decode(const int8_t *(*bytes_of)(int32_t index), const decode_result **results) {
  const int8_t *bytes = bytes_of(scores.output);
  for (int32_t i = 0; i < ROWS * COLUMNS; i++) {
    fire(i, bytes + i * scores.channels);
  }
  int32_t count = 0;
  for (int32_t y = 0; y < ROWS; y++) {
    for (int32_t x = 0; x < COLUMNS; x++) {
      /* of equal neighbors, those above and to the left come earlier */
      if (!strongest(y, x) || strongest(y - 1, x) || strongest(y, x - 1)) {
        continue;
      }
      const decode_result result = object_at(y, x);
      int32_t at = count++;
      for (; at > 0 && found[at - 1].score < result.score; at--) {
        found[at] = found[at - 1];
      }
      found[at] = result;
    }
  }
  *results = found;
  return count;
}
