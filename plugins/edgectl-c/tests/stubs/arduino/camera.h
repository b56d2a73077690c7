// Arduino's Camera library as far as the sketch uses it.
#pragma once
#include <stdint.h>
enum { CAMERA_R320x240, CAMERA_RGB565 };
struct ImageSensor {};
struct FrameBuffer {
  uint8_t pixels[320 * 240 * 2];
  uint8_t *getBuffer() { return pixels; }
};
struct Camera {
  explicit Camera(ImageSensor &) {}
  bool begin(int, int, int) { return true; }
  int grabFrame(FrameBuffer &, unsigned) { return 0; }
};
