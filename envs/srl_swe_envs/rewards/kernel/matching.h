/* Exact difflib matching of two sequences of 32-bit elements, in bounded time.
 *
 * difflib takes the longest common run of two ranges (ties: first in a, then first in b) and goes on with the ranges
 * left and right of it. Here all runs of that length are taken in one sweep over a, because left of the first of them
 * only shorter ones remain. The length then falls strictly from a range to the ranges inside it, and blocks on such
 * a path are disjoint, so the path is at most sqrt(2 * min(na, nb)) long: that bounds the time on any input.
 *
 * Two engines find the runs: bit sets for short sequences (bits.c), lists of suffixes in suffix order for others
 * (lists.c, distribute.c). Elements that cannot start a match (absent from the other sequence, or too frequent in b under autojunk)
 * have the id DEAD.
 */
#ifndef GESTALT_MATCHING_H
#define GESTALT_MATCHING_H

#include <stddef.h>
#include <stdint.h>

#define GESTALT_MAX_ELEMENTS (1 << 29) /* of both sequences together: positions and sums stay within int32 */
#define GESTALT_BITS_LIMIT 1024        /* words (rows of a times 64-bit columns of b) up to which bit sets are used */
#define DEAD (-1)

/* Memory that one thread reuses from pair to pair. */
typedef struct Workspace Workspace;
Workspace *gestalt_workspace_new(void);
void gestalt_workspace_free(Workspace *ws);

/* Bump allocation, released as a whole after each pair or back to a mark; NULL when memory runs out. */
void *gestalt_take(Workspace *ws, size_t count, size_t size);
typedef struct { void *chunk; size_t used; } Mark;
Mark gestalt_mark(const Workspace *ws);
void gestalt_release(Workspace *ws, Mark mark);

typedef struct { int32_t i, j, size; } Block; /* a[i:i+size] == b[j:j+size] */

/* Unmatched ranges, half open. */
typedef struct { int32_t alo, ahi, blo, bhi; } Piece;

typedef struct {
    Workspace *ws;
    const uint32_t *a, *b; /* elements as given, for growing blocks over elements that are DEAD but equal */
    int32_t na, nb;
    const int32_t *a_ids, *b_ids; /* 0 .. num_ids - 1, or DEAD */
    int32_t num_ids;
    int autojunk;
    int64_t matched; /* result: sum of the block sizes */
    Block *blocks;   /* result: room for min(na, nb) blocks in no particular order, or NULL when only the sum counts */
    int32_t num_blocks;
} Pair;

/* Matches a pair: 0, or -1 when memory ran out. bits_limit is GESTALT_BITS_LIMIT except in tests.
 * `blocks` may be NULL; ids need not be set. */
int gestalt_match(Pair *pair, int64_t bits_limit);

/* The engines: 0, or -1 when memory ran out. */
int gestalt_match_bits(Pair *pair);
int gestalt_match_lists(Pair *pair);

/* Records a block after growing it inside `piece` over equal elements that could not start a match, and returns it. */
Block gestalt_add_block(Pair *pair, Piece piece, Block block);

/* Suffix array of text[0 .. n-1] with values in 0 .. upper, and for every position the length it has in common with
 * the suffix before it in suffix order. text[n] must be readable and -1. 0, or -1 when memory ran out. */
int gestalt_suffix_array(Workspace *ws, const int32_t *text, int32_t n, int32_t upper, int32_t *suffixes);
int gestalt_common_lengths(Workspace *ws, const int32_t *text, int32_t n, const int32_t *suffixes, int32_t *lengths);

#endif
