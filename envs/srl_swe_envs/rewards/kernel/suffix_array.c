/* Suffix sorting by induction (Nong, Zhang, Chan: SA-IS, 2009) and common lengths (Karkkainen, Manzini, Puglisi, 2009),
 * both in linear time whatever the text.
 *
 * A suffix is "small" when it is less than the one that starts after it, "leftmost small" when the one before it is
 * not small. Sorting the leftmost small ones, as letters of a text half as long, is enough to induce the order of all.
 */
#include "matching.h"

#include <string.h>

typedef struct {
    const int32_t *text;
    int32_t n;
    const unsigned char *small;
    const int32_t *large_starts, *small_starts; /* where each letter's large and small suffixes begin */
    size_t num_letters;
    int32_t *starts; /* room for a copy of either */
} Sorting;

/* Puts all suffixes in order, given the leftmost small ones in order. */
static void induce(const Sorting *s, const int32_t *leftmost, int32_t count, int32_t *suffixes)
{
    const int32_t *text = s->text;
    const unsigned char *small = s->small;
    int32_t n = s->n, *starts = s->starts;
    memset(suffixes, 0xff, (size_t)n * sizeof *suffixes);
    memcpy(starts, s->small_starts, s->num_letters * sizeof *starts);
    for (int32_t k = 0; k < count; k++)
        suffixes[starts[text[leftmost[k]]]++] = leftmost[k];
    memcpy(starts, s->large_starts, s->num_letters * sizeof *starts);
    suffixes[starts[text[n - 1]]++] = n - 1;
    for (int32_t k = 0; k < n; k++) {
        int32_t before = suffixes[k] - 1;
        if (before >= 0 && !small[before])
            suffixes[starts[text[before]]++] = before;
    }
    memcpy(starts, s->large_starts, s->num_letters * sizeof *starts);
    for (int32_t k = n - 1; k >= 0; k--) {
        int32_t before = suffixes[k] - 1;
        if (before >= 0 && small[before])
            suffixes[--starts[text[before] + 1]] = before;
    }
}

/* Names the leftmost small substrings by their order, equal ones alike; returns the greatest name.
 * rank[p] is the index of p among the leftmost small positions, which are listed in `leftmost`. */
static int32_t name_substrings(const Sorting *s, const int32_t *rank, const int32_t *leftmost, int32_t count,
                               const int32_t *sorted, int32_t *names)
{
    int32_t name = 0;
    names[rank[sorted[0]]] = 0;
    for (int32_t k = 1; k < count; k++) {
        int32_t p = sorted[k - 1], q = sorted[k];
        int32_t p_end = rank[p] + 1 < count ? leftmost[rank[p] + 1] : s->n;
        int32_t q_end = rank[q] + 1 < count ? leftmost[rank[q] + 1] : s->n;
        int same = p_end - p == q_end - q && p_end < s->n && q_end < s->n &&
                   !memcmp(s->text + p, s->text + q, (size_t)(p_end - p + 1) * sizeof *s->text);
        name += !same;
        names[rank[q]] = name;
    }
    return name;
}

/* Sorts the leftmost small suffixes among themselves; `suffixes` is room for all. */
static int sort_leftmost(Workspace *ws, const Sorting *s, int32_t *leftmost, int32_t count, int32_t *suffixes)
{
    Mark mark = gestalt_mark(ws);
    int32_t *rank = gestalt_take(ws, (size_t)s->n, sizeof *rank);
    int32_t *sorted = gestalt_take(ws, (size_t)count, sizeof *sorted);
    int32_t *names = gestalt_take(ws, (size_t)count + 1, sizeof *names);
    if (!rank || !sorted || !names)
        return -1;
    memset(rank, 0xff, (size_t)s->n * sizeof *rank);
    for (int32_t k = 0; k < count; k++)
        rank[leftmost[k]] = k;
    induce(s, leftmost, count, suffixes);
    for (int32_t k = 0, found = 0; k < s->n; k++)
        if (rank[suffixes[k]] >= 0)
            sorted[found++] = suffixes[k];
    int32_t greatest = name_substrings(s, rank, leftmost, count, sorted, names);
    names[count] = -1;
    if (greatest + 1 == count) {
        memcpy(leftmost, sorted, (size_t)count * sizeof *sorted);
    } else {
        int32_t *order = rank; /* no longer needed as ranks */
        if (gestalt_suffix_array(ws, names, count, greatest, order))
            return -1;
        for (int32_t k = 0; k < count; k++)
            sorted[k] = leftmost[order[k]];
        memcpy(leftmost, sorted, (size_t)count * sizeof *sorted);
    }
    gestalt_release(ws, mark);
    return 0;
}

int gestalt_suffix_array(Workspace *ws, const int32_t *text, int32_t n, int32_t upper, int32_t *suffixes)
{
    if (n <= 1) {
        suffixes[0] = 0;
        return 0;
    }
    Mark mark = gestalt_mark(ws);
    size_t num_letters = (size_t)upper + 2;
    unsigned char *small = gestalt_take(ws, (size_t)n, 1);
    int32_t *large_starts = gestalt_take(ws, 3 * num_letters, sizeof *large_starts);
    int32_t *leftmost = gestalt_take(ws, (size_t)n / 2 + 1, sizeof *leftmost);
    if (!small || !large_starts || !leftmost)
        return -1;
    int32_t *small_starts = large_starts + num_letters;
    memset(large_starts, 0, 3 * num_letters * sizeof *large_starts);
    int32_t count = 0;
    small[n - 1] = 0;
    for (int32_t p = n - 2; p >= 0; p--)
        small[p] = text[p] == text[p + 1] ? small[p + 1] : text[p] < text[p + 1];
    for (int32_t p = 0; p < n; p++) {
        if (small[p])
            large_starts[text[p] + 1]++;
        else
            small_starts[text[p]]++;
        if (p && small[p] && !small[p - 1])
            leftmost[count++] = p;
    }
    for (size_t letter = 0; letter < num_letters; letter++) {
        small_starts[letter] += large_starts[letter];
        if (letter + 1 < num_letters)
            large_starts[letter + 1] += small_starts[letter];
    }
    Sorting sorting = {text, n, small, large_starts, small_starts, num_letters, small_starts + num_letters};
    if (count && sort_leftmost(ws, &sorting, leftmost, count, suffixes))
        return -1;
    induce(&sorting, leftmost, count, suffixes);
    gestalt_release(ws, mark);
    return 0;
}

int gestalt_common_lengths(Workspace *ws, const int32_t *text, int32_t n, const int32_t *suffixes, int32_t *lengths)
{
    Mark mark = gestalt_mark(ws);
    int32_t *before = gestalt_take(ws, (size_t)n, sizeof *before);
    if (!before)
        return -1;
    before[suffixes[0]] = -1;
    for (int32_t k = 1; k < n; k++)
        before[suffixes[k]] = suffixes[k - 1];
    int32_t length = 0;
    for (int32_t p = 0; p < n; p++) {
        int32_t q = before[p];
        if (q < 0) {
            length = 0;
        } else { /* text[n] == -1 ends the longer one */
            while (text[p + length] == text[q + length])
                length++;
        }
        lengths[p] = length;
        length -= length > 0;
    }
    gestalt_release(ws, mark);
    return 0;
}
