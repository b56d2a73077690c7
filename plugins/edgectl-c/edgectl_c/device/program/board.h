/* What the test program needs of the place it runs in. */
#ifndef BOARD_H
#define BOARD_H

#include <stdint.h>

void board_print(const char *text);
void board_exit(int failed);
uint32_t board_stack_pointer(void);
uint32_t board_stack_limit(void);
void board_start_clock(void);
uint32_t board_clock(void); /* 24 bits, counting up */

#endif
