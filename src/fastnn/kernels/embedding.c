/* Embeddings: a row of a matrix for each token; and on the way back, which rows of a batch have which token. */
#include "table.h"
#include "tile.h"

#include <math.h>

/* A number as a token; what is no token becomes n_tokens. */
INLINE size_t token_of(real number, size_t n_tokens)
{
    return number >= 0 && number < (real)n_tokens ? (size_t)number : n_tokens;
}

/* One panel's part of all rows. Inlined, the width is a constant. */
INLINE void embed_panel(const int width, size_t cols, const real *panel, size_t n_tokens, size_t rows,
                        const real *tokens, size_t ldt, real *out, size_t ldo)
{
    for (size_t i = 0; i < rows; i++, out += ldo) {
        const size_t token = token_of(tokens[i * ldt], n_tokens);
        if (token < n_tokens)
            for (int j = 0; j < width; j++)
                store(out + j * LANES, load(panel + token * TILE_COLS + j * LANES));
        else
            for (size_t j = 0; j < cols; j++)
                out[j] = NAN;
    }
}

void KERNEL(embedding_forward)(const fastnn_matrix *matrix, size_t rows, const void *tokens, size_t ldt, void *out,
                               size_t ldo)
{
    const size_t n_tokens = matrix->fan_in;
    for (size_t first = 0; first < matrix->fan_out; first += TILE_COLS) {
        const real *panel = (const real *)matrix->weights + first * (1 + n_tokens) + TILE_COLS; /* past the biases */
        const size_t left = matrix->fan_out - first, cols = left < TILE_COLS ? left : TILE_COLS;
        if (panel_vectors(matrix->fan_out, first / TILE_COLS) == TILE_VECTORS)
            embed_panel(TILE_VECTORS, cols, panel, n_tokens, rows, tokens, ldt, (real *)out + first, ldo);
        else
            embed_panel(1, cols, panel, n_tokens, rows, tokens, ldt, (real *)out + first, ldo);
    }
}

/* From the last row back, so that a token's rows ascend. */
void KERNEL(link_tokens)(size_t rows, const void *tokens, size_t ldt, size_t first, size_t last,
                         const fastnn_entries *out)
{
    const real *numbers = tokens;
    real *values = out->values;
    memset(out->heads + first, 0xff, (last - first) * sizeof *out->heads); /* FASTNN_NO_ENTRY */
    for (size_t i = rows; i-- > 0;) {
        const size_t token = token_of(numbers[i * ldt], last);
        if (token >= first && token < last) {
            values[i] = 1;
            out->rows[i] = (uint32_t)i;
            out->next[i] = out->heads[token];
            out->heads[token] = (uint32_t)i;
        }
    }
}
