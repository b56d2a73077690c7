// Tests the board, then prints what its camera sees. Board package "esp32"; Tools > PSRAM: OPI PSRAM.
#include <edgectl_program.h>
#include <esp_camera.h>

static camera_fb_t *held = nullptr;

void program_print(const char *text) { Serial.print(text); }

int camera_frame(preprocess_frame *frame) {
  if (held) {
    esp_camera_fb_return(held);
  }
  held = esp_camera_fb_get();
  if (!held) {
    return 0;
  }
  frame->format = PREPROCESS_RGB565_BE;
  frame->width = held->width;
  frame->height = held->height;
  frame->pixels = held->buf;
  return 1;
}

static bool start_camera() {
  camera_config_t c = {};
  // pins of this board, from Espressif's camera_pins.h
@PINS@
  c.ledc_channel = LEDC_CHANNEL_0;
  c.ledc_timer = LEDC_TIMER_0;
  c.xclk_freq_hz = 20000000;
  c.pixel_format = PIXFORMAT_RGB565;
  c.frame_size = FRAMESIZE_QVGA;
  c.fb_count = 1;
  c.fb_location = CAMERA_FB_IN_PSRAM;
  c.grab_mode = CAMERA_GRAB_WHEN_EMPTY;
  return esp_camera_init(&c) == ESP_OK;
}

void setup() {
  Serial.begin(115200);
  delay(3000);
  program_self_test();
  if (!start_camera()) {
    program_print("the camera does not start: is it plugged in, and PSRAM switched on?\n");
  }
}

void loop() {
  if (program_step(nullptr) < 0) {
    delay(1000);
  }
}
