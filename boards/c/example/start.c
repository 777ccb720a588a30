/* What a Cortex-M4F does after reset: vectors, FPU, memory, main. */

#include <stdint.h>

#include "semihosting.h"

int main(void);

/* From the linker script. */
extern uint32_t stack_top[], data_begin[], data_end[], data_in_flash[], bss_begin[], bss_end[];

void reset(void);

static void fault(void) {
  print("a fault\n");
  stop(2);
}

/* The stack, then reset, NMI and the faults. */
__attribute__((section(".vectors"), used)) static const struct {
  const uint32_t *stack;
  void (*handlers[6])(void);
} vectors = {stack_top, {reset, fault, fault, fault, fault, fault}};

void reset(void) {
  /* Coprocessors 10 and 11 are the FPU, whose registers the compiler uses from here on. */
  *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20;
  __asm__ volatile("dsb\n isb" ::: "memory");
  for (uint32_t *word = data_begin, *from = data_in_flash; word < data_end;) {
    *word++ = *from++;
  }
  for (uint32_t *word = bss_begin; word < bss_end;) {
    *word++ = 0;
  }
  stop(main());
}
