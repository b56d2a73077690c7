// As much of an Arduino core as the sketches use, on the host.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
struct Port {
  void begin(unsigned long) {}
  size_t print(const char *text) { return fputs(text, stdout) >= 0; }
};
static Port Serial;
inline void delay(unsigned long) {}
