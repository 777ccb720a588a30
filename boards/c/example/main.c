/*
 * Shows a network the frames in a file, each in three ways: as a whole, row by row as a sensor delivers them, and a
 * step at a time between other work. Prints the class and the scores of each; ends with an error where the ways differ.
 */

#include "microception.h"
#include "semihosting.h"

/* Zeros, as the network has to be before microception_init; the arena may hold anything. */
static MicroceptionNetwork network;
static MicroceptionArena arena;
static MicroceptionInput frame[MICROCEPTION_INPUT_ELEMENTS];

static const char *const labels[] = MICROCEPTION_LABELS;

/* An answer that is no error ends nothing. */
static void check(MicroceptionStatus status, const char *what) {
  if (status < 0) {
    print(what);
    print(" fails: ");
    print_number(status);
    print("\n");
    stop(1);
  }
}

static void predict_rows(MicroceptionOutput *scores) {
  const MicroceptionInput *row = frame;
  MicroceptionStatus status = microception_reset(&network);
  check(status, "microception_reset");
  while (status != MICROCEPTION_STATUS_COMPLETE) {
    status = microception_push_row(&network, row, scores);
    check(status, "microception_push_row");
    row += MICROCEPTION_INPUT_ROW_ELEMENTS;
  }
}

static void predict_steps(MicroceptionOutput *scores) {
  const MicroceptionInput *row = frame;
  MicroceptionStatus status = MICROCEPTION_STATUS_NEEDS_ROW;
  check(microception_reset(&network), "microception_reset");
  while (status != MICROCEPTION_STATUS_COMPLETE) {
    if (status == MICROCEPTION_STATUS_NEEDS_ROW) {
      check(microception_begin_row(&network, row), "microception_begin_row");
      row += MICROCEPTION_INPUT_ROW_ELEMENTS;
    }
    status = microception_step(&network);
    check(status, "microception_step");
  }
  check(microception_output(&network, scores), "microception_output");
}

int main(void) {
  char file[256];
  MicroceptionOutput scores[MICROCEPTION_OUTPUT_ELEMENTS], by_rows[MICROCEPTION_OUTPUT_ELEMENTS];
  MicroceptionOutput by_steps[MICROCEPTION_OUTPUT_ELEMENTS];

  check(microception_init(&network, &arena, sizeof arena, MICROCEPTION_MODEL_ID), "microception_init");
  for (int handle = open_file(command_line(file, sizeof file)); read_file(handle, frame, sizeof frame);) {
    size_t best = 0;
    check(microception_predict(&network, frame, scores), "microception_predict");
    predict_rows(by_rows);
    predict_steps(by_steps);
    for (size_t i = 0; i < MICROCEPTION_OUTPUT_ELEMENTS; i++) {
      if (by_rows[i] != scores[i] || by_steps[i] != scores[i]) {
        print("the three ways differ\n");
        stop(1);
      }
      if (scores[i] > scores[best]) {
        best = i;
      }
    }
    print(best < sizeof labels / sizeof labels[0] && labels[best] != NULL ? labels[best] : "");
    print(":");
    for (size_t i = 0; i < MICROCEPTION_OUTPUT_ELEMENTS; i++) {
      print(" ");
      print_number((int32_t)scores[i]);
    }
    print("\n");
  }
  return 0;
}
