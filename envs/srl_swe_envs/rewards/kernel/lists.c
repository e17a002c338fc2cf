/* Matching by lists of suffixes, for sequences too long for bit sets.
 *
 * Both sequences are joined into one text and its suffixes are sorted once. A node of the recursion owns the suffixes
 * that start in its piece, in suffix order, each with the length it has in common with its neighbour before it; the
 * lists of the pieces inside are stable selections from it. Everything at a node is linear in its list, but for
 * sorting the starts that share the longest length.
 */
#include "lists.h"

#include <string.h>

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
    gestalt_distribute(lists, &node, nodes, num_children);
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
