/* The test program as a process of this machine: neither stack nor instructions are measured. */
#include <stdio.h>
#include <stdlib.h>

#include "board.h"

void board_print(const char *text) { fputs(text, stdout); }
void board_exit(int failed) { exit(failed); }
uint32_t board_stack_pointer(void) { return 0; }
uint32_t board_stack_limit(void) { return 0; }
void board_start_clock(void) {}
uint32_t board_clock(void) { return 0; }
