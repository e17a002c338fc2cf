/* What a node of the recursion over suffix lists is; shared by lists.c and distribute.c. */
#ifndef GESTALT_LISTS_H
#define GESTALT_LISTS_H

#include "matching.h"

/* Positions are those of the text: i for a, na + 1 + j for b. */
typedef struct {
    int32_t position;
    int32_t common; /* length in common with the suffix before it in the list; 0 for the first */
} Suffix;

typedef struct {
    int32_t position;
    int32_t run; /* index into runs */
} Start;

/* b starts of one longest substring, ascending; `next` moves on as the sweep goes right. */
typedef struct { int32_t next, end; } Run;

typedef struct {
    Piece piece;
    int32_t first, count; /* its suffixes: list[first : first + count] */
} Node;

/* What a child piece needs while the parent's list is distributed. */
typedef struct { int32_t common, last, in_a, in_b, end; } Child;

typedef struct {
    Pair *pair;
    int32_t b_origin; /* na + 1 */
    Suffix *list, *moved;
    Start *a_starts, *b_starts, *merged;
    Run *runs;
    Node *nodes;
    int32_t num_nodes;
    Child *children;
    int32_t *owner; /* child that a position belongs to */
    Suffix *lows;   /* running minima of `common`: increasing, with the list index where each was met */
} Lists;

static inline int32_t least(int32_t x, int32_t y) { return x < y ? x : y; }
static inline int32_t most(int32_t x, int32_t y) { return x > y ? x : y; }

/* Hands the list of a node that has been matched on to its children, which follow each other in `nodes` and whose
 * pieces are set; a child with suffixes of one sequence only gets none. */
void gestalt_distribute(Lists *lists, const Node *node, Node *nodes, int32_t num_children);

#endif
