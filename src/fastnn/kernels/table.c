/* The table of one (instruction set, number type). */
#include "table.h"

#define STRING_(word) #word
#define STRING(word) STRING_(word)

const fastnn_kernels KERNEL(kernels) = {
    .level = STRING(FASTNN_LEVEL),
    .itemsize = sizeof(real),
    .vector_bytes = FASTNN_VECTOR_BYTES,
    .tile_rows = TILE_ROWS,
    .tile_cols = TILE_COLS,
#define KERNEL_ROW(type, name, arguments) .name = KERNEL(name),
#include "kernels.def"
#undef KERNEL_ROW
};
