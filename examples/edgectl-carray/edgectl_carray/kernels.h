/* Loops a generated model.c calls. NCHW, one image. */
#ifndef EDGECTL_KERNELS_H
#define EDGECTL_KERNELS_H

#include <math.h>
#include <string.h>

enum { NONE, RELU, RELU6, UNIT };

static float clamp(float v, int act) {
  if (act != NONE && v < 0.0f) v = 0.0f;
  if (act == RELU6 && v > 6.0f) v = 6.0f;
  if (act == UNIT && v > 1.0f) v = 1.0f;
  return v;
}

static void activate(float *y, int n, int act) {
  for (int i = 0; i < n; ++i) y[i] = clamp(y[i], act);
}

static void quantize(const float *x, int n, float step, signed char *q) {
  for (int i = 0; i < n; ++i) {
    float v = rintf(x[i] / step); /* ties to even */
    q[i] = (signed char)(v > 127.0f ? 127.0f : v < -127.0f ? -127.0f : v);
  }
}

typedef struct {
  int c, h, w, oc, oh, ow, kh, kw, sh, sw, top, left, dh, dw, groups, act;
} Conv;

/* One output of a convolution: T is the type of weights and inputs, A that of the sum. */
#define EDGECTL_DOT(NAME, T, A)                                                               \
  static A NAME(const Conv *p, const T *x, const T *weight, int o, int i, int j) {            \
    int in = p->c / p->groups, first = o / (p->oc / p->groups) * in;                          \
    A sum = 0;                                                                                \
    for (int c = 0; c < in; ++c)                                                              \
      for (int a = 0; a < p->kh; ++a) {                                                       \
        int r = i * p->sh - p->top + a * p->dh;                                               \
        if (r < 0 || r >= p->h) continue;                                                     \
        const T *row = x + ((first + c) * p->h + r) * p->w;                                   \
        const T *taps = weight + ((o * in + c) * p->kh + a) * p->kw;                          \
        for (int b = 0; b < p->kw; ++b) {                                                     \
          int s = j * p->sw - p->left + b * p->dw;                                            \
          if (s >= 0 && s < p->w) sum += (A)row[s] * (A)taps[b];                              \
        }                                                                                     \
      }                                                                                       \
    return sum;                                                                               \
  }

EDGECTL_DOT(dot_int8, signed char, int)
EDGECTL_DOT(dot_f32, float, float)

static void conv_int8(const Conv *p, const float *x, signed char *room, const signed char *weight,
                      const float *bias, const float *scale, float step, float *y) {
  quantize(x, p->c * p->h * p->w, step, room);
  for (int o = 0, k = 0; o < p->oc; ++o)
    for (int i = 0; i < p->oh; ++i)
      for (int j = 0; j < p->ow; ++j, ++k)
        y[k] = clamp((float)dot_int8(p, room, weight, o, i, j) * (step * scale[o]) + bias[o], p->act);
}

static void conv_f32(const Conv *p, const float *x, const float *weight, const float *bias, float *y) {
  for (int o = 0, k = 0; o < p->oc; ++o)
    for (int i = 0; i < p->oh; ++i)
      for (int j = 0; j < p->ow; ++j, ++k)
        y[k] = clamp(dot_f32(p, x, weight, o, i, j) + bias[o], p->act);
}

/* b is broadcast over the image where it has one value a channel */
static void binary(const float *a, int na, const float *b, int nb, int c, int product, float *y) {
  int n = na > nb ? na : nb;
  for (int i = 0; i < n; ++i) {
    float u = a[na == n ? i : i / (n / c)], v = b[nb == n ? i : i / (n / c)];
    y[i] = product ? u * v : u + v;
  }
}

static void sigmoid(const float *x, int n, float *y) {
  for (int i = 0; i < n; ++i) y[i] = 1.0f / (1.0f + expf(-x[i]));
}

static void mean(const float *x, int c, int n, float *y) {
  for (int k = 0; k < c; ++k) {
    float sum = 0.0f;
    for (int i = 0; i < n; ++i) sum += x[k * n + i];
    y[k] = sum / (float)n;
  }
}

/* average: over what lies inside the image */
static void pool(const Conv *p, const float *x, int average, float *y) {
  for (int o = 0, k = 0; o < p->oc; ++o)
    for (int i = 0; i < p->oh; ++i)
      for (int j = 0; j < p->ow; ++j, ++k) {
        float best = -INFINITY, sum = 0.0f;
        int count = 0;
        for (int a = 0; a < p->kh; ++a)
          for (int b = 0; b < p->kw; ++b) {
            int r = i * p->sh - p->top + a, s = j * p->sw - p->left + b;
            if (r < 0 || r >= p->h || s < 0 || s >= p->w) continue;
            float v = x[(o * p->h + r) * p->w + s];
            if (v > best) best = v;
            sum += v;
            ++count;
          }
        y[k] = average ? sum / (float)count : best;
      }
}

static void upsample(const float *x, int c, int h, int w, int factor, float *y) {
  for (int o = 0, k = 0; o < c; ++o)
    for (int i = 0; i < h * factor; ++i)
      for (int j = 0; j < w * factor; ++j, ++k) y[k] = x[(o * h + i / factor) * w + j / factor];
}

static void pad(const Conv *p, const float *x, float value, float *y) {
  for (int o = 0, k = 0; o < p->oc; ++o)
    for (int i = 0; i < p->oh; ++i)
      for (int j = 0; j < p->ow; ++j, ++k) {
        int r = i - p->top, s = j - p->left;
        int inside = r >= 0 && r < p->h && s >= 0 && s < p->w;
        y[k] = inside ? x[(o * p->h + r) * p->w + s] : value;
      }
}

#endif
