// Espressif's camera driver as far as the sketch uses it: a frame of one color.
#pragma once
#include <stddef.h>
#include <stdint.h>
typedef int esp_err_t;
#define ESP_OK 0
enum { LEDC_CHANNEL_0, LEDC_TIMER_0, PIXFORMAT_RGB565, FRAMESIZE_QVGA, CAMERA_FB_IN_PSRAM, CAMERA_GRAB_WHEN_EMPTY };
typedef struct {
  int pin_pwdn, pin_reset, pin_xclk, pin_sccb_sda, pin_sccb_scl, pin_d7, pin_d6, pin_d5, pin_d4, pin_d3, pin_d2,
      pin_d1, pin_d0, pin_vsync, pin_href, pin_pclk, xclk_freq_hz, ledc_timer, ledc_channel, pixel_format, frame_size;
  size_t fb_count;
  int fb_location, grab_mode;
} camera_config_t;
typedef struct {
  uint8_t *buf;
  size_t len, width, height;
} camera_fb_t;
static uint8_t esp_camera_pixels[320 * 240 * 2];
static camera_fb_t esp_camera_frame = {esp_camera_pixels, sizeof esp_camera_pixels, 320, 240};
static inline esp_err_t esp_camera_init(const camera_config_t *) { return ESP_OK; }
static inline camera_fb_t *esp_camera_fb_get(void) { return &esp_camera_frame; }
static inline void esp_camera_fb_return(camera_fb_t *) {}
