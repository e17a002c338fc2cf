/* Children's lists: stable selections from their parent's, with the lengths in common across what was left out. */
#include "lists.h"

#include <string.h>

/* Distributes a node's list over one or two children: the common case, without the tables of `distribute_many`. */
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
static void distribute_many(Lists *lists, const Node *node, Node *nodes, int32_t num_children)
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

void gestalt_distribute(Lists *lists, const Node *node, Node *nodes, int32_t num_children)
{
    if (num_children <= 2)
        distribute_two(lists, node, nodes, num_children);
    else
        distribute_many(lists, node, nodes, num_children);
}
