// Runs a sketch for three frames.
#include <Arduino.h>
void setup();
void loop();
int main() {
  setup();
  for (int i = 0; i < 3; i++) loop();
  return 0;
}
