#include "preprocess.h"

#include <stddef.h>
#include <string.h>

#define CHANNELS PREPROCESS_CHANNELS
#define COLUMNS PREPROCESS_COLUMNS
#define ROWS PREPROCESS_ROWS
#define ONE 2048 /* OpenCV's weights of linear interpolation have 11 bits */

enum { AREA, LINEAR, CELLS };

static preprocess_frame source;
static int32_t height, width, top, left; /* of the image within the input */
static int mode;
/* AREA: sums of a line of the frame, and of a row. Otherwise: two lines, resized sideways. */
static uint32_t sums[2][COLUMNS * CHANNELS];
static int32_t next_line, line_weight; /* AREA: weight that is left of the line summed last */
static int32_t held[2];                /* otherwise: which lines those are */
static int32_t starts[COLUMNS];
static int16_t weights[COLUMNS];

static int32_t clamp(int32_t v, int32_t low, int32_t high) { return v < low ? low : v > high ? high : v; }

static uint8_t to_byte(int32_t v) { return (uint8_t)clamp(v, 0, 255); }

/* round(a / b), to the even one of two equally near; a and b positive */
static uint64_t divide(uint64_t a, uint64_t b) {
  const uint64_t q = a / b, twice = 2 * (a % b);
  return q + (twice > b || (twice == b && (q & 1)));
}

/* Puts red, green and blue into the network's order. */
static void deliver(int32_t r, int32_t g, int32_t b, uint8_t *pixel) {
#if CHANNELS == 1
  /* ITU-R BT.601 with 15 bits, as OpenCV */
  pixel[0] = (uint8_t)((r * 9798 + g * 19235 + b * 3735 + (1 << 14)) >> 15);
#elif PREPROCESS_BGR
  pixel[0] = (uint8_t)b, pixel[1] = (uint8_t)g, pixel[2] = (uint8_t)r;
#else
  pixel[0] = (uint8_t)r, pixel[1] = (uint8_t)g, pixel[2] = (uint8_t)b;
#endif
}

/* BT.601 with 20 bits, as OpenCV. */
static void deliver_yuv(int32_t y, int32_t u, int32_t v, uint8_t *pixel) {
  const int32_t luma = (y < 16 ? 0 : y - 16) * 1220542 + (1 << 19);
  u -= 128, v -= 128;
  deliver(to_byte((luma + 1673527 * v) >> 20), to_byte((luma - 852492 * v - 409993 * u) >> 20),
          to_byte((luma + 2116026 * u) >> 20), pixel);
}

static void read_pixel(const uint8_t *line, int32_t x, uint8_t *pixel) {
  const uint8_t *p;
  uint32_t v;
  switch (source.format) {
  case PREPROCESS_RGB565_LE:
  case PREPROCESS_RGB565_BE:
    p = line + 2 * x;
    v = source.format == PREPROCESS_RGB565_LE ? (uint32_t)p[1] << 8 | p[0] : (uint32_t)p[0] << 8 | p[1];
    /* the high bits are repeated below, so that white is 255 */
    deliver((int32_t)(v >> 11 << 3 | v >> 13), (int32_t)((v >> 5 & 63) << 2 | (v >> 9 & 3)),
            (int32_t)((v & 31) << 3 | (v >> 2 & 7)), pixel);
    break;
  case PREPROCESS_RGB888:
    p = line + 3 * x;
    deliver(p[0], p[1], p[2], pixel);
    break;
  case PREPROCESS_BGR888:
    p = line + 3 * x;
    deliver(p[2], p[1], p[0], pixel);
    break;
  case PREPROCESS_YUYV:
    p = line + 4 * (x >> 1);
    deliver_yuv(p[2 * (x & 1)], p[1], p[3], pixel);
    break;
  case PREPROCESS_UYVY:
    p = line + 4 * (x >> 1);
    deliver_yuv(p[1 + 2 * (x & 1)], p[0], p[2], pixel);
    break;
  case PREPROCESS_GRAY:
  default:
    memset(pixel, line[x], CHANNELS);
    break;
  }
}

static const uint8_t *line_at(int32_t line) {
  if (!source.pixels) {
    return source.read_line(source.context, line);
  }
  return source.pixels + (size_t)line * (size_t)source.row_bytes;
}

/* The image within the input, as edgectl's letterbox computes it. */
static void place(void) {
#if PREPROCESS_LETTERBOX
  const double down = (double)ROWS / source.height, across = (double)COLUMNS / source.width;
  const double scale = down < across ? down : across;
  const double sizes[2] = {source.height * scale, source.width * scale};
  int32_t whole[2];
  for (int i = 0; i < 2; i++) {
    whole[i] = (int32_t)sizes[i];
    const double rest = sizes[i] - whole[i];
    whole[i] += rest > 0.5 || (rest == 0.5 && (whole[i] & 1));
  }
  height = clamp(whole[0], 1, ROWS);
  width = clamp(whole[1], 1, COLUMNS);
#if PREPROCESS_PAD_CENTER
  top = (ROWS - height) / 2;
  left = (COLUMNS - width) / 2;
#else
  top = left = 0;
#endif
#else
  height = ROWS, width = COLUMNS, top = left = 0;
#endif
}

/* a / b, 0 <= a, as OpenCV's float holds it; its part behind the point as a weight. */
static int32_t weight_of(int64_t a, int64_t b) {
  int32_t bits = 24;
  for (int64_t whole = a / b; whole; whole >>= 1) {
    bits--;
  }
  const uint64_t held_bits = divide((uint64_t)a << bits, (uint64_t)b);
  return (int32_t)divide(held_bits & ((UINT64_C(1) << bits) - 1), UINT64_C(1) << (bits - 11));
}

/* First of two neighbors and the weight of the second, for place i of n over m. */
static int32_t neighbors(int32_t i, int32_t n, int32_t m, int32_t *weight) {
  if (mode == CELLS) { /* what OpenCV does where one side shrinks and the other grows */
    const int32_t first = (int32_t)((int64_t)i * m / n);
    const int64_t over = (int64_t)(i + 1) * m - (int64_t)(first + 1) * n;
    *weight = over <= 0 ? 0 : weight_of(over, m);
    return first;
  }
  const int64_t at = (int64_t)(2 * i + 1) * m - n;
  if (at < 0) {
    *weight = weight_of(at + 2 * (int64_t)n, 2 * (int64_t)n);
    return -1;
  }
  *weight = weight_of(at, 2 * (int64_t)n);
  return (int32_t)(at / (2 * (int64_t)n));
}

int preprocess_begin(const preprocess_frame *frame) {
  static const uint8_t bytes[] = {2, 2, 3, 3, 2, 2, 1};
  source = *frame;
  const int halved = source.format == PREPROCESS_YUYV || source.format == PREPROCESS_UYVY;
  if ((!source.pixels && !source.read_line) || (uint32_t)source.format > PREPROCESS_GRAY || source.width < 1 ||
      source.height < 1 || (int64_t)source.width * source.height > UINT32_MAX / 255 || (halved && (source.width & 1))) {
    return 0;
  }
  if (!source.row_bytes) {
    source.row_bytes = source.width * bytes[source.format];
  }
  place();
  const int shrinks = height * width < source.width * source.height;
  mode = !shrinks ? LINEAR : width <= source.width && height <= source.height ? AREA : CELLS;
  next_line = line_weight = 0;
  held[0] = held[1] = -1;
  for (int32_t x = 0; mode != AREA && x < width; x++) {
    int32_t weight, first = neighbors(x, width, source.width, &weight);
    if (first < 0 || first >= source.width - 1) {
      weight = 0;
    }
    starts[x] = clamp(first, 0, source.width - 1);
    weights[x] = (int16_t)weight;
  }
  return 1;
}

/* Adds up what every place of a row covers of a line, in parts of a pixel. */
static void sum_line(const uint8_t *line) {
  uint32_t *to = sums[0];
  int32_t missing = source.width;
  memset(to, 0, sizeof sums[0]);
  for (int32_t x = 0; x < source.width; x++) {
    uint8_t pixel[3];
    read_pixel(line, x, pixel);
    for (int32_t rest = width; rest > 0;) {
      const int32_t part = rest < missing ? rest : missing;
      for (int32_t c = 0; c < CHANNELS; c++) {
        to[c] += (uint32_t)pixel[c] * (uint32_t)part;
      }
      rest -= part;
      missing -= part;
      if (!missing) {
        missing = source.width;
        to += CHANNELS;
      }
    }
  }
}

static void average_row(int8_t *pixels) {
  const uint32_t all = (uint32_t)source.width * (uint32_t)source.height;
  const int halves = 2 * width == source.width && 2 * height == source.height;
  const int32_t count = width * CHANNELS;
  memset(sums[1], 0, sizeof sums[1]);
  for (int32_t missing = source.height; missing;) {
    if (!line_weight) {
      sum_line(line_at(next_line++));
      line_weight = height;
    }
    const int32_t part = missing < line_weight ? missing : line_weight;
    for (int32_t i = 0; i < count; i++) {
      sums[1][i] += sums[0][i] * (uint32_t)part;
    }
    missing -= part;
    line_weight -= part;
  }
  for (int32_t i = 0; i < count; i++) {
    const uint32_t q = sums[1][i] / all, rest = sums[1][i] % all, other = all - rest;
    /* to even where it lies in the middle; OpenCV's halving goes up */
    const uint32_t up = rest > other || (rest == other && ((q & 1) || halves));
    pixels[i] = (int8_t)((int32_t)(q + up) - 128);
  }
}

static const uint32_t *resized_line(int32_t line, int keep) {
  for (int i = 0; i < 2; i++) {
    if (held[i] == line) {
      return sums[i];
    }
  }
  const int to = held[0] == keep;
  const uint8_t *from = line_at(line);
  for (int32_t x = 0; x < width; x++) {
    uint8_t a[3], b[3];
    read_pixel(from, starts[x], a);
    read_pixel(from, clamp(starts[x] + 1, 0, source.width - 1), b);
    for (int32_t c = 0; c < CHANNELS; c++) {
      sums[to][x * CHANNELS + c] = (uint32_t)(a[c] * (ONE - weights[x]) + b[c] * weights[x]);
    }
  }
  held[to] = line;
  return sums[to];
}

static void interpolate_row(int32_t row, int8_t *pixels) {
  int32_t weight;
  const int32_t first = neighbors(row, height, source.height, &weight);
  const int32_t lines[2] = {clamp(first, 0, source.height - 1), clamp(first + 1, 0, source.height - 1)};
  const uint32_t *a = resized_line(lines[0], lines[1]), *b = resized_line(lines[1], lines[0]);
  const uint32_t one = (uint32_t)(ONE - weight), two = (uint32_t)weight;
  for (int32_t i = 0; i < width * CHANNELS; i++) {
    const uint32_t v = ((one * (a[i] >> 4)) >> 16) + ((two * (b[i] >> 4)) >> 16);
    pixels[i] = (int8_t)(to_byte((int32_t)((v + 2) >> 2)) - 128);
  }
}

void preprocess_row(void *context, int32_t row, int8_t *pixels) {
  (void)context;
  if (height < ROWS || width < COLUMNS) {
    memset(pixels, PREPROCESS_PAD - 128, COLUMNS * CHANNELS);
  }
  row -= top;
  if (row < 0 || row >= height) {
    return;
  }
  if (mode == AREA) {
    average_row(pixels + left * CHANNELS);
  } else {
    interpolate_row(row, pixels + left * CHANNELS);
  }
}

void preprocess_image(int8_t *image) {
  for (int32_t row = 0; row < ROWS; row++) {
    preprocess_row(NULL, row, image + row * COLUMNS * CHANNELS);
  }
}

static float within(float v, int32_t most) { return !(v > 0.0f) ? 0.0f : v > (float)most ? (float)most : v; }

void preprocess_to_frame(float *x, float *y) {
  *x = within((*x - (float)left) * (float)source.width / (float)width, source.width);
  *y = within((*y - (float)top) * (float)source.height / (float)height, source.height);
}
