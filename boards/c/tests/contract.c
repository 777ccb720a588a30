/*
 * What microception.h promises, on the host: error codes, and the same scores in every way to run. Then prints the
 * class and the scores of each frame in the file that it is called with, if it is.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "microception.h"

#define EXPECT(condition)                                                    \
  do {                                                                       \
    if (!(condition)) {                                                      \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                               \
    }                                                                        \
  } while (0)

enum { SCORES = MICROCEPTION_OUTPUT_ELEMENTS, ROW = MICROCEPTION_INPUT_ROW_ELEMENTS };

/* What must stay as it is, around what may be written. */
typedef struct {
  unsigned char before[16];
  MicroceptionArena arena;
  unsigned char behind[16];
} GuardedArena;

typedef struct {
  MicroceptionOutput before[4];
  MicroceptionOutput scores[SCORES];
  MicroceptionOutput behind[4];
} GuardedScores;

static MicroceptionNetwork network;
static GuardedArena memory;
static MicroceptionInput frame[MICROCEPTION_INPUT_ELEMENTS];
static GuardedScores whole, other;
static const char *const labels[] = MICROCEPTION_LABELS;

static void expect_untouched(void) {
  unsigned char guard[16];
  memset(guard, 0xA5, sizeof guard);
  EXPECT(memcmp(memory.before, guard, sizeof guard) == 0 && memcmp(memory.behind, guard, sizeof guard) == 0);
  for (size_t i = 0; i < 2; i++) {
    const GuardedScores *scores = i == 0 ? &whole : &other;
    EXPECT(memcmp(scores->before, guard, sizeof scores->before) == 0);
    EXPECT(memcmp(scores->behind, guard, sizeof scores->behind) == 0);
  }
}

static void expect_same(void) {
  EXPECT(memcmp(whole.scores, other.scores, sizeof whole.scores) == 0);
  memset(other.scores, 0xA5, sizeof other.scores);
  expect_untouched();
}

/* All calls but init answer so. */
static void expect_all(MicroceptionNetwork *where, MicroceptionStatus status) {
  EXPECT(microception_predict(where, frame, whole.scores) == status);
  EXPECT(microception_push_row(where, frame, whole.scores) == status);
  EXPECT(microception_begin_row(where, frame) == status);
  EXPECT(microception_step(where) == status);
  EXPECT(microception_output(where, whole.scores) == status);
  EXPECT(microception_reset(where) == status);
}

static MicroceptionStatus init(MicroceptionNetwork *where, void *arena, size_t bytes) {
  return microception_init(where, arena, bytes, MICROCEPTION_MODEL_ID);
}

static void what_init_refuses(void) {
  union {
    MicroceptionNetwork aligned;
    unsigned char bytes[sizeof(MicroceptionNetwork) + 1];
  } shifted;
  memset(&shifted, 0, sizeof shifted);
  MicroceptionNetwork *const beside = (MicroceptionNetwork *)(void *)(shifted.bytes + 1);
  const size_t bytes = sizeof memory.arena;

  expect_all(&network, MICROCEPTION_STATUS_NOT_INITIALIZED);
  expect_all(NULL, MICROCEPTION_STATUS_NULL_POINTER);
  expect_all(beside, MICROCEPTION_STATUS_MISALIGNED);
  const uint32_t other_model = MICROCEPTION_MODEL_ID + 1;
  EXPECT(microception_init(&network, &memory.arena, bytes, other_model) == MICROCEPTION_STATUS_OTHER_MODEL);
  EXPECT(init(NULL, &memory.arena, bytes) == MICROCEPTION_STATUS_NULL_POINTER);
  EXPECT(init(&network, NULL, bytes) == MICROCEPTION_STATUS_NULL_POINTER);
  EXPECT(init(beside, &memory.arena, bytes) == MICROCEPTION_STATUS_MISALIGNED);
  EXPECT(init(&network, (char *)&memory.arena + 4, bytes) == MICROCEPTION_STATUS_MISALIGNED);
  EXPECT(init(&network, &memory.arena, MICROCEPTION_ARENA_BYTES - 1) == MICROCEPTION_STATUS_TOO_SMALL);
  expect_all(&network, MICROCEPTION_STATUS_NOT_INITIALIZED);
  EXPECT(init(&network, &memory.arena, MICROCEPTION_ARENA_BYTES) == MICROCEPTION_STATUS_OK);
  expect_untouched();
}

static void what_calls_refuse(void) {
  EXPECT(microception_predict(&network, NULL, whole.scores) == MICROCEPTION_STATUS_NULL_POINTER);
  EXPECT(microception_predict(&network, frame, NULL) == MICROCEPTION_STATUS_NULL_POINTER);
  EXPECT(microception_push_row(&network, NULL, whole.scores) == MICROCEPTION_STATUS_NULL_POINTER);
  EXPECT(microception_push_row(&network, frame, NULL) == MICROCEPTION_STATUS_NULL_POINTER);
  EXPECT(microception_begin_row(&network, NULL) == MICROCEPTION_STATUS_NULL_POINTER);
  EXPECT(microception_output(&network, NULL) == MICROCEPTION_STATUS_NULL_POINTER);
  EXPECT(microception_output(&network, whole.scores) == MICROCEPTION_STATUS_NOT_READY);
#if MICROCEPTION_INPUT_ELEMENT == MICROCEPTION_ELEMENT_F32
  const MicroceptionInput *const shifted = (const MicroceptionInput *)(const void *)((const char *)frame + 1);
  EXPECT(microception_predict(&network, shifted, whole.scores) == MICROCEPTION_STATUS_MISALIGNED);
  EXPECT(microception_push_row(&network, shifted, whole.scores) == MICROCEPTION_STATUS_MISALIGNED);
  EXPECT(microception_begin_row(&network, shifted) == MICROCEPTION_STATUS_MISALIGNED);
#endif
#if MICROCEPTION_OUTPUT_ELEMENT == MICROCEPTION_ELEMENT_F32
  MicroceptionOutput *const moved = (MicroceptionOutput *)(void *)((char *)whole.scores + 1);
  EXPECT(microception_predict(&network, frame, moved) == MICROCEPTION_STATUS_MISALIGNED);
  EXPECT(microception_output(&network, moved) == MICROCEPTION_STATUS_MISALIGNED);
#endif
  /* None of these has taken a row. */
  EXPECT(microception_step(&network) == MICROCEPTION_STATUS_NEEDS_ROW);
  expect_untouched();
}

/* Whole, by rows, and by rows that go in until one is refused, then steps until one is wanted. */
static void run_in_all_ways(void) {
  size_t row, refused = 0;

  EXPECT(microception_predict(&network, frame, whole.scores) == MICROCEPTION_STATUS_OK);
  EXPECT(microception_output(&network, other.scores) == MICROCEPTION_STATUS_OK);
  expect_same();

  EXPECT(microception_reset(&network) == MICROCEPTION_STATUS_OK);
  for (row = 0; row + 1 < MICROCEPTION_INPUT_ROWS; row++) {
    EXPECT(microception_push_row(&network, frame + row * ROW, other.scores) == MICROCEPTION_STATUS_NEEDS_ROW);
    EXPECT(microception_output(&network, other.scores) == MICROCEPTION_STATUS_NOT_READY);
  }
  EXPECT(microception_push_row(&network, frame + row * ROW, other.scores) == MICROCEPTION_STATUS_COMPLETE);
  EXPECT(microception_step(&network) == MICROCEPTION_STATUS_COMPLETE);
  expect_same();

  EXPECT(microception_reset(&network) == MICROCEPTION_STATUS_OK);
  for (row = 0; row < MICROCEPTION_INPUT_ROWS;) {
    MicroceptionStatus status = microception_begin_row(&network, frame + row * ROW);
    if (status == MICROCEPTION_STATUS_OK) {
      row++;
      continue;
    }
    EXPECT(status == MICROCEPTION_STATUS_NOT_READY);
    EXPECT(microception_push_row(&network, frame + row * ROW, other.scores) == MICROCEPTION_STATUS_NOT_READY);
    refused++;
    while ((status = microception_step(&network)) == MICROCEPTION_STATUS_RAN) {
    }
    EXPECT(status == MICROCEPTION_STATUS_NEEDS_ROW);
  }
  EXPECT(refused > 0);
  while (microception_step(&network) == MICROCEPTION_STATUS_RAN) {
  }
  EXPECT(microception_output(&network, other.scores) == MICROCEPTION_STATUS_OK);
  expect_same();
}

static void print_scores(void) {
  size_t best = 0;
  for (size_t i = 1; i < SCORES; i++) {
    best = whole.scores[i] > whole.scores[best] ? i : best;
  }
  printf("%s:", best < sizeof labels / sizeof labels[0] && labels[best] != NULL ? labels[best] : "");
  for (size_t i = 0; i < SCORES; i++) {
    printf(" %.9g", (double)whole.scores[i]);
  }
  printf("\n");
}

int main(int count, char **arguments) {
  memset(&memory, 0xA5, sizeof memory);
  memset(&whole, 0xA5, sizeof whole);
  memset(&other, 0xA5, sizeof other);
  what_init_refuses();
  what_calls_refuse();
  for (size_t i = 0; i < MICROCEPTION_INPUT_ELEMENTS; i++) {
    frame[i] = (MicroceptionInput)(i * 37 % 127);
  }
  run_in_all_ways();
  if (count > 1) {
    FILE *const file = fopen(arguments[1], "rb");
    EXPECT(file != NULL);
    while (fread(frame, sizeof frame, 1, file) == 1) {
      run_in_all_ways();
      print_scores();
    }
    fclose(file);
  }
  return 0;
}
