/* Files and text of the host, over a debugger or QEMU. */

#ifndef SEMIHOSTING_H
#define SEMIHOSTING_H

#include <stddef.h>
#include <stdint.h>

/* Prints on the host. */
void print(const char *text);
void print_number(int32_t number);

/* What the host calls the program with, in `text`, which has so many bytes. */
const char *command_line(char *text, size_t bytes);

/* Opens a file of the host to be read; ends the program where there is none. */
int open_file(const char *name);

/* Fills `memory` with the next bytes; whether there were as many. */
int read_file(int handle, void *memory, size_t bytes);

/* Ends the program, with an error if the code is not 0. */
void stop(int code);

#endif
