/* Samples into a batch: gathering, dense and sparse, and which terms of it are zero throughout. */
#include "harness.h"

/* IEEE half precision, by its definition. */
static double from_half(uint16_t half)
{
    const int exponent = half >> 10 & 31, mantissa = half & 1023;
    const double magnitude = exponent == 31 ? (mantissa ? NAN : INFINITY)
                             : exponent     ? ldexp(1024 + mantissa, exponent - 25)
                                            : ldexp(mantissa, -24);
    return half >> 15 ? -magnitude : magnitude;
}

typedef double real; /* what sources.def converts to */
#define SOURCE(name, type, convert)                 \
    static double plant_##name(char *p, int number) \
    {                                               \
        const type value = (type)number;            \
        memcpy(p, &value, sizeof value);            \
        return convert(value);                      \
    }
#include "sources.def"
#undef SOURCE

static const struct {
    const char *name;
    size_t size;
    double (*plant)(char *p, int number); /* writes it as the type's number, or bits; returns what it is */
} sources[] = {
#define SOURCE(name, type, convert) {#name, sizeof(type), plant_##name},
#include "sources.def"
#undef SOURCE
};

static double rounded(double value) { return K->itemsize == 8 ? value : (double)(float)value; }

/* gap: bytes between neighbours; at an odd address, rows backwards. */
static void test_gather_from(int source, size_t n_features, size_t gap)
{
    static const intptr_t order[] = {3, 0, 3, 1};
    enum { N_SAMPLES = 5, N_ROWS = sizeof order / sizeof *order };
    const size_t step = sources[source].size + gap, row_bytes = n_features * step + 1;
    char *data = new_block(N_SAMPLES * row_bytes - 1 - gap, 1);
    const fastnn_samples X = {.type = (enum fastnn_source)source,
                              .data = data + (N_SAMPLES - 1) * row_bytes,
                              .row_stride = -(ptrdiff_t)row_bytes,
                              .col_stride = (ptrdiff_t)step,
                              .n_features = n_features};
    matrix truth = new_matrix(N_SAMPLES, n_features, 0), out = new_matrix(N_ROWS, n_features, 2);
    matrix first = new_matrix(2, n_features, 0), rescaled = new_matrix(N_ROWS, n_features, 1);
    fastnn_samples X_rescaled = X;
    X_rescaled.rescaling = &(fastnn_rescaling){0.5, -3};
    for (size_t i = 0; i < N_SAMPLES; i++)
        for (size_t j = 0; j < n_features; j++) {
            const int number = random_bits() % 4 ? 0 : (int)(random_bits() % 200) - 100;
            set(truth, i, j, sources[source].plant(data + (N_SAMPLES - 1 - i) * row_bytes + j * step, number));
        }
    K->gather(&X, order, N_ROWS, out.values, out.ld);
    K->gather(&X, NULL, 2, first.values, first.ld);
    K->gather(&X_rescaled, order, N_ROWS, rescaled.values, rescaled.ld);
    for (size_t j = 0; j < n_features; j++) {
        for (size_t i = 0; i < N_ROWS; i++) {
            expect(at(out, i, j), rounded(at(truth, (size_t)order[i], j)), 0, sources[source].name, i, j);
            expect(at(rescaled, i, j), at(out, i, j) / 2 - 3, EPS * (3 + fabs(at(out, i, j))), "rescaled", i, j);
        }
        for (size_t i = 0; i < 2; i++)
            expect(at(first, i, j), rounded(at(truth, i, j)), 0, "the first rows", i, j);
    }
    expect_gaps(out, "the gap of out");
    expect_gaps(rescaled, "the gap of what is rescaled");
}

void test_gather(void)
{
    for (int source = 0; source < FASTNN_N_SOURCES; source++)
        for (size_t n_features = 1; n_features <= 2 * TILE_COLS + 1; n_features += 4)
            for (size_t gap = 0; gap < 3; gap++)
                test_gather_from(source, n_features, gap);
}

/* tile: of rows, the terms being columns, or turned. A term is used if any of the tile's numbers has a bit set. */
static void expect_terms(matrix x, int turned, const uint32_t *terms, uint32_t count, size_t tile)
{
    const size_t n_terms = turned ? x.rows : x.cols, end = turned ? x.cols : x.rows;
    size_t n = 0;
    for (size_t k = 0; k < n_terms; k++) {
        int used = 0;
        for (size_t i = tile * TILE_ROWS; i < end && i < (tile + 1) * TILE_ROWS; i++) {
            const double number = turned ? at(x, k, i) : at(x, i, k);
            used |= number != 0 || signbit(number);
        }
        if (used)
            expect(n < count ? terms[n] : NAN, (double)k, 0, turned ? "used row" : "used column", tile, n), n++;
    }
    expect(count, (double)n, 0, turned ? "used rows" : "used columns", tile, x.cols);
}

void test_terms(void)
{
    const size_t sizes[] = {1, TILE_ROWS - 1, TILE_ROWS, TILE_ROWS + 1, 2 * LANES + 1, 5 * TILE_ROWS};
    enum { N_SIZES = sizeof sizes / sizeof *sizes };
    for (int i = 0; i < N_SIZES * N_SIZES; i++) {
        const size_t rows = sizes[i / N_SIZES], cols = sizes[i % N_SIZES];
        const size_t row_tiles = 1 + (rows - 1) / TILE_ROWS, col_tiles = 1 + (cols - 1) / TILE_ROWS;
        matrix x = new_matrix(rows, cols, 2);
        for (size_t row = 0; row < rows; row++)
            for (size_t col = 0; col < cols; col++)
                set(x, row, col, random_bits() % 16 ? 0 : random_bits() % 8 ? random_eighth() : -0.0);
        uint32_t *counts = new_block((row_tiles + col_tiles) * sizeof *counts, sizeof *counts);
        uint32_t *columns = new_block(row_tiles * cols * sizeof *columns, sizeof *columns);
        uint32_t *samples = new_block(col_tiles * rows * sizeof *samples, sizeof *samples);
        K->used_columns(rows, cols, x.values, x.ld, columns, counts, cols);
        K->used_rows(rows, cols, x.values, x.ld, samples, counts + row_tiles, rows);
        for (size_t tile = 0; tile < row_tiles; tile++)
            expect_terms(x, 0, columns + tile * cols, counts[tile], tile);
        for (size_t tile = 0; tile < col_tiles; tile++)
            expect_terms(x, 1, samples + tile * rows, counts[row_tiles + tile], tile);
    }
}

/* Every half there is: infinities, NaN and subnormal numbers. */
void test_half(void)
{
    uint16_t *halves = new_block(65536 * sizeof *halves, 0);
    matrix out = new_matrix(1, 65536, 0);
    for (size_t i = 0; i < 65536; i++)
        halves[i] = (uint16_t)i;
    const fastnn_samples X = {
        .type = FASTNN_float16, .data = (const char *)halves, .col_stride = 2, .n_features = 65536};
    K->gather(&X, NULL, 1, out.values, 65536);
    for (size_t i = 0; i < 65536; i++) {
        expect(at(out, 0, i), from_half((uint16_t)i), 0, "half", i, 0);
        expect(signbit(at(out, 0, i)) != 0, i >> 15, 0, "the sign of half", i, 0);
    }
}

/* CSR matrices, their arrays as long as they say and no longer, at any address: the sanitizers see a step beyond. */
enum { SPARSE_ROWS = 9, N_STORED = 7, SPARSE_COLUMNS = 6 };
typedef struct {
    int64_t starts[SPARSE_ROWS + 1], columns[N_STORED];
} csr;

static char *index_block(const int64_t *indices, size_t n, int wide, size_t offset)
{
    const size_t width = wide ? 8 : 4;
    char *block = new_block(n * width, offset);
    for (size_t k = 0; k < n; k++)
        memcpy(block + k * width, wide ? (const void *)&indices[k] : &(int32_t){(int32_t)indices[k]}, width);
    return block;
}

static int leads_out(const csr *indices, size_t row)
{
    const int64_t begin = indices->starts[row], end = indices->starts[row + 1];
    return begin < 0 || begin > end || end > N_STORED;
}

/* As dense rows, where entries in the same column add up, and rescaled. */
static void test_gather_csr_as_dense(const fastnn_samples *X, const csr *indices, const double *numbers,
                                     const intptr_t *order, size_t n_rows)
{
    matrix out = new_matrix(n_rows, SPARSE_COLUMNS, 2), rescaled = new_matrix(n_rows, SPARSE_COLUMNS, 1);
    matrix first = new_matrix(1, SPARSE_COLUMNS, 0);
    fastnn_samples X_rescaled = *X;
    X_rescaled.rescaling = &(fastnn_rescaling){0.5, -3};
    K->gather(X, order, n_rows, out.values, out.ld);
    K->gather(X, NULL, 1, first.values, first.ld);
    K->gather(&X_rescaled, order, n_rows, rescaled.values, rescaled.ld);
    for (size_t i = 0; i < n_rows; i++) {
        const size_t row = (size_t)order[i];
        double expected[SPARSE_COLUMNS] = {0};
        for (int64_t k = indices->starts[row]; !leads_out(indices, row) && k < indices->starts[row + 1]; k++)
            if (indices->columns[k] >= 0 && indices->columns[k] < SPARSE_COLUMNS)
                expected[indices->columns[k]] += rounded(numbers[k]);
        for (size_t j = 0; j < SPARSE_COLUMNS; j++) {
            const double number = at(out, i, j), tolerance = EPS * (3 + fabs(expected[j]));
            expect(number, expected[j], tolerance, "a sparse row made dense", i, j);
            expect(at(rescaled, i, j), number / 2 - 3, EPS * (3 + fabs(number)), "a sparse row rescaled", i, j);
            if (row == 0)
                expect(at(first, 0, j), number, 0, "the first row", 0, j);
        }
    }
    expect_gaps(out, "the gap of rows made dense");
    expect_gaps(rescaled, "the gap of rows rescaled");
}

/* In two shares, as two threads would; with space for all entries, or less. */
static void test_gather_csr(const csr *indices, int source, int wide, size_t offset, size_t missing)
{
    static const intptr_t order[] = {8, 0, 1, 2, 3, 4, 5, 6, 7, 0};
    enum { N_ORDER = sizeof order / sizeof *order, CUT = 3, COLUMN_CUT = 4 };
    char *values = new_block(N_STORED * sources[source].size, offset);
    double numbers[N_STORED];
    for (size_t k = 0; k < N_STORED; k++)
        numbers[k] = sources[source].plant(values + k * sources[source].size, (int)k + 1);
    const fastnn_samples X = {.type = (enum fastnn_source)source,
                              .data = values,
                              .n_features = SPARSE_COLUMNS,
                              .columns = index_block(indices->columns, N_STORED, wide, offset),
                              .starts = index_block(indices->starts, SPARSE_ROWS + 1, wide, offset),
                              .wide_indices = wide,
                              .n_stored = N_STORED};
    test_gather_csr_as_dense(&X, indices, numbers, order, N_ORDER);
    size_t n = 0, at_entry = 0;
    for (size_t i = 0; i < N_ORDER; i++)
        n += leads_out(indices, (size_t)order[i]) ? 0
                                                  : (size_t)(indices->starts[order[i] + 1] - indices->starts[order[i]]);
    n = n > missing ? n - missing : 0;
    const fastnn_entries entries = {
        .starts = new_block((N_ORDER + 1) * sizeof(size_t), 0),
        .capacity = n,
        .columns = new_block(n * sizeof(uint32_t), 0),
        .rows = new_block(n * sizeof(uint32_t), 0),
        .values = new_block(n * K->itemsize, 0),
        .heads = new_block(SPARSE_COLUMNS * sizeof(uint32_t), 0),
        .next = new_block(n * sizeof(uint32_t), 0),
    };
    K->gather_entries(&X, order, CUT, N_ORDER, &entries);
    K->gather_entries(&X, order, 0, CUT, &entries);
    for (size_t i = 0; i < N_ORDER; i++) {
        expect(entries.starts[i], (double)at_entry, 0, "where a row's entries begin", i, 0);
        for (int64_t k = indices->starts[order[i]];
             !leads_out(indices, (size_t)order[i]) && k < indices->starts[order[i] + 1] && at_entry < n; k++) {
            const int there = indices->columns[k] >= 0 && indices->columns[k] < SPARSE_COLUMNS;
            expect(entries.rows[at_entry], (double)i, 0, "an entry's row", i, at_entry);
            expect(entries.columns[at_entry], there ? (double)indices->columns[k] : 0, 0, "its column", i, at_entry);
            expect(get(entries.values, at_entry), there ? rounded(numbers[k]) : 0, 0, sources[source].name, i,
                   at_entry);
            at_entry++;
        }
    }
    expect(entries.starts[N_ORDER], (double)n, 0, "where the entries end", N_ORDER, 0);

    K->link_entries(&entries, N_ORDER, COLUMN_CUT, SPARSE_COLUMNS);
    K->link_entries(&entries, N_ORDER, 0, COLUMN_CUT);
    for (uint32_t column = 0; column < SPARSE_COLUMNS; column++) {
        uint32_t linked = entries.heads[column];
        for (size_t k = 0; k < n; k++)
            if (entries.columns[k] == column) {
                expect(linked, (double)k, 0, "a column's entries, upwards", column, k);
                linked = linked < n ? entries.next[linked] : FASTNN_NO_ENTRY;
            }
        expect(linked, FASTNN_NO_ENTRY, 0, "the end of a column", column, n);
    }
}

/* One of 0 ... end, or one that leads out of them; of those the last two have 64 bits. */
static int64_t random_index(int64_t end, int wide)
{
    const int64_t outside[] = {-1, end + 1, end + 2, INT32_MIN, INT32_MAX, INT64_MIN, INT64_MAX};
    const uint64_t bits = random_bits();
    return bits % 4 ? (int64_t)(bits / 4 % (uint64_t)(end + 1)) : outside[bits / 4 % (wide ? 7 : 5)];
}

/* An empty row, one with columns out of order and twice, and others that lead out; then whatever comes. */
void test_gather_sparse(void)
{
    for (int source = 0; source < FASTNN_N_SOURCES; source++)
        for (int wide = 0; wide < 2; wide++)
            for (int i = 0; i < 40; i++) {
                csr indices = {{0, 3, 3, 7, 8, 2, -1, INT32_MAX, 5, 6}, {5, 0, 5, -1, INT32_MAX, 6, 2}};
                for (size_t k = 0; i > 0 && k <= SPARSE_ROWS; k++)
                    indices.starts[k] = random_index(N_STORED, wide);
                for (size_t k = 0; i > 0 && k < N_STORED; k++)
                    indices.columns[k] = random_index(SPARSE_COLUMNS - 1, wide);
                test_gather_csr(&indices, source, wide, (size_t)i % 8, i % 5 ? 0 : (size_t)i);
            }
}
