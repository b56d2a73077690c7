// Tests the board, then prints what your camera sees.
#include <edgectl_program.h>

void program_print(const char *text) { Serial.print(text); }

// Yours to fill in: where a frame lies, and of what format it is. edgectl_program.h says more.
int camera_frame(preprocess_frame *frame) {
  (void)frame;
  return 0;
}

void setup() {
  Serial.begin(115200);
  delay(3000);
  program_self_test();
}

void loop() {
  if (program_step(nullptr) < 0) {
    program_print("no frame: fill in camera_frame\n");
    delay(5000);
  }
}
