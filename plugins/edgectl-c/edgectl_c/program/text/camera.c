/* Where the frames come from: yours to fill in. While it returns 0 the program tests itself, and no more. */
#include "edgectl_program.h"

int camera_frame(preprocess_frame *frame) {
  (void)frame;
  /* For a camera that leaves 320 x 240 pixels as RGB565 in memory:
   *
   *   static uint8_t pixels[240 * 320 * 2];
   *   your_camera_read(pixels);
   *   frame->format = PREPROCESS_RGB565_BE;
   *   frame->width = 320;
   *   frame->height = 240;
   *   frame->pixels = pixels;
   *   return 1;
   */
  return 0;
}
