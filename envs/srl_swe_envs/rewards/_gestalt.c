/* Python module over kernel/: reads sequences with the interpreter, matches them without it, on several threads.
 *
 * A sequence is a str (its code points) or a C-contiguous buffer of 4-byte items (token ids).
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "kernel/batch.h"

#include <stdlib.h>
#include <string.h>

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

static int score_pairs(PyObject *actions, PyObject *experts, const Py_buffer *out, int autojunk, long num_threads,
                       long long bits_limit)
{
    Py_ssize_t count = PyTuple_Size(actions);
    if (PyTuple_Size(experts) != count || out->len != count * (Py_ssize_t)sizeof(double)) {
        PyErr_SetString(PyExc_ValueError, "actions, experts and the array of doubles differ in length");
        return -1;
    }
    Sequence *a = calloc((size_t)count + 1, sizeof *a), *b = calloc((size_t)count + 1, sizeof *b);
    int status = -1;
    if (!a || !b) {
        PyErr_NoMemory();
    } else if (!read_sequences(actions, count, a) && !read_sequences(experts, count, b)) {
        Py_BEGIN_ALLOW_THREADS
        status = gestalt_ratios(a, b, out->buf, (size_t)count, autojunk, bits_limit, num_threads);
        Py_END_ALLOW_THREADS
        if (status)
            PyErr_NoMemory();
    }
    free_sequences(a, count);
    free_sequences(b, count);
    return status;
}

static PyObject *py_ratios(PyObject *module, PyObject *args)
{
    PyObject *actions, *experts, *out;
    int autojunk;
    long num_threads;
    long long bits_limit = GESTALT_BITS_LIMIT;
    Py_buffer view;
    (void)module;
    if (!PyArg_ParseTuple(args, "O!O!Opl|L:ratios", &PyTuple_Type, &actions, &PyTuple_Type, &experts, &out, &autojunk,
                          &num_threads, &bits_limit) ||
        PyObject_GetBuffer(out, &view, PyBUF_C_CONTIGUOUS | PyBUF_WRITABLE))
        return NULL;
    int status = score_pairs(actions, experts, &view, autojunk, num_threads, bits_limit);
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
            *pair = gestalt_pair(ws, &a, &b, autojunk);
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
    return PyFloat_FromDouble(gestalt_ratio(&pair));
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
