#pragma once
#include <stdint.h>
#include <stdlib.h>
static inline void stdio_init_all(void) {}
static inline void sleep_ms(uint32_t ms) {
  if (ms == 5000) exit(0);
}
