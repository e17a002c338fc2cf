/* Matching by lists of suffixes, for sequences too long for bit sets.
 *
 * Both sequences are joined into one text and its suffixes are sorted once. A node of the recursion owns the suffixes
 * that start in its piece, in suffix order, each with the length it has in common with its neighbour before it; the
 * lists of the pieces inside are stable selections from it. Everything at a node is linear in its list, but for
 * sorting the starts that share the longest length.
 */
#include "matching.h"

#include <string.h>

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

/* Length of the longest match in a node.
 *
 * For every suffix: the best of those before it in the list, from the other sequence. The best so far is kept as a
 * length already cut to what is left of its piece and to what all suffixes since have in common, which is exact
 * because min distributes over max. */
static int32_t longest(const Lists *lists, const Node *node)
{
    int32_t na = lists->pair->na;
    int32_t a_end = node->piece.ahi, b_end = node->piece.bhi + lists->b_origin;
    int32_t best = 0, best_a = 0, best_b = 0;
    const Suffix *suffix = lists->list + node->first, *end = suffix + node->count;
    for (; suffix < end; suffix++) {
        int32_t in_b = -(suffix->position > na); /* all ones or zero: the order of a and b is not predictable */
        int32_t left = ((b_end & in_b) | (a_end & ~in_b)) - suffix->position;
        best_a = least(best_a, suffix->common);
        best_b = least(best_b, suffix->common);
        best = most(best, least(left, (best_a & in_b) | (best_b & ~in_b)));
        best_a = most(best_a, left & ~in_b);
        best_b = most(best_b, left & in_b);
    }
    return best;
}

/* Sorts by position; `room` has the same size. */
static void sort_starts(Start *starts, int32_t count, Start *room)
{
    enum { SHORT = 16 };
    for (int32_t low = 0; low < count; low += SHORT) {
        int32_t high = least(low + SHORT, count);
        for (int32_t k = low + 1; k < high; k++) {
            Start start = starts[k];
            int32_t at = k;
            for (; at > low && starts[at - 1].position > start.position; at--)
                starts[at] = starts[at - 1];
            starts[at] = start;
        }
    }
    for (int32_t width = SHORT; width < count; width *= 2) {
        for (int32_t low = 0; low < count; low += 2 * width) {
            int32_t middle = least(low + width, count), high = least(low + 2 * width, count);
            int32_t left = low, right = middle;
            for (int32_t k = low; k < high; k++) {
                int take_left = left < middle && (right == high || starts[left].position <= starts[right].position);
                room[k] = starts[take_left ? left++ : right++];
            }
        }
        memcpy(starts, room, (size_t)count * sizeof *starts);
    }
}

/* Collects the starts of matches of the longest length: those in a by position, those in b by run and position.
 * Returns how many there are in a. */
static int32_t collect_starts(Lists *lists, const Node *node, int32_t length)
{
    int32_t na = lists->pair->na;
    int32_t last_a = node->piece.ahi - length, last_b = node->piece.bhi + lists->b_origin - length;
    const Suffix *list = lists->list + node->first;
    int32_t num_a = 0, num_b = 0, num_runs = 0, k = 1;
    for (;;) {
        while (k < node->count && list[k].common < length)
            k++;
        if (k >= node->count)
            break;
        int32_t first_a = num_a, first_b = num_b;
        int32_t at = k - 1;
        do { /* the suffix before the first common one belongs to the run too */
            int32_t position = list[at].position;
            if (position > na) {
                if (position <= last_b)
                    lists->b_starts[num_b++] = (Start){position, num_runs};
            } else if (position <= last_a) {
                lists->a_starts[num_a++] = (Start){position, num_runs};
            }
            at++;
        } while (at < node->count && list[at].common >= length);
        k = at + 1;
        if (num_a == first_a || num_b == first_b) {
            num_a = first_a;
            num_b = first_b;
        } else {
            sort_starts(lists->b_starts + first_b, num_b - first_b, lists->merged);
            lists->runs[num_runs++] = (Run){first_b, num_b};
        }
    }
    sort_starts(lists->a_starts, num_a, lists->merged);
    return num_a;
}

/* Pushes a piece as a child, unless nothing can match in it. */
static void push(Lists *lists, Piece piece)
{
    if (piece.alo < piece.ahi && piece.blo < piece.bhi)
        lists->nodes[lists->num_nodes++].piece = piece;
}

/* Takes the matches of the longest length from left to right and pushes the pieces between them. */
static void sweep(Lists *lists, Piece piece, int32_t num_a, int32_t length)
{
    int32_t origin = lists->b_origin;
    for (int32_t k = 0; k < num_a; k++) {
        Start start = lists->a_starts[k];
        Run *run = &lists->runs[start.run];
        if (start.position < piece.alo)
            continue;
        while (run->next < run->end && lists->b_starts[run->next].position < piece.blo + origin)
            run->next++;
        if (run->next == run->end)
            continue;
        Block block = {start.position, lists->b_starts[run->next].position - origin, length};
        block = gestalt_add_block(lists->pair, piece, block);
        push(lists, (Piece){piece.alo, block.i, piece.blo, block.j});
        piece.alo = block.i + block.size;
        piece.blo = block.j + block.size;
    }
    push(lists, piece);
}

/* Distributes a node's list over one or two children: the common case, without the tables of `distribute`. */
static void distribute_two(Lists *lists, const Node *node, Node *nodes, int32_t num_children)
{
    int32_t na = lists->pair->na, origin = lists->b_origin;
    Piece left = nodes[0].piece, right = num_children > 1 ? nodes[1].piece : (Piece){0, 0, 0, 0};
    int32_t left_common = 0, right_common = 0, in_a[2] = {0, 0}, count[2] = {0, 0};
    Suffix *list = lists->list + node->first, *moved = lists->moved;
    for (int32_t k = 0; k < node->count; k++) {
        Suffix suffix = list[k];
        int32_t in_b = -(suffix.position > na);
        int32_t at = suffix.position - (origin & in_b);
        uint32_t left_low = (uint32_t)((left.alo & ~in_b) | (left.blo & in_b));
        uint32_t left_size = (uint32_t)((left.ahi & ~in_b) | (left.bhi & in_b)) - left_low;
        uint32_t right_low = (uint32_t)((right.alo & ~in_b) | (right.blo & in_b));
        uint32_t right_size = (uint32_t)((right.ahi & ~in_b) | (right.bhi & in_b)) - right_low;
        left_common = least(left_common, suffix.common);
        right_common = least(right_common, suffix.common);
        int32_t in_left = (uint32_t)at - left_low < left_size, in_right = (uint32_t)at - right_low < right_size;
        list[count[0]] = (Suffix){suffix.position, left_common}; /* overwritten unless it counts */
        moved[count[1]] = (Suffix){suffix.position, right_common};
        count[0] += in_left;
        count[1] += in_right;
        in_a[0] += in_left & ~in_b;
        in_a[1] += in_right & ~in_b;
        left_common = in_left ? INT32_MAX : left_common;
        right_common = in_right ? INT32_MAX : right_common;
    }
    for (int32_t c = 0; c < num_children; c++)
        count[c] = in_a[c] == 0 || in_a[c] == count[c] ? 0 : count[c];
    memcpy(list + count[0], moved, (size_t)count[1] * sizeof *list);
    nodes[0].first = node->first;
    nodes[0].count = count[0];
    if (num_children > 1) {
        nodes[1].first = node->first + count[0];
        nodes[1].count = count[1];
    }
}

/* Least `common` after list index `last`: the lowest of the running minima met later than that. */
static int32_t least_since(const Suffix *lows, int32_t num_lows, int32_t last)
{
    int32_t low = 0, high = num_lows - 1;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (lows[middle].position > last)
            high = middle;
        else
            low = middle + 1;
    }
    return lows[low].common;
}

/* Says for every position of a node which child it belongs to, and how many suffixes each child gets. */
static void assign(Lists *lists, const Node *node, const Node *nodes, int32_t num_children)
{
    int32_t origin = lists->b_origin, *owner = lists->owner;
    Piece whole = node->piece;
    memset(owner + whole.alo, 0xff, (size_t)(whole.ahi - whole.alo) * sizeof *owner);
    memset(owner + origin + whole.blo, 0xff, (size_t)(whole.bhi - whole.blo) * sizeof *owner);
    for (int32_t c = 0; c < num_children; c++) {
        Piece piece = nodes[c].piece;
        for (int32_t i = piece.alo; i < piece.ahi; i++)
            owner[i] = c;
        for (int32_t j = piece.blo; j < piece.bhi; j++)
            owner[origin + j] = c;
        lists->children[c] = (Child){0, -1, 0, 0, 0};
    }
    for (int32_t k = 0; k < node->count; k++) {
        int32_t position = lists->list[node->first + k].position, c = owner[position];
        if (c >= 0) {
            lists->children[c].in_a += position < origin;
            lists->children[c].in_b += position >= origin;
        }
    }
}

/* Distributes a node's list over any number of children. */
static void distribute(Lists *lists, const Node *node, Node *nodes, int32_t num_children)
{
    Child *children = lists->children;
    Suffix *list = lists->list + node->first, *lows = lists->lows;
    assign(lists, node, nodes, num_children);
    int32_t total = 0;
    for (int32_t c = 0; c < num_children; c++) {
        int32_t count = children[c].in_a && children[c].in_b ? children[c].in_a + children[c].in_b : 0;
        nodes[c].first = node->first + total;
        nodes[c].count = count;
        children[c].end = total;
        total += count;
    }
    int32_t num_lows = 0;
    for (int32_t k = 0; k < node->count; k++) {
        while (num_lows && lows[num_lows - 1].common >= list[k].common)
            num_lows--;
        lows[num_lows++] = (Suffix){k, list[k].common};
        int32_t c = lists->owner[list[k].position];
        if (c < 0 || !nodes[c].count)
            continue;
        int32_t common = children[c].last < 0 ? 0 : least_since(lows, num_lows, children[c].last);
        lists->moved[children[c].end++] = (Suffix){list[k].position, common};
        children[c].last = k;
    }
    memcpy(list, lists->moved, (size_t)total * sizeof *list);
}

/* Matches one node and replaces it by its children. */
static void split(Lists *lists, Node node)
{
    Pair *pair = lists->pair;
    int32_t first_child = lists->num_nodes, length = longest(lists, &node);
    if (!length) { /* under autojunk equal elements at the start of a piece still match */
        gestalt_add_block(pair, node.piece, (Block){node.piece.alo, node.piece.blo, 0});
        return;
    }
    sweep(lists, node.piece, collect_starts(lists, &node, length), length);
    Node *nodes = lists->nodes + first_child;
    int32_t num_children = lists->num_nodes - first_child;
    if (!num_children)
        return;
    if (num_children <= 2)
        distribute_two(lists, &node, nodes, num_children);
    else
        distribute(lists, &node, nodes, num_children);
    int32_t kept = 0;
    for (int32_t c = 0; c < num_children; c++)
        if (nodes[c].count || pair->autojunk)
            nodes[kept++] = nodes[c];
    lists->num_nodes = first_child + kept;
}

/* The text: 0 between the sequences, 1 and 2 for the dead elements of a and of b, which so never match. */
static int root_list(Lists *lists, Node *root)
{
    Pair *pair = lists->pair;
    int32_t na = pair->na, n = na + 1 + pair->nb, kept = 0, common = 0;
    Mark mark = gestalt_mark(pair->ws);
    int32_t *text = gestalt_take(pair->ws, (size_t)n + 1, sizeof *text);
    int32_t *suffixes = gestalt_take(pair->ws, (size_t)n, sizeof *suffixes);
    int32_t *lengths = gestalt_take(pair->ws, (size_t)n, sizeof *lengths);
    if (!text || !suffixes || !lengths)
        return -1;
    for (int32_t i = 0; i < na; i++)
        text[i] = pair->a_ids[i] == DEAD ? 1 : pair->a_ids[i] + 3;
    text[na] = 0;
    for (int32_t j = 0; j < pair->nb; j++)
        text[na + 1 + j] = pair->b_ids[j] == DEAD ? 2 : pair->b_ids[j] + 3;
    text[n] = -1;
    if (gestalt_suffix_array(pair->ws, text, n, pair->num_ids + 2, suffixes) ||
        gestalt_common_lengths(pair->ws, text, n, suffixes, lengths))
        return -1;
    for (int32_t k = 0; k < n; k++) {
        common = least(common, lengths[suffixes[k]]);
        if (text[suffixes[k]] > 2) {
            lists->list[kept++] = (Suffix){suffixes[k], common};
            common = INT32_MAX;
        }
    }
    *root = (Node){{0, na, 0, pair->nb}, 0, kept};
    gestalt_release(pair->ws, mark);
    return 0;
}

int gestalt_match_lists(Pair *pair)
{
    Workspace *ws = pair->ws;
    size_t n = (size_t)pair->na + 1 + (size_t)pair->nb, pieces = (size_t)least(pair->na, pair->nb) + 2;
    Lists lists = {.pair = pair, .b_origin = pair->na + 1};
    lists.list = gestalt_take(ws, n, sizeof *lists.list);
    lists.moved = gestalt_take(ws, n, sizeof *lists.moved);
    lists.a_starts = gestalt_take(ws, n, sizeof *lists.a_starts);
    lists.b_starts = gestalt_take(ws, n, sizeof *lists.b_starts);
    lists.merged = gestalt_take(ws, n, sizeof *lists.merged);
    lists.runs = gestalt_take(ws, n / 2 + 1, sizeof *lists.runs);
    lists.nodes = gestalt_take(ws, pieces, sizeof *lists.nodes);
    lists.children = gestalt_take(ws, pieces, sizeof *lists.children);
    lists.owner = gestalt_take(ws, n, sizeof *lists.owner);
    lists.lows = gestalt_take(ws, n, sizeof *lists.lows);
    if (!lists.list || !lists.moved || !lists.a_starts || !lists.b_starts || !lists.merged || !lists.runs ||
        !lists.nodes || !lists.children || !lists.owner || !lists.lows || root_list(&lists, &lists.nodes[0]))
        return -1;
    lists.num_nodes = 1;
    while (lists.num_nodes) {
        Node node = lists.nodes[--lists.num_nodes];
        split(&lists, node);
    }
    return 0;
}
