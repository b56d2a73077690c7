// Images, a camera or the golden vectors through the network on this machine.
//   ./run image.jpg ...    a line a result, in pixels of the image
//   ./run --camera 0       what the camera sees, until Ctrl-C
//   ./run --golden         compares this machine with what was measured before deployment
//   ./run golden/0.rgb     raw bytes of exactly the network's input
// JPEG, PNG and the camera need OpenCV: apt-get install libopencv-dev.
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "decode.h"
#include "images.h"
#include "model_config.h"
#include "net.h"
#ifdef WITH_OPENCV
#include <opencv2/imgcodecs.hpp>
#include <opencv2/videoio.hpp>
#endif

using edgectl::Grid;
using edgectl::Result;

namespace {

// cells of a grid along so many pixels, the last of which may be cut off; classes of whole images have no grid
int cells_along(int pixels, int stride) { return stride ? (pixels + stride - 1) / stride : 1; }

Grid empty_grid(const edgectl::Head& head) {
  return {&head, cells_along(kRows, head.stride), cells_along(kColumns, head.stride), {}};
}

bool read_file(const std::string& path, std::vector<unsigned char>& bytes) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) return false;
  unsigned char part[65536];
  for (size_t n; (n = std::fread(part, 1, sizeof part, file)) > 0;) bytes.insert(bytes.end(), part, part + n);
  std::fclose(file);
  return true;
}

// The heads of one image of kRows x kColumns x kChannels bytes; empty where the network does not run.
std::vector<Grid> heads_of(const ncnn::Net& net, const std::vector<unsigned char>& pixels) {
  // the bytes are in the order the network was trained on: nothing to swap
  const int order = kChannels == 1 ? ncnn::Mat::PIXEL_GRAY : ncnn::Mat::PIXEL_RGB;
  ncnn::Mat in = ncnn::Mat::from_pixels(pixels.data(), order, kColumns, kRows);
  in.substract_mean_normalize(kMean, kNorm);
  ncnn::Extractor extractor = net.create_extractor();
  extractor.input("in0", in);
  std::vector<Grid> grids;
  for (const edgectl::Head& head : kHeads) {
    ncnn::Mat m;
    Grid grid = empty_grid(head);
    if (extractor.extract(head.name, m)) return {};
    // rows of a Mat may be padded: copy channel by channel
    for (int c = 0; c < m.c; ++c) {
      const float* p = m.channel(c);
      grid.values.insert(grid.values.end(), p, p + static_cast<size_t>(m.w) * m.h);
    }
    if (grid.values.size() != static_cast<size_t>(head.channels) * grid.rows * grid.columns) return {};
    grids.push_back(grid);
  }
  return grids;
}

void print(const Result& r, const edgectl::Geometry* g, int height, int width) {
  std::printf("%s %.4f", kLabels[r.label], static_cast<double>(r.score));
  if (kProgram != edgectl::Program::kClasses) {
    const float x0 = g ? g->x(r.x0, width) : r.x0, y0 = g ? g->y(r.y0, height) : r.y0;
    const float x1 = g ? g->x(r.x1, width) : r.x1, y1 = g ? g->y(r.y1, height) : r.y1;
    std::printf(" %.1f %.1f %.1f %.1f", static_cast<double>(x0), static_cast<double>(y0), static_cast<double>(x1),
                static_cast<double>(y1));
  }
  std::printf("\n");
}

int failed(const char* why) {
  std::fprintf(stderr, "%s\n", why);
  return 1;
}

int raw(const ncnn::Net& net, const std::string& path) {
  std::vector<unsigned char> pixels;
  if (!read_file(path, pixels) || pixels.size() != static_cast<size_t>(kRows) * kColumns * kChannels) {
    std::fprintf(stderr, "%s: not %d bytes\n", path.c_str(), kRows * kColumns * kChannels);
    return 5;
  }
  const std::vector<Grid> heads = heads_of(net, pixels);
  if (heads.empty()) return failed("the network does not run");
  for (const Result& r : edgectl::decode(kProgram, heads, kRule)) print(r, nullptr, 0, 0);
  return 0;
}

// float32 of a .npy file of format 1.0, as NumPy writes it; false where it is none of so many.
bool read_numbers(const std::string& path, Grid& grid) {
  std::vector<unsigned char> bytes;
  if (!read_file(path, bytes) || bytes.size() < 10) return false;
  const size_t start = 10 + bytes[8] + 256u * bytes[9];
  const size_t count = static_cast<size_t>(grid.head->channels) * grid.rows * grid.columns;
  if (bytes.size() != start + 4 * count) return false;
  grid.values.resize(count);
  std::memcpy(grid.values.data(), &bytes[start], 4 * count);
  return true;
}

// Noise of more than a twentieth of the signal's energy is another model, or another image.
bool alike(const Grid& wanted, const Grid& found) {
  double signal = 0, noise = 0, largest = 0;
  for (size_t i = 0; i < wanted.values.size(); ++i) {
    const double d = static_cast<double>(found.values[i]) - static_cast<double>(wanted.values[i]);
    signal += static_cast<double>(wanted.values[i]) * static_cast<double>(wanted.values[i]);
    noise += d * d;
    largest = std::max(largest, std::fabs(d));
  }
  const bool good = noise <= 0.05 * signal;
  std::printf("  %s: largest difference %.4f%s\n", wanted.head->name, largest, good ? "" : "  DIFFERS");
  return good;
}

int golden(const ncnn::Net& net, const std::string& folder) {
  int images = 0, bad = 0;
  for (;; ++images) {
    const std::string name = folder + "/" + std::to_string(images);
    std::vector<unsigned char> pixels;
    if (!read_file(name + ".rgb", pixels)) break;
    if (pixels.size() != static_cast<size_t>(kRows) * kColumns * kChannels) return failed("golden images of another size");
    const std::vector<Grid> found = heads_of(net, pixels);
    if (found.empty()) return failed("the network does not run");
    std::vector<Grid> wanted;
    std::printf("image %d\n", images);
    for (const Grid& grid : found) {
      wanted.push_back(empty_grid(*grid.head));
      if (!read_numbers(name + "." + grid.head->name + ".npy", wanted.back())) return failed("a golden vector is absent");
      bad += !alike(wanted.back(), grid);
    }
    std::printf("  results: %zu, before deployment %zu\n", edgectl::decode(kProgram, found, kRule).size(),
                edgectl::decode(kProgram, wanted, kRule).size());
  }
  if (!images) return failed("no golden images in this bundle");
  std::printf(bad ? "self-test FAILED: do not trust this machine's results\n" : "self-test passed\n");
  return bad ? 4 : 0;
}

#ifdef WITH_OPENCV
int show(const ncnn::Net& net, const cv::Mat& image) {
  const std::vector<Grid> heads = heads_of(net, edgectl::fit(image));
  if (heads.empty()) return failed("the network does not run");
  const edgectl::Geometry geometry(image.rows, image.cols);
  for (const Result& r : edgectl::decode(kProgram, heads, kRule)) print(r, &geometry, image.rows, image.cols);
  return 0;
}

int picture(const ncnn::Net& net, const std::string& path) {
  const cv::Mat image = cv::imread(path, cv::IMREAD_COLOR);
  if (image.empty()) {
    std::fprintf(stderr, "%s: not an image\n", path.c_str());
    return 5;
  }
  std::printf("%s\n", path.c_str());
  return show(net, image);
}

int camera(const ncnn::Net& net, const std::string& source) {
  cv::VideoCapture capture;
  const bool number = source.find_first_not_of("0123456789") == std::string::npos;
  if (!(number ? capture.open(std::stoi(source)) : capture.open(source))) return failed("the camera cannot be opened");
  cv::Mat frame;
  while (capture.read(frame)) {
    if (const int code = show(net, frame)) return code;
    std::printf("--\n");
    std::fflush(stdout);
  }
  return 0;
}
#else
int picture(const ncnn::Net&, const std::string&) {
  return failed("built without OpenCV: install libopencv-dev, and build again; or name raw bytes, *.rgb");
}
int camera(const ncnn::Net& net, const std::string& source) { return picture(net, source); }
#endif

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty() || words[0] == "--help" || (words[0] == "--camera" && words.size() != 2)) {
    std::fprintf(stderr, "usage: run image ... | --camera 0 | --golden\n");
    return 2;
  }
  ncnn::Net net;
  if (net.load_param(kParam) || net.load_model(kBin)) {
    std::fprintf(stderr, "%s: cannot be loaded; run this program in its directory\n", kParam);
    return 5;
  }
  if (words[0] == "--golden") return golden(net, "golden");
  if (words[0] == "--camera") return camera(net, words[1]);
  int code = 0;
  for (const std::string& path : words) {
    const int one = ends_with(path, ".rgb") ? raw(net, path) : picture(net, path);
    code = one ? one : code;
  }
  return code;
}
