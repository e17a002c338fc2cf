/* Many pairs on many threads, without the interpreter. */
#ifndef GESTALT_BATCH_H
#define GESTALT_BATCH_H

#include "matching.h"

typedef struct {
    uint32_t *elements;
    int32_t count;
    int owned; /* whether this one frees the elements */
} Sequence;

Pair gestalt_pair(Workspace *ws, const Sequence *a, const Sequence *b, int autojunk);

/* 2M / T of a matched pair; 1.0 for two empty sequences. */
double gestalt_ratio(const Pair *pair);

/* Writes ratios[k] of a[k] and b[k] for all k below `count`: 0, or -1 when memory ran out. Threads that cannot be had
 * are done without. */
int gestalt_ratios(const Sequence *a, const Sequence *b, double *ratios, size_t count, int autojunk,
                   int64_t bits_limit, long num_threads);

#endif
