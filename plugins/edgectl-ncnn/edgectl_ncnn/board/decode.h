// From raw heads to results by the rule of model_config.h: classes, object centers, boxes. The same results as
// evaluation and as the programs in Python: their order where scores are equal, their bounds, and what is no
// number stays none. No dependency but the standard library.
// Grids are channel-major, as ncnn and the golden vectors hold them: value(c, y, x) = data[(c * rows + y) * columns + x].
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace edgectl {

enum class Part { kScores, kQuality, kSides };
enum class Activation { kNone, kSigmoid, kSoftmax };

struct Head {
  const char* name;
  int stride, channels;
  Part part;
  Activation activation;  // still to be applied
  bool logarithms;        // of sides
  bool strides;           // sides are in strides, not in pixels
  bool roots;             // of a quality: the score is the root of the product
  float offset;           // of a cell's point from its corner, in cells
};

struct Rule {
  float threshold, overlap;
  bool suppress;
  size_t most_candidates, most_results, most_shown;
};

struct Result {
  int label;
  float score;
  float x0, y0, x1, y1;  // pixels of the network's input; zero for a class of the whole image
};

struct Grid {
  const Head* head;
  int rows, columns;
  std::vector<float> values;
  float at(int c, int i) const { return values[static_cast<size_t>(c) * rows * columns + i]; }
};

// without overflow for large numbers of either sign
inline float sigmoid(float v) {
  const float e = std::exp(-std::fabs(v));
  return (v >= 0.f ? 1.f : e) / (1.f + e);
}

// Scores 0..1 in place of raw numbers.
inline void activate(Grid& g) {
  const int area = g.rows * g.columns;
  if (g.head->activation == Activation::kSigmoid)
    for (float& v : g.values) v = sigmoid(v);
  if (g.head->activation != Activation::kSoftmax) return;
  for (int i = 0; i < area; ++i) {
    float most = g.at(0, i), total = 0.f;
    for (int c = 1; c < g.head->channels; ++c) most = most != most || most > g.at(c, i) ? most : g.at(c, i);
    for (int c = 0; c < g.head->channels; ++c) total += std::exp(g.at(c, i) - most);
    for (int c = 0; c < g.head->channels; ++c) {
      float& v = g.values[static_cast<size_t>(c) * area + i];
      v = std::exp(v - most) / total;
    }
  }
}

// what is no number comes last
inline bool better(const Result& a, const Result& b) {
  return a.score > b.score || (a.score == a.score && b.score != b.score);
}

inline std::vector<Result> classes(Grid g, const Rule& rule) {
  activate(g);
  std::vector<Result> found;
  for (int c = 0; c < g.head->channels; ++c) found.push_back({c, g.at(c, 0), 0.f, 0.f, 0.f, 0.f});
  std::stable_sort(found.begin(), found.end(), better);
  if (found.size() > rule.most_shown) found.resize(rule.most_shown);
  return found;
}

// Object centers. Channel 0 is the background; of cells that share an edge the strongest reports, the first in
// reading order where they are equal. The place is the score-weighted mean of the cell and those four.
inline std::vector<Result> cells(Grid g, const Rule& rule) {
  activate(g);
  const int rows = g.rows, columns = g.columns, channels = g.head->channels;
  std::vector<float> firing(static_cast<size_t>(rows) * columns, 0.f);
  std::vector<int> winner(firing.size(), 0);
  for (int i = 0; i < rows * columns; ++i) {
    float best = g.at(0, i);
    for (int c = 1; c < channels && best == best; ++c) {
      const float v = g.at(c, i);
      if (v > best || v != v) {  // no number counts as the largest, and fires nothing
        best = v;
        winner[i] = c;
      }
    }
    if (winner[i] > 0 && best >= rule.threshold) firing[i] = best;
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
      // of equal neighbors the earlier one reports, and only those above and to the left are earlier
      if (!strongest[i] || (y > 0 && strongest[i - columns]) || (x > 0 && strongest[i - 1])) continue;
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
      const float stride = static_cast<float>(g.head->stride), half = stride / 2.f;
      cx = cx / weight * stride;
      cy = cy / weight * stride;
      found.push_back({winner[i] - 1, firing[i], cx - half, cy - half, cx + half, cy + half});
    }
  }
  std::stable_sort(found.begin(), found.end(), better);
  return found;
}

// what is no number stays none
inline float least(float a, float b) { return a != a || a < b ? a : b; }
inline float most(float a, float b) { return a != a || a > b ? a : b; }
inline float positive(float a) { return a <= 0.f ? 0.f : a; }
inline float area(const Result& b) { return positive(b.x1 - b.x0) * positive(b.y1 - b.y0); }

inline bool covers(const Result& kept, const Result& box, float overlap) {
  const float shared = positive(least(kept.x1, box.x1) - most(kept.x0, box.x0)) *
                       positive(least(kept.y1, box.y1) - most(kept.y0, box.y0));
  const float all = area(kept) + area(box) - shared;
  return shared > overlap * all;
}

// Boxes of all strides over the threshold, overlapping ones of one class suppressed. Equal scores count in the
// order of strides, classes, rows and columns.
inline std::vector<Result> boxes(std::vector<Grid> grids, const Rule& rule) {
  std::vector<int> strides;
  for (Grid& g : grids) {
    if (g.head->part != Part::kSides) activate(g);
    if (std::find(strides.begin(), strides.end(), g.head->stride) == strides.end()) strides.push_back(g.head->stride);
  }
  std::vector<Result> found;
  for (const int stride : strides) {
    const Grid *scores = nullptr, *quality = nullptr, *sides = nullptr;
    for (const Grid& g : grids) {
      if (g.head->stride != stride) continue;
      (g.head->part == Part::kScores ? scores : g.head->part == Part::kQuality ? quality : sides) = &g;
    }
    const Head& side = *sides->head;
    const float unit = side.strides ? static_cast<float>(stride) : 1.f;
    for (int c = 0; c < scores->head->channels; ++c) {
      for (int i = 0; i < scores->rows * scores->columns; ++i) {
        float score = scores->at(c, i);
        if (quality) {
          score *= quality->at(0, i);
          if (quality->head->roots) score = std::sqrt(score);
        }
        if (!(score > rule.threshold)) continue;
        float d[4];
        for (int k = 0; k < 4; ++k) d[k] = (side.logarithms ? std::exp(sides->at(k, i)) : sides->at(k, i)) * unit;
        const float x = (static_cast<float>(i % scores->columns) + side.offset) * static_cast<float>(stride);
        const float y = (static_cast<float>(i / scores->columns) + side.offset) * static_cast<float>(stride);
        found.push_back({c, score, x - d[0], y - d[1], x + d[2], y + d[3]});
      }
    }
  }
  std::stable_sort(found.begin(), found.end(), better);
  if (found.size() > rule.most_candidates) found.resize(rule.most_candidates);
  std::vector<Result> kept;
  for (const Result& f : found) {
    if (kept.size() == rule.most_results) break;
    const auto covered = [&](const Result& k) { return k.label == f.label && covers(k, f, rule.overlap); };
    if (!rule.suppress || std::none_of(kept.begin(), kept.end(), covered)) kept.push_back(f);
  }
  return kept;
}

enum class Program { kClasses, kCells, kBoxes };

inline std::vector<Result> decode(Program program, const std::vector<Grid>& grids, const Rule& rule) {
  if (program == Program::kClasses) return classes(grids[0], rule);
  if (program == Program::kCells) return cells(grids[0], rule);
  return boxes(grids, rule);
}

}  // namespace edgectl
