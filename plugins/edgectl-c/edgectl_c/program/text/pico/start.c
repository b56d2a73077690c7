/* Waits for the serial monitor, then the program. */
#include <stddef.h>

#include "edgectl_program.h"
#include "pico/stdlib.h"

int main(void) {
  stdio_init_all();
  sleep_ms(3000);
  program_self_test();
  for (;;) {
    if (program_step(NULL) < 0) {
      program_print("no frame: define camera_frame, see README.md\n");
      sleep_ms(5000);
    }
  }
}
