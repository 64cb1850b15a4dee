/* Weights into panels and out of them: see fastnn_matrix in kernels.h for the layout. */
#include "table.h"

void KERNEL(pack_matrix)(const fastnn_matrix *matrix, const void *W, ptrdiff_t row_stride, ptrdiff_t col_stride,
                         const void *b)
{
    real *out = matrix->weights;
    for (size_t first = 0; first < matrix->fan_out; first += TILE_COLS) {
        size_t cols = matrix->fan_out - first < TILE_COLS ? matrix->fan_out - first : TILE_COLS;
        memcpy(out, (const real *)b + first, cols * sizeof(real));
        memset(out + cols, 0, (TILE_COLS - cols) * sizeof(real));
        out += TILE_COLS;
        for (size_t k = 0; k < matrix->fan_in; k++, out += TILE_COLS) {
            const char *from = (const char *)W + (ptrdiff_t)k * row_stride + (ptrdiff_t)first * col_stride;
            for (size_t j = 0; j < cols; j++)
                memcpy(out + j, from + (ptrdiff_t)j * col_stride, sizeof(real));
            memset(out + cols, 0, (TILE_COLS - cols) * sizeof(real));
        }
    }
}

void KERNEL(unpack_matrix)(const fastnn_matrix *matrix, const void *packed, void *W, void *b)
{
    const real *in = packed;
    for (size_t first = 0; first < matrix->fan_out; first += TILE_COLS) {
        size_t cols = matrix->fan_out - first < TILE_COLS ? matrix->fan_out - first : TILE_COLS;
        memcpy((real *)b + first, in, cols * sizeof(real));
        in += TILE_COLS;
        for (size_t k = 0; k < matrix->fan_in; k++, in += TILE_COLS)
            memcpy((real *)W + k * matrix->fan_out + first, in, cols * sizeof(real));
    }
}
