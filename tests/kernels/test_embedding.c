/* Rows of a matrix for tokens, and the lists of the rows that have them. */
#include "harness.h"

enum { ROWS = 37, NO_TOKENS = 5 };

/* Tokens a few of which are out of range, or no numbers. */
static matrix random_tokens(size_t n_tokens, size_t gap)
{
    const double none[NO_TOKENS] = {-1, (double)n_tokens, NAN, INFINITY, -INFINITY};
    matrix tokens = new_matrix(ROWS, 1, gap);
    for (size_t i = 0; i < ROWS; i++)
        set(tokens, i, 0, i % 7 == 3 ? none[i / 7 % NO_TOKENS] : (double)(random_bits() % n_tokens));
    return tokens;
}

static int is_token(double number, size_t n_tokens) { return number >= 0 && number < (double)n_tokens; }

static void test_rows(size_t n_tokens, size_t channels, size_t gap)
{
    const layer l = random_layer(n_tokens, channels);
    const matrix tokens = random_tokens(n_tokens, gap);
    const size_t last = channels % TILE_COLS; /* numbers of the last panel, of which one vector or all are written */
    const size_t written = last > 0 && last <= LANES ? channels - last + LANES : padded(channels);
    matrix out = new_matrix(ROWS, written, gap);
    K->embedding_forward(&l.dense, ROWS, tokens.values, tokens.ld, out.values, out.ld);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < written; j++) {
            const double token = at(tokens, i, 0);
            const double expected = is_token(token, n_tokens) ? weight(&l, 1 + (size_t)token, j) : NAN;
            expect(at(out, i, j), expected, 0, "a token's row", i, j);
        }
    expect_gaps(out, "the gap of tokens' rows");
}

/* In two shares, as two threads would. */
static void test_lists(size_t n_tokens, size_t gap)
{
    const matrix tokens = random_tokens(n_tokens, gap);
    const size_t cut = n_tokens / 3;
    const fastnn_entries entries = {
        .rows = new_block(ROWS * sizeof(uint32_t), 0),
        .values = new_block(ROWS * K->itemsize, 0),
        .heads = new_block(n_tokens * sizeof(uint32_t), 0),
        .next = new_block(ROWS * sizeof(uint32_t), 0),
    };
    for (size_t token = 0; token < n_tokens; token++)
        entries.heads[token] = 0;
    K->link_tokens(ROWS, tokens.values, tokens.ld, cut, n_tokens, &entries);
    for (size_t token = 0; token < cut; token++)
        expect(entries.heads[token], 0, 0, "a head of another share", token, 0);
    K->link_tokens(ROWS, tokens.values, tokens.ld, 0, cut, &entries);
    for (size_t token = 0; token < n_tokens; token++) {
        uint32_t linked = entries.heads[token];
        for (size_t i = 0; i < ROWS; i++)
            if (at(tokens, i, 0) == (double)token) {
                expect(linked, (double)i, 0, "a token's rows, upwards", token, i);
                expect(entries.rows[i], (double)i, 0, "an entry's row", token, i);
                expect(get(entries.values, i), 1, 0, "its number", token, i);
                linked = linked < ROWS ? entries.next[linked] : FASTNN_NO_ENTRY;
            }
        expect(linked, FASTNN_NO_ENTRY, 0, "the end of a token", token, 0);
    }
    for (size_t i = 0; i < ROWS; i++)
        if (!is_token(at(tokens, i, 0), n_tokens))
            expect(get(entries.values, i), NAN, 0, "what is no token", i, 0);
}

void test_embedding(void)
{
    const size_t channels[] = {1, LANES, LANES + 1, TILE_COLS, TILE_COLS + 1, 2 * TILE_COLS + LANES + 3};
    for (size_t gap = 0; gap < 4; gap += 3)
        for (size_t n_tokens = 1; n_tokens < 300; n_tokens = 4 * n_tokens + 1) {
            for (size_t i = 0; i < sizeof channels / sizeof *channels; i++)
                test_rows(n_tokens, channels[i], gap);
            test_lists(n_tokens, gap);
        }
}
