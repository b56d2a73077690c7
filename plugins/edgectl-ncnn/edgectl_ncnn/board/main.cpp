// Runs the model on one image of raw bytes, as golden/*.rgb are, and prints what it finds.
//   ./run golden/0.rgb
#include <cstdio>
#include <vector>

#include "decode.h"
#include "model_config.h"
#include "net.h"

// cells of a grid along so many pixels, the last of which may be cut off; classes of whole images have no grid
static int cells_along(int pixels, int stride) { return stride ? (pixels + stride - 1) / stride : 1; }

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s image.rgb   (%d x %d x %d bytes)\n", argv[0], kColumns, kRows, kChannels);
    return 2;
  }
  std::vector<unsigned char> pixels(static_cast<size_t>(kRows) * kColumns * kChannels);
  std::FILE* file = std::fopen(argv[1], "rb");
  if (!file || std::fread(pixels.data(), 1, pixels.size(), file) != pixels.size()) {
    std::fprintf(stderr, "%s: not %zu bytes\n", argv[1], pixels.size());
    return 5;
  }
  std::fclose(file);

  ncnn::Net net;
  if (net.load_param(kParam) || net.load_model(kBin)) {
    std::fprintf(stderr, "%s: cannot be loaded\n", kParam);
    return 5;
  }
  // the bytes are in the order the network was trained on: nothing to swap
  const int type = kChannels == 1 ? ncnn::Mat::PIXEL_GRAY : ncnn::Mat::PIXEL_RGB;
  ncnn::Mat in = ncnn::Mat::from_pixels(pixels.data(), type, kColumns, kRows);
  in.substract_mean_normalize(kMean, kNorm);
  ncnn::Extractor extractor = net.create_extractor();
  extractor.input("in0", in);
  ncnn::Mat heads[kOutputCount];
  std::vector<std::vector<float>> values(kOutputCount);
  for (int i = 0; i < kOutputCount; ++i) {
    if (extractor.extract(kOutputs[i].name, heads[i])) return 1;
    // rows of a Mat may be padded: copy channel by channel
    const ncnn::Mat& m = heads[i];
    for (int c = 0; c < m.c; ++c) {
      const float* p = m.channel(c);
      values[i].insert(values[i].end(), p, p + static_cast<size_t>(m.w) * m.h);
    }
  }

  std::vector<edgectl::Result> found;
  if (kTask == kClassification) {
    found.push_back(edgectl::best_class(values[0].data(), kOutputs[0].channels));
  } else if (kTask == kCentroid) {
    const Output& o = kOutputs[0];
    found = edgectl::cells(values[0].data(), o.channels, cells_along(kRows, o.stride), cells_along(kColumns, o.stride),
                           o.stride, kThreshold);
  } else {
    const int levels = kOutputCount / 2;
    for (int i = 0; i < levels; ++i) {
      const Output &c = kOutputs[i], &b = kOutputs[i + levels];
      edgectl::level(values[i].data(), values[i + levels].data(), c.channels,
                     cells_along(kRows, c.stride), cells_along(kColumns, c.stride), c.stride, b.logarithms,
                     b.offset, kThreshold, found);
    }
    found = edgectl::suppress(found, kOverlap, 300);
  }
  for (const edgectl::Result& r : found)
    std::printf("%s %.4f %.1f %.1f %.1f %.1f\n", kLabels[r.label], r.score, r.x0, r.y0, r.x1, r.y1);
  return 0;
}
