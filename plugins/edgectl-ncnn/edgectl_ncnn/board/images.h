// Images as the network was trained on them, and boxes back to the image.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "model_config.h"
#ifdef WITH_OPENCV
#include <opencv2/imgproc.hpp>
#endif

namespace edgectl {

// Where an image lies in the network's input, as edgectl's letterbox computes it.
struct Geometry {
  int rows, columns, top, left;
  double scale_x, scale_y;

  Geometry(int height, int width) : rows(kRows), columns(kColumns), top(0), left(0) {
    if (kLetterbox) {
      const double scale = std::min(kRows / static_cast<double>(height), kColumns / static_cast<double>(width));
      // to the even one of two equally near, as Python rounds
      rows = std::min(kRows, std::max(1, static_cast<int>(std::nearbyint(height * scale))));
      columns = std::min(kColumns, std::max(1, static_cast<int>(std::nearbyint(width * scale))));
      if (kPadCenter) {
        top = (kRows - rows) / 2;
        left = (kColumns - columns) / 2;
      }
    }
    scale_x = columns / static_cast<double>(width);
    scale_y = rows / static_cast<double>(height);
  }

  // network-input pixels to pixels of the image, clipped to it
  float x(float v, int width) const { return within((v - left) / scale_x, width); }
  float y(float v, int height) const { return within((v - top) / scale_y, height); }

 private:
  static float within(double v, int most) {
    return static_cast<float>(std::min(std::max(v, 0.0), static_cast<double>(most)));
  }
};

#ifdef WITH_OPENCV
// An image as OpenCV decodes it to kRows x kColumns x kChannels bytes in the order of training.
inline std::vector<unsigned char> fit(const cv::Mat& image_bgr) {
  const Geometry g(image_bgr.rows, image_bgr.cols);
  cv::Mat ordered, small;
  if (kChannels == 1) {
    cv::cvtColor(image_bgr, ordered, cv::COLOR_BGR2GRAY);
  } else if (kRedFirst) {
    cv::cvtColor(image_bgr, ordered, cv::COLOR_BGR2RGB);
  } else {
    ordered = image_bgr;
  }
  // area averaging where it shrinks: no aliasing
  const bool shrinks = static_cast<long>(g.rows) * g.columns < static_cast<long>(image_bgr.rows) * image_bgr.cols;
  cv::resize(ordered, small, cv::Size(g.columns, g.rows), 0, 0, shrinks ? cv::INTER_AREA : cv::INTER_LINEAR);
  std::vector<unsigned char> out(static_cast<size_t>(kRows) * kColumns * kChannels, kPadValue);
  for (int y = 0; y < g.rows; ++y)
    std::memcpy(&out[(static_cast<size_t>(y + g.top) * kColumns + g.left) * kChannels], small.ptr<unsigned char>(y),
                static_cast<size_t>(g.columns) * kChannels);
  return out;
}
#endif

}  // namespace edgectl
