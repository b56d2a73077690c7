/* Start of a Cortex-M in QEMU without a vendor's file: vectors, memory, coprocessors, semihosting. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "board.h"

extern uint32_t data_start, data_end, data_load, bss_start, bss_end, stack_top;

int main(void);
void reset(void);

static intptr_t host_call(intptr_t number, const void *arguments) {
  register intptr_t r0 __asm("r0") = number;
  register const void *r1 __asm("r1") = arguments;
  __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

void board_print(const char *text) { host_call(4, text); }

void board_exit(int failed) {
  /* ADP_Stopped_ApplicationExit, or an error */
  host_call(0x18, (const void *)(uintptr_t)(failed ? 0x20024 : 0x20026));
  for (;;) {
  }
}

static void fault(void) {
  board_print("fault\n");
  board_exit(1);
}

void reset(void) {
#if !defined(__ARM_ARCH_6M__)
  *(volatile uint32_t *)0xE000ED88 |= UINT32_C(0xF) << 20; /* floating point and Helium */
  __asm volatile("dsb\n isb");
#endif
  memcpy(&data_start, &data_load, (size_t)((char *)&data_end - (char *)&data_start));
  memset(&bss_start, 0, (size_t)((char *)&bss_end - (char *)&bss_start));
  board_exit(main());
}

typedef void (*vector)(void);
__attribute__((section(".vectors"), used)) const vector vectors[16] = {
    (vector)&stack_top, reset, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault};

uint32_t board_stack_pointer(void) {
  uint32_t sp;
  __asm volatile("mov %0, sp" : "=r"(sp));
  return sp;
}

uint32_t board_stack_limit(void) { return (uint32_t)(uintptr_t)&bss_end; }

/* SysTick counts the processor's clock down from 2**24 - 1; its interrupt is not used, wraps are polled. */
#define TICKS ((volatile uint32_t *)0xE000E010)

void board_start_clock(void) {
  TICKS[1] = 0xFFFFFF;
  TICKS[2] = 0;
  TICKS[0] = 5;
}

uint32_t board_clock(void) { return 0xFFFFFF - TICKS[2]; }
