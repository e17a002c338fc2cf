#include "batch.h"

#include <stdlib.h>

#ifndef _WIN32
#include <pthread.h>
#define HAVE_THREADS 1
#endif

#define MAX_THREADS 256

typedef struct { int64_t length; size_t index; } Ranked;

typedef struct {
    const Sequence *a, *b;
    double *ratios;
    const Ranked *order; /* longest pair first, so that no thread is left with it at the end */
    size_t count, next;  /* `next` and `failed` are guarded by the lock */
    int autojunk, failed;
    int64_t bits_limit;
#ifdef HAVE_THREADS
    pthread_mutex_t lock;
#endif
} Batch;

Pair gestalt_pair(Workspace *ws, const Sequence *a, const Sequence *b, int autojunk)
{
    return (Pair){.ws = ws, .a = a->elements, .na = a->count, .b = b->elements, .nb = b->count, .autojunk = autojunk};
}

double gestalt_ratio(const Pair *pair)
{
    int64_t total = (int64_t)pair->na + pair->nb;
    return total ? 2.0 * (double)pair->matched / (double)total : 1.0;
}

static int longest_first(const void *left, const void *right)
{
    const Ranked *x = left, *y = right;
    if (x->length != y->length)
        return x->length > y->length ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

/* Takes the next pair; whether there is one. */
static int next_pair(Batch *batch, int failed, size_t *index)
{
#ifdef HAVE_THREADS
    pthread_mutex_lock(&batch->lock);
#endif
    batch->failed |= failed;
    int more = !batch->failed && batch->next < batch->count;
    if (more)
        *index = batch->order[batch->next++].index;
#ifdef HAVE_THREADS
    pthread_mutex_unlock(&batch->lock);
#endif
    return more;
}

static void *work(void *shared)
{
    Batch *batch = shared;
    Workspace *ws = gestalt_workspace_new();
    size_t k;
    for (int failed = !ws; next_pair(batch, failed, &k);) {
        Pair pair = gestalt_pair(ws, &batch->a[k], &batch->b[k], batch->autojunk);
        failed = gestalt_match(&pair, batch->bits_limit) != 0;
        batch->ratios[k] = gestalt_ratio(&pair);
    }
    gestalt_workspace_free(ws);
    return NULL;
}

static void run(Batch *batch, long num_threads)
{
#ifdef HAVE_THREADS
    pthread_t threads[MAX_THREADS];
    long started = 0, wanted = num_threads < MAX_THREADS ? num_threads : MAX_THREADS;
    pthread_mutex_init(&batch->lock, NULL);
    while (started + 1 < wanted && (size_t)started + 1 < batch->count &&
           !pthread_create(&threads[started], NULL, work, batch))
        started++;
    work(batch);
    while (started)
        pthread_join(threads[--started], NULL);
    pthread_mutex_destroy(&batch->lock);
#else
    (void)num_threads;
    work(batch);
#endif
}

int gestalt_ratios(const Sequence *a, const Sequence *b, double *ratios, size_t count, int autojunk,
                   int64_t bits_limit, long num_threads)
{
    Ranked *order = malloc(count * sizeof *order + 1);
    if (!order)
        return -1;
    for (size_t k = 0; k < count; k++)
        order[k] = (Ranked){(int64_t)a[k].count + b[k].count, k};
    qsort(order, count, sizeof *order, longest_first);
    Batch batch = {
        .a = a,
        .b = b,
        .ratios = ratios,
        .order = order,
        .count = count,
        .autojunk = autojunk,
        .bits_limit = bits_limit,
    };
    run(&batch, num_threads);
    free(order);
    return batch.failed ? -1 : 0;
}
