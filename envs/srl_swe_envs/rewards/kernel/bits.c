/* Matching by bit sets, for short sequences.
 *
 * Bit j of row i of R_l says a[i:i+l] == b[j:j+l], so R_(l+m)[i] = R_l[i] & (R_m[i+l] >> l). Doubling and a binary
 * descent give the longest length; the lowest row and its lowest bit are difflib's tie break. Rows are relative to the
 * piece: bit 0 is its first element of b.
 */
#include "matching.h"

#include <string.h>

#define MAX_LEVELS 32

typedef struct {
    Pair *pair;
    uint64_t *positions; /* positions in b of every id, `words` each */
    int32_t words;
    uint64_t *levels[MAX_LEVELS]; /* rows of R_1, R_2, R_4, ... of a piece */
    uint64_t *longest, *longer;   /* rows of the longest length found so far, and of a try */
    Piece *pieces;
    int32_t num_pieces;
} Bits;

static inline int lowest_bit(uint64_t word)
{
#if defined(__GNUC__)
    return __builtin_ctzll(word);
#else
    int bit = 0;
    while (!(word >> bit & 1))
        bit++;
    return bit;
#endif
}

/* Word w of a row shifted down by `shift`. */
static inline uint64_t shifted(const uint64_t *row, int32_t words, int32_t w, int32_t shift)
{
    int32_t from = w + shift / 64, bit = shift % 64;
    uint64_t low = from < words ? row[from] >> bit : 0;
    return bit && from + 1 < words ? low | row[from + 1] << (64 - bit) : low;
}

/* out[i] = left[i] & (right[i + shift] >> shift) for `count` rows; whether any bit is left. */
static int extend_rows(uint64_t *out, const uint64_t *left, const uint64_t *right, int32_t count, int32_t words,
                       int32_t shift)
{
    uint64_t any = 0;
    if (words == 1) {
        if (shift >= 64)
            return 0;
        for (int32_t i = 0; i < count; i++)
            any |= out[i] = left[i] & right[i + shift] >> shift;
        return any != 0;
    }
    for (int32_t i = 0; i < count; i++)
        for (int32_t w = 0; w < words; w++)
            any |= out[(size_t)i * words + w] = left[(size_t)i * words + w] &
                                                shifted(right + (size_t)(i + shift) * words, words, w, shift);
    return any != 0;
}

/* R_1 of a piece; whether anything matches in it. */
static int first_rows(Bits *bits, Piece piece, int32_t words)
{
    uint64_t any = 0, *rows = bits->levels[0];
    int32_t columns = piece.bhi - piece.blo;
    uint64_t last_mask = columns % 64 ? ((uint64_t)1 << columns % 64) - 1 : ~(uint64_t)0;
    for (int32_t i = piece.alo; i < piece.ahi; i++, rows += words) {
        int32_t id = bits->pair->a_ids[i];
        if (id == DEAD) {
            memset(rows, 0, (size_t)words * sizeof *rows);
            continue;
        }
        for (int32_t w = 0; w < words; w++)
            rows[w] = shifted(bits->positions + (size_t)id * bits->words, bits->words, w, piece.blo);
        rows[words - 1] &= last_mask;
        for (int32_t w = 0; w < words; w++)
            any |= rows[w];
    }
    return any != 0;
}

/* The longest length in a piece, its rows left in bits->longest; 0 when nothing matches, -1 without memory. */
static int32_t longest(Bits *bits, Piece piece, int32_t words)
{
    int32_t num_rows = piece.ahi - piece.alo, level = 0;
    size_t room = (size_t)bits->pair->na * (size_t)bits->words;
    if (!first_rows(bits, piece, words))
        return 0;
    while (num_rows >= 2 << level) {
        if (!bits->levels[level + 1] &&
            !(bits->levels[level + 1] = gestalt_take(bits->pair->ws, room, sizeof(uint64_t))))
            return -1;
        int32_t half = 1 << level;
        if (!extend_rows(bits->levels[level + 1], bits->levels[level], bits->levels[level], num_rows - 2 * half + 1,
                         words, half))
            break;
        level++;
    }
    int32_t length = 1 << level;
    memcpy(bits->longest, bits->levels[level], (size_t)(num_rows - length + 1) * (size_t)words * sizeof(uint64_t));
    while (--level >= 0) {
        int32_t count = num_rows - length - (1 << level) + 1;
        if (count > 0 && extend_rows(bits->longer, bits->longest, bits->levels[level], count, words, length)) {
            uint64_t *shorter = bits->longest;
            bits->longest = bits->longer;
            bits->longer = shorter;
            length += 1 << level;
        }
    }
    return length;
}

/* First set bit of a row from `from` on, or -1. */
static int32_t next_bit(const uint64_t *row, int32_t words, int32_t from)
{
    int32_t w = from / 64;
    if (w >= words)
        return -1;
    uint64_t word = row[w] & ~(uint64_t)0 << from % 64;
    while (!word) {
        if (++w == words)
            return -1;
        word = row[w];
    }
    return w * 64 + lowest_bit(word);
}

static void push(Bits *bits, Piece piece)
{
    if (piece.alo < piece.ahi && piece.blo < piece.bhi)
        bits->pieces[bits->num_pieces++] = piece;
}

/* Matches one piece and replaces it by the pieces between the matches of the longest length. */
static int split(Bits *bits, Piece piece)
{
    int32_t words = (piece.bhi - piece.blo + 63) / 64, length = longest(bits, piece, words);
    if (length < 0)
        return -1;
    if (!length) { /* under autojunk equal elements at the start of a piece still match */
        gestalt_add_block(bits->pair, piece, (Block){piece.alo, piece.blo, 0});
        return 0;
    }
    int32_t first_row = piece.alo, first_column = piece.blo, last_row = piece.ahi - length;
    for (int32_t i = piece.alo; i <= last_row; i++) {
        if (i < piece.alo)
            continue;
        int32_t bit = next_bit(bits->longest + (size_t)(i - first_row) * words, words, piece.blo - first_column);
        if (bit < 0)
            continue;
        Block block = gestalt_add_block(bits->pair, piece, (Block){i, first_column + bit, length});
        push(bits, (Piece){piece.alo, block.i, piece.blo, block.j});
        piece.alo = block.i + block.size;
        piece.blo = block.j + block.size;
    }
    push(bits, piece);
    return 0;
}

int gestalt_match_bits(Pair *pair)
{
    Bits bits = {.pair = pair, .words = (pair->nb + 63) / 64};
    size_t room = (size_t)pair->na * (size_t)bits.words, table = (size_t)pair->num_ids * (size_t)bits.words;
    bits.positions = gestalt_take(pair->ws, table, sizeof(uint64_t));
    bits.levels[0] = gestalt_take(pair->ws, room, sizeof(uint64_t));
    bits.longest = gestalt_take(pair->ws, room, sizeof(uint64_t));
    bits.longer = gestalt_take(pair->ws, room, sizeof(uint64_t));
    bits.pieces = gestalt_take(pair->ws, (size_t)(pair->na < pair->nb ? pair->na : pair->nb) + 2, sizeof(Piece));
    if (!bits.positions || !bits.levels[0] || !bits.longest || !bits.longer || !bits.pieces)
        return -1;
    memset(bits.positions, 0, table * sizeof(uint64_t));
    for (int32_t j = 0; j < pair->nb; j++)
        if (pair->b_ids[j] != DEAD)
            bits.positions[(size_t)pair->b_ids[j] * bits.words + j / 64] |= (uint64_t)1 << j % 64;
    push(&bits, (Piece){0, pair->na, 0, pair->nb});
    while (bits.num_pieces)
        if (split(&bits, bits.pieces[--bits.num_pieces]))
            return -1;
    return 0;
}
