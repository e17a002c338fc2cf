/* Python module over kernel/: reads sequences with the interpreter, matches them without it, on several threads.
 *
 * A sequence is a str (its code points) or a C-contiguous buffer of 4-byte items (token ids).
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "kernel/matching.h"

#include <stdlib.h>
#include <string.h>

#ifndef _WIN32
#include <pthread.h>
#define HAVE_THREADS 1
#endif

#define MAX_THREADS 256

typedef struct {
    uint32_t *elements;
    int32_t count;
    int owned; /* whether this one frees the elements */
} Sequence;

static int check_length(Py_ssize_t count)
{
    if (count <= GESTALT_MAX_ELEMENTS / 2)
        return 0;
    PyErr_Format(PyExc_OverflowError, "a sequence of %zd elements is too long: at most %d", count,
                 GESTALT_MAX_ELEMENTS / 2);
    return -1;
}

static int read_text(PyObject *text, Sequence *out)
{
    Py_ssize_t count = PyUnicode_GetLength(text);
    if (count < 0 || check_length(count))
        return -1;
    uint32_t *elements = malloc((size_t)count * sizeof *elements + 1);
    if (!elements) {
        PyErr_NoMemory();
        return -1;
    }
    if (count && !PyUnicode_AsUCS4(text, (Py_UCS4 *)elements, count, 0)) {
        free(elements);
        return -1;
    }
    *out = (Sequence){elements, (int32_t)count, 1};
    return 0;
}

static int read_ids(PyObject *ids, Sequence *out)
{
    Py_buffer view;
    if (PyObject_GetBuffer(ids, &view, PyBUF_C_CONTIGUOUS))
        return -1;
    int status = -1;
    if (view.itemsize != sizeof(uint32_t)) {
        PyErr_SetString(PyExc_TypeError, "expected a str or a buffer of 4-byte items");
    } else if (!check_length(view.len / view.itemsize)) {
        uint32_t *elements = malloc((size_t)view.len + 1);
        if (elements) {
            memcpy(elements, view.buf, (size_t)view.len);
            *out = (Sequence){elements, (int32_t)(view.len / view.itemsize), 1};
            status = 0;
        } else {
            PyErr_NoMemory();
        }
    }
    PyBuffer_Release(&view);
    return status;
}

static int read_sequence(PyObject *object, Sequence *out)
{
    return PyUnicode_Check(object) ? read_text(object, out) : read_ids(object, out);
}

static double ratio_of(const Pair *pair)
{
    int64_t total = (int64_t)pair->na + pair->nb;
    return total ? 2.0 * (double)pair->matched / (double)total : 1.0;
}

static Pair pair_of(Workspace *ws, const Sequence *a, const Sequence *b, int autojunk)
{
    return (Pair){.ws = ws, .a = a->elements, .na = a->count, .b = b->elements, .nb = b->count, .autojunk = autojunk};
}

/* One batch, shared by its threads; `next` and `failed` are guarded by the lock. */
typedef struct {
    Sequence *a, *b;
    double *ratios;
    Py_ssize_t *order; /* longest pair first, so that no thread is left with it at the end */
    Py_ssize_t count, next;
    int autojunk, failed;
    long long bits_limit;
#ifdef HAVE_THREADS
    pthread_mutex_t lock;
#endif
} Batch;

static Py_ssize_t next_pair(Batch *batch, int failed)
{
#ifdef HAVE_THREADS
    pthread_mutex_lock(&batch->lock);
#endif
    batch->failed |= failed;
    Py_ssize_t next = batch->failed || batch->next == batch->count ? -1 : batch->order[batch->next++];
#ifdef HAVE_THREADS
    pthread_mutex_unlock(&batch->lock);
#endif
    return next;
}

static void *work(void *shared)
{
    Batch *batch = shared;
    Workspace *ws = gestalt_workspace_new();
    int failed = !ws;
    for (Py_ssize_t k; (k = next_pair(batch, failed)) >= 0;) {
        Pair pair = pair_of(ws, &batch->a[k], &batch->b[k], batch->autojunk);
        failed = gestalt_match(&pair, batch->bits_limit) != 0;
        batch->ratios[k] = ratio_of(&pair);
    }
    gestalt_workspace_free(ws);
    return NULL;
}

static void run_batch(Batch *batch, long num_threads)
{
#ifdef HAVE_THREADS
    pthread_t threads[MAX_THREADS];
    int started = 0;
    pthread_mutex_init(&batch->lock, NULL);
    while (started < MAX_THREADS && started + 1 < num_threads && started + 1 < batch->count &&
           !pthread_create(&threads[started], NULL, work, batch))
        started++; /* a thread that cannot be had only costs time */
    work(batch);
    while (started)
        pthread_join(threads[--started], NULL);
    pthread_mutex_destroy(&batch->lock);
#else
    (void)num_threads;
    work(batch);
#endif
}

typedef struct { int64_t length; Py_ssize_t index; } Ranked;

static int longest_first(const void *left, const void *right)
{
    const Ranked *x = left, *y = right;
    if (x->length != y->length)
        return x->length > y->length ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

static int rank_pairs(Batch *batch)
{
    Ranked *ranked = malloc((size_t)batch->count * sizeof *ranked + 1);
    if (!ranked)
        return -1;
    for (Py_ssize_t k = 0; k < batch->count; k++)
        ranked[k] = (Ranked){(int64_t)batch->a[k].count + batch->b[k].count, k};
    qsort(ranked, (size_t)batch->count, sizeof *ranked, longest_first);
    for (Py_ssize_t k = 0; k < batch->count; k++)
        batch->order[k] = ranked[k].index;
    free(ranked);
    return 0;
}

/* Reads a tuple of sequences; one that is the same object as its predecessor is read once. */
static int read_sequences(PyObject *tuple, Py_ssize_t count, Sequence *out)
{
    PyObject *before = NULL;
    for (Py_ssize_t k = 0; k < count; k++) {
        PyObject *object = PyTuple_GetItem(tuple, k);
        if (!object)
            return -1;
        if (object == before)
            out[k] = (Sequence){out[k - 1].elements, out[k - 1].count, 0};
        else if (read_sequence(object, &out[k]))
            return -1;
        before = object;
    }
    return 0;
}

static void free_sequences(Sequence *sequences, Py_ssize_t count)
{
    for (Py_ssize_t k = 0; sequences && k < count; k++)
        if (sequences[k].owned)
            free(sequences[k].elements);
    free(sequences);
}

static int score_batch(Batch *batch, PyObject *actions, PyObject *experts, long num_threads)
{
    size_t count = (size_t)batch->count;
    batch->a = calloc(count + 1, sizeof *batch->a);
    batch->b = calloc(count + 1, sizeof *batch->b);
    batch->order = calloc(count + 1, sizeof *batch->order);
    if (!batch->a || !batch->b || !batch->order) {
        PyErr_NoMemory();
        return -1;
    }
    if (read_sequences(actions, batch->count, batch->a) || read_sequences(experts, batch->count, batch->b))
        return -1;
    Py_BEGIN_ALLOW_THREADS
    batch->failed = rank_pairs(batch);
    if (!batch->failed)
        run_batch(batch, num_threads);
    Py_END_ALLOW_THREADS
    if (batch->failed)
        PyErr_NoMemory();
    return batch->failed ? -1 : 0;
}

static PyObject *py_ratios(PyObject *module, PyObject *args)
{
    PyObject *actions, *experts, *out;
    int autojunk;
    long num_threads;
    Batch batch = {.bits_limit = GESTALT_BITS_LIMIT};
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!Opl|L:ratios", &PyTuple_Type, &actions, &PyTuple_Type, &experts, &out, &autojunk,
                          &num_threads, &batch.bits_limit))
        return NULL;
    Py_buffer view;
    if (PyObject_GetBuffer(out, &view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE))
        return NULL;
    batch.count = PyTuple_Size(actions);
    batch.autojunk = autojunk;
    batch.ratios = view.buf;
    int status = -1;
    if (PyTuple_Size(experts) != batch.count || view.len != batch.count * (Py_ssize_t)sizeof(double))
        PyErr_SetString(PyExc_ValueError, "actions, experts and the array of doubles differ in length");
    else
        status = score_batch(&batch, actions, experts, num_threads);
    free_sequences(batch.a, batch.count);
    free_sequences(batch.b, batch.count);
    free(batch.order);
    PyBuffer_Release(&view);
    if (status)
        return NULL;
    Py_RETURN_NONE;
}

/* Reads and matches one pair; blocks, if wanted, are the caller's to free. */
static int match_one(PyObject *action, PyObject *expert, int autojunk, long long bits_limit, int want_blocks, Pair *pair)
{
    Sequence a = {NULL, 0, 0}, b = {NULL, 0, 0};
    Workspace *ws = NULL;
    Block *blocks = NULL;
    int status = -1;
    if (!read_sequence(action, &a) && !read_sequence(expert, &b)) {
        Py_BEGIN_ALLOW_THREADS
        ws = gestalt_workspace_new();
        if (want_blocks)
            blocks = malloc(((size_t)(a.count < b.count ? a.count : b.count) + 1) * sizeof *blocks);
        if (ws && (blocks || !want_blocks)) {
            *pair = pair_of(ws, &a, &b, autojunk);
            pair->blocks = blocks;
            status = gestalt_match(pair, bits_limit);
        }
        gestalt_workspace_free(ws);
        Py_END_ALLOW_THREADS
        if (status)
            PyErr_NoMemory();
    }
    free(a.elements);
    free(b.elements);
    if (status)
        free(blocks);
    return status;
}

static PyObject *py_ratio(PyObject *module, PyObject *args)
{
    PyObject *action, *expert;
    int autojunk;
    long long bits_limit = GESTALT_BITS_LIMIT;
    Pair pair;
    (void)module;
    if (!PyArg_ParseTuple(args, "OOp|L:ratio", &action, &expert, &autojunk, &bits_limit) ||
        match_one(action, expert, autojunk, bits_limit, 0, &pair))
        return NULL;
    return PyFloat_FromDouble(ratio_of(&pair));
}

static PyObject *py_blocks(PyObject *module, PyObject *args)
{
    PyObject *action, *expert;
    int autojunk;
    long long bits_limit = GESTALT_BITS_LIMIT;
    Pair pair;
    (void)module;
    if (!PyArg_ParseTuple(args, "OOp|L:blocks", &action, &expert, &autojunk, &bits_limit) ||
        match_one(action, expert, autojunk, bits_limit, 1, &pair))
        return NULL;
    PyObject *list = PyList_New(0);
    for (int32_t k = 0; list && k < pair.num_blocks; k++) {
        Block block = pair.blocks[k];
        PyObject *triple = Py_BuildValue("(iii)", (int)block.i, (int)block.j, (int)block.size);
        if (!triple || PyList_Append(list, triple))
            Py_CLEAR(list);
        Py_XDECREF(triple);
    }
    free(pair.blocks);
    if (list && PyList_Sort(list))
        Py_CLEAR(list);
    return list;
}

static PyMethodDef methods[] = {
    {"ratio", py_ratio, METH_VARARGS, "ratio(action, expert, autojunk, bits_limit=1024) -> float"},
    {"ratios", py_ratios, METH_VARARGS, "ratios(actions, experts, out, autojunk, num_threads, bits_limit=1024)"},
    {"blocks", py_blocks, METH_VARARGS, "blocks(action, expert, autojunk, bits_limit=1024) -> list of triples"},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_gestalt",
    .m_doc = "Exact difflib matching in bounded time.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__gestalt(void)
{
    return PyModuleDef_Init(&module_definition);
}
