// Tests the board, then prints what its camera sees. Board package "Arduino Mbed OS".
#include <camera.h>
#include <edgectl_program.h>
#include <gc2145.h>

static GC2145 sensor;
static Camera cam(sensor);
static FrameBuffer held;

void program_print(const char *text) { Serial.print(text); }

int camera_frame(preprocess_frame *frame) {
  if (cam.grabFrame(held, 3000) != 0) {
    return 0;
  }
  frame->format = PREPROCESS_RGB565_BE;
  frame->width = 320;
  frame->height = 240;
  frame->pixels = held.getBuffer();
  return 1;
}

void setup() {
  Serial.begin(115200);
  delay(3000);
  program_self_test();
  if (!cam.begin(CAMERA_R320x240, CAMERA_RGB565, 30)) {
    program_print("the camera does not start\n");
  }
}

void loop() {
  if (program_step(nullptr) < 0) {
    delay(1000);
  }
}
