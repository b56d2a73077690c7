// From raw heads to results: classes, object centers, boxes. No dependency but the standard library.
// Grids are channel-major, as ncnn and the golden vectors hold them: value(c, y, x) = data[(c * rows + y) * columns + x].
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace edgectl {

struct Result {
  int label;
  float score;
  float x0, y0, x1, y1;  // pixels of the network's input; zero for a class of the whole image
};

inline float sigmoid(float v) { return 1.f / (1.f + std::exp(-v)); }

// The most likely class with its probability.
inline Result best_class(const float* logits, int classes) {
  const int best = static_cast<int>(std::max_element(logits, logits + classes) - logits);
  float total = 0.f;
  for (int i = 0; i < classes; ++i) total += std::exp(logits[i] - logits[best]);
  return {best, 1.f / total, 0.f, 0.f, 0.f, 0.f};
}

// Object centers. Channel 0 is the background; of cells that share an edge the strongest reports, the first in
// reading order where they are equal. The place is the score-weighted mean of the cell and those four.
inline std::vector<Result> cells(const float* logits, int channels, int rows, int columns, int stride,
                                 float threshold) {
  std::vector<float> firing(static_cast<size_t>(rows) * columns, 0.f);
  std::vector<int> winner(firing.size(), 0);
  for (int i = 0; i < rows * columns; ++i) {
    float best = logits[i];
    for (int c = 1; c < channels; ++c) {
      const float v = logits[c * rows * columns + i];
      if (v > best) {
        best = v;
        winner[i] = c;
      }
    }
    const float score = sigmoid(best);
    if (winner[i] > 0 && score >= threshold) firing[i] = score;
  }
  static const int kAround[4][2] = {{-1, 0}, {1, 0}, {0, -1}, {0, 1}};
  const auto highest = [&](int y, int x) {
    float most = 0.f;
    for (const auto& d : kAround) {
      const int v = y + d[0], u = x + d[1];
      if (v >= 0 && v < rows && u >= 0 && u < columns) most = std::max(most, firing[v * columns + u]);
    }
    return most;
  };
  std::vector<char> strongest(firing.size(), 0);
  for (int y = 0; y < rows; ++y)
    for (int x = 0; x < columns; ++x)
      strongest[y * columns + x] = firing[y * columns + x] > 0.f && firing[y * columns + x] >= highest(y, x);
  std::vector<Result> found;
  for (int y = 0; y < rows; ++y) {
    for (int x = 0; x < columns; ++x) {
      const int i = y * columns + x;
      if (!strongest[i]) continue;
      // equal neighbors: the earlier one reports, and only those above and to the left are earlier
      if (y > 0 && strongest[i - columns]) continue;
      if (x > 0 && strongest[i - 1]) continue;
      float weight = firing[i], cx = firing[i] * (x + .5f), cy = firing[i] * (y + .5f);
      for (const auto& d : kAround) {
        const int v = y + d[0], u = x + d[1];
        if (v < 0 || v >= rows || u < 0 || u >= columns) continue;
        const int j = v * columns + u;
        if (winner[j] != winner[i]) continue;
        weight += firing[j];
        cx += firing[j] * (u + .5f);
        cy += firing[j] * (v + .5f);
      }
      cx = cx / weight * stride;
      cy = cy / weight * stride;
      const float half = stride / 2.f;
      found.push_back({winner[i] - 1, firing[i], cx - half, cy - half, cx + half, cy + half});
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Result& a, const Result& b) { return a.score > b.score; });
  return found;
}

// Adds one level's boxes over the threshold: distances to the four sides from the cell's point, in strides. The
// point lies offset cells right of and below the cell's corner.
inline void level(const float* logits, const float* distances, int classes, int rows, int columns, int stride,
                  bool logarithms, float offset, float threshold, std::vector<Result>& found) {
  const int area = rows * columns;
  for (int i = 0; i < area; ++i) {
    for (int c = 0; c < classes; ++c) {
      const float score = sigmoid(logits[c * area + i]);
      if (score <= threshold) continue;
      float d[4];
      for (int k = 0; k < 4; ++k) {
        d[k] = distances[k * area + i];
        d[k] = (logarithms ? std::exp(d[k]) : d[k]) * stride;
      }
      const float x = (i % columns + offset) * stride, y = (i / columns + offset) * stride;
      found.push_back({c, score, x - d[0], y - d[1], x + d[2], y + d[3]});
    }
  }
}

// Greedy non-maximum suppression within each class.
inline std::vector<Result> suppress(std::vector<Result> found, float overlap, size_t limit) {
  std::stable_sort(found.begin(), found.end(),
                   [](const Result& a, const Result& b) { return a.score > b.score; });
  std::vector<Result> kept;
  for (const Result& f : found) {
    bool free = true;
    for (const Result& k : kept) {
      if (k.label != f.label) continue;
      const float w = std::min(k.x1, f.x1) - std::max(k.x0, f.x0), h = std::min(k.y1, f.y1) - std::max(k.y0, f.y0);
      const float both = std::max(w, 0.f) * std::max(h, 0.f);
      const float all = (k.x1 - k.x0) * (k.y1 - k.y0) + (f.x1 - f.x0) * (f.y1 - f.y0) - both;
      if (both > overlap * all) {
        free = false;
        break;
      }
    }
    if (free) kept.push_back(f);
    if (kept.size() == limit) break;
  }
  return kept;
}

}  // namespace edgectl
