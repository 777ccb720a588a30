#include "semihosting.h"

/* Operations of Arm's semihosting, version 2. */
enum { SYS_OPEN = 0x01, SYS_WRITE0 = 0x04, SYS_READ = 0x06, SYS_GET_CMDLINE = 0x15, SYS_EXIT_EXTENDED = 0x20 };

/* The reason of an exit that the program wants. */
enum { ADP_STOPPED_APPLICATION_EXIT = 0x20026 };

/* Asks the host. `block` points to the operation's arguments. */
static int32_t ask(int32_t operation, const void *block) {
  register int32_t r0 __asm__("r0") = operation;
  register const void *r1 __asm__("r1") = block;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

void print(const char *text) {
  ask(SYS_WRITE0, text);
}

void print_number(int32_t number) {
  char digits[12];
  char *first = digits + sizeof digits - 1;
  uint32_t rest = number < 0 ? 0 - (uint32_t)number : (uint32_t)number;
  *first = '\0';
  do {
    *--first = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest != 0);
  if (number < 0) {
    *--first = '-';
  }
  print(first);
}

const char *command_line(char *text, size_t bytes) {
  const struct {
    char *text;
    size_t bytes;
  } block = {text, bytes};
  text[0] = '\0';
  ask(SYS_GET_CMDLINE, &block);
  return text;
}

int open_file(const char *name) {
  size_t length = 0;
  while (name[length] != '\0') {
    length++;
  }
  /* Mode 1 is fopen's "rb". */
  const struct {
    const char *name;
    size_t mode;
    size_t length;
  } block = {name, 1, length};
  const int handle = (int)ask(SYS_OPEN, &block);
  if (handle < 0) {
    print("cannot be opened: ");
    print(name);
    print("\n");
    stop(1);
  }
  return handle;
}

int read_file(int handle, void *memory, size_t bytes) {
  const struct {
    size_t handle;
    void *memory;
    size_t bytes;
  } block = {(size_t)handle, memory, bytes};
  /* The answer is how many bytes are lacking. */
  return ask(SYS_READ, &block) == 0;
}

void stop(int code) {
  const size_t block[] = {ADP_STOPPED_APPLICATION_EXIT, (size_t)code};
  for (;;) {
    ask(SYS_EXIT_EXTENDED, block);
  }
}
