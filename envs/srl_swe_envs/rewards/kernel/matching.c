#include "matching.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_BITS 8
#define PAGE_SIZE (1 << PAGE_BITS)
#define NUM_PAGES (0x110000 >> PAGE_BITS) /* code points; greater elements are numbered by sorting */
#define FIRST_CHUNK ((size_t)1 << 14)

typedef struct Chunk {
    struct Chunk *before;
    size_t capacity;
    /* the memory follows, aligned to 16 */
} Chunk;
#define CHUNK_HEADER ((sizeof(Chunk) + 15) & ~(size_t)15)

struct Workspace {
    Chunk *chunk;
    size_t used;
};

Workspace *gestalt_workspace_new(void)
{
    return calloc(1, sizeof(Workspace));
}

static void free_chunks(Workspace *ws, const Chunk *keep)
{
    while (ws->chunk != keep) {
        Chunk *before = ws->chunk->before;
        free(ws->chunk);
        ws->chunk = before;
    }
}

void gestalt_workspace_free(Workspace *ws)
{
    if (ws) {
        free_chunks(ws, NULL);
        free(ws);
    }
}

void *gestalt_take(Workspace *ws, size_t count, size_t size)
{
    size_t bytes = (count * size + 15) & ~(size_t)15;
    if (!ws->chunk || ws->used + bytes > ws->chunk->capacity) {
        size_t capacity = ws->chunk ? 2 * ws->chunk->capacity : FIRST_CHUNK;
        if (capacity < bytes)
            capacity = bytes;
        Chunk *chunk = malloc(CHUNK_HEADER + capacity);
        if (!chunk)
            return NULL;
        chunk->before = ws->chunk;
        chunk->capacity = capacity;
        ws->chunk = chunk;
        ws->used = 0;
    }
    void *memory = (char *)ws->chunk + CHUNK_HEADER + ws->used;
    ws->used += bytes;
    return memory;
}

Mark gestalt_mark(const Workspace *ws)
{
    return (Mark){ws->chunk, ws->used};
}

void gestalt_release(Workspace *ws, Mark mark)
{
    free_chunks(ws, mark.chunk);
    ws->used = mark.used;
}

/* Empties the workspace but keeps its largest chunk, which is the newest one. */
static void reset(Workspace *ws)
{
    if (ws->chunk && ws->chunk->before) {
        Chunk *newest = ws->chunk;
        ws->chunk = newest->before;
        free_chunks(ws, NULL);
        newest->before = NULL;
        ws->chunk = newest;
    }
    ws->used = 0;
}

Block gestalt_add_block(Pair *pair, Piece piece, Block block)
{
    if (pair->autojunk) {
        const uint32_t *a = pair->a, *b = pair->b;
        while (block.i > piece.alo && block.j > piece.blo && a[block.i - 1] == b[block.j - 1]) {
            block.i--;
            block.j--;
            block.size++;
        }
        while (block.i + block.size < piece.ahi && block.j + block.size < piece.bhi &&
               a[block.i + block.size] == b[block.j + block.size])
            block.size++;
    }
    if (block.size) {
        pair->matched += block.size;
        if (pair->blocks)
            pair->blocks[pair->num_blocks++] = block;
    }
    return block;
}

static int by_value(const void *left, const void *right)
{
    uint32_t x = *(const uint32_t *)left, y = *(const uint32_t *)right;
    return (x > y) - (x < y);
}

static int32_t find(const uint32_t *sorted, int32_t count, uint32_t value)
{
    int32_t low = 0, high = count;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (sorted[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && sorted[low] == value ? low : DEAD;
}

/* Numbers the distinct elements of b; elements of a that b lacks are DEAD. -1 when memory ran out. */
static int32_t number_by_sorting(const Pair *pair, int32_t *a_ids, int32_t *b_ids)
{
    uint32_t *sorted = gestalt_take(pair->ws, (size_t)pair->nb, sizeof *sorted);
    if (!sorted)
        return -1;
    memcpy(sorted, pair->b, (size_t)pair->nb * sizeof *sorted);
    qsort(sorted, (size_t)pair->nb, sizeof *sorted, by_value);
    int32_t distinct = 0;
    for (int32_t j = 0; j < pair->nb; j++)
        if (!j || sorted[j] != sorted[j - 1])
            sorted[distinct++] = sorted[j];
    for (int32_t i = 0; i < pair->na; i++)
        a_ids[i] = find(sorted, distinct, pair->a[i]);
    for (int32_t j = 0; j < pair->nb; j++)
        b_ids[j] = find(sorted, distinct, pair->b[j]);
    return distinct;
}

static int32_t *new_page(Workspace *ws)
{
    int32_t *page = gestalt_take(ws, PAGE_SIZE, sizeof *page);
    if (page)
        memset(page, 0xff, PAGE_SIZE * sizeof *page);
    return page;
}

/* The same by a two-level table, for code points: its time does not depend on their values. */
static int32_t number_by_pages(const Pair *pair, int32_t *a_ids, int32_t *b_ids, uint32_t largest)
{
    size_t num_pages = (largest >> PAGE_BITS) + 1;
    int32_t **pages = gestalt_take(pair->ws, num_pages, sizeof *pages);
    int32_t *no_page = new_page(pair->ws);
    if (!pages || !no_page)
        return -1;
    for (size_t p = 0; p < num_pages; p++)
        pages[p] = no_page;
    int32_t distinct = 0;
    for (int32_t j = 0; j < pair->nb; j++) {
        uint32_t value = pair->b[j];
        int32_t **page = &pages[value >> PAGE_BITS];
        if (*page == no_page && !(*page = new_page(pair->ws)))
            return -1;
        int32_t *id = &(*page)[value & (PAGE_SIZE - 1)];
        if (*id == DEAD)
            *id = distinct++;
        b_ids[j] = *id;
    }
    for (int32_t i = 0; i < pair->na; i++)
        a_ids[i] = pages[pair->a[i] >> PAGE_BITS][pair->a[i] & (PAGE_SIZE - 1)];
    return distinct;
}

static uint32_t largest_of(const uint32_t *elements, int32_t count, uint32_t largest)
{
    for (int32_t i = 0; i < count; i++)
        largest = elements[i] > largest ? elements[i] : largest;
    return largest;
}

/* Fills in the ids of both sequences. */
static int number_elements(Pair *pair)
{
    int32_t *a_ids = gestalt_take(pair->ws, (size_t)pair->na, sizeof *a_ids);
    int32_t *b_ids = gestalt_take(pair->ws, (size_t)pair->nb, sizeof *b_ids);
    if (!a_ids || !b_ids)
        return -1;
    uint32_t largest = largest_of(pair->b, pair->nb, largest_of(pair->a, pair->na, 0));
    int32_t distinct = (largest >> PAGE_BITS) < NUM_PAGES ? number_by_pages(pair, a_ids, b_ids, largest)
                                                          : number_by_sorting(pair, a_ids, b_ids);
    if (distinct < 0)
        return -1;
    /* counts, then the final id of each element */
    int32_t *ids = gestalt_take(pair->ws, (size_t)distinct, sizeof *ids);
    unsigned char *in_a = gestalt_take(pair->ws, (size_t)distinct, 1);
    if (!ids || !in_a)
        return -1;
    memset(ids, 0, (size_t)distinct * sizeof *ids);
    memset(in_a, 0, (size_t)distinct);
    for (int32_t i = 0; i < pair->na; i++)
        if (a_ids[i] != DEAD)
            in_a[a_ids[i]] = 1;
    for (int32_t j = 0; j < pair->nb; j++)
        ids[b_ids[j]]++;
    int32_t most = pair->autojunk && pair->nb >= 200 ? pair->nb / 100 + 1 : pair->nb;
    pair->num_ids = 0;
    for (int32_t id = 0; id < distinct; id++)
        ids[id] = in_a[id] && ids[id] <= most ? pair->num_ids++ : DEAD;
    for (int32_t i = 0; i < pair->na; i++)
        a_ids[i] = a_ids[i] == DEAD ? DEAD : ids[a_ids[i]];
    for (int32_t j = 0; j < pair->nb; j++)
        b_ids[j] = ids[b_ids[j]];
    pair->a_ids = a_ids;
    pair->b_ids = b_ids;
    return 0;
}

int gestalt_match(Pair *pair, int64_t bits_limit)
{
    int32_t na = pair->na, nb = pair->nb;
    pair->matched = 0;
    pair->num_blocks = 0;
    if (!na || !nb)
        return 0;
    if (na == nb && (pair->a == pair->b || !memcmp(pair->a, pair->b, (size_t)na * sizeof *pair->a))) {
        gestalt_add_block(pair, (Piece){0, na, 0, nb}, (Block){0, 0, na});
        return 0;
    }
    int status = number_elements(pair);
    if (!status && (pair->num_ids || pair->autojunk))
        status = (int64_t)na * ((nb + 63) / 64) <= bits_limit ? gestalt_match_bits(pair) : gestalt_match_lists(pair);
    reset(pair->ws);
    return status;
}
