/* The cells of recurrent layers: a step against a naive one in double, and the error carried back against differences.
 */
#include "harness.h"

static double logistic(double z) { return 1 / (1 + exp(-z)); }
static double softplus(double z) { return fmax(z, 0) + log1p(exp(-fabs(z))); }
static double identity(double z) { return z; }

/* The usual two, and others, which take another way. */
static const struct {
    int activation, recurrent_activation;
    double (*f)(double), (*s)(double);
} functions[] = {
    {FASTNN_TANH, FASTNN_LOGISTIC, tanh, logistic},
    {FASTNN_TANH, FASTNN_SOFTPLUS, tanh, softplus},
    {FASTNN_SOFTPLUS, FASTNN_TANH, softplus, tanh},
    {FASTNN_IDENTITY, FASTNN_LOGISTIC, identity, logistic},
};
static double (*f)(double), (*s)(double);

/* What there is of one unit in one row: a number for each section. */
typedef struct {
    double sums[4], recurrent[4], state[2];
} unit;

typedef void step(const unit *before, double *gates, double *state);

static void simple_step(const unit *u, double *gates, double *state)
{
    gates[0] = state[0] = f(u->sums[0] + u->recurrent[0]);
}

static void gru_step(const unit *u, double *gates, double *state)
{
    gates[0] = s(u->sums[0] + u->recurrent[0]);
    gates[1] = s(u->sums[1] + u->recurrent[1]);
    gates[2] = f(u->sums[2] + gates[1] * u->recurrent[2]);
    gates[3] = u->recurrent[2];
    state[0] = gates[0] * u->state[0] + (1 - gates[0]) * gates[2];
}

static void lstm_step(const unit *u, double *gates, double *state)
{
    for (int k = 0; k < 4; k++)
        gates[k] = (k == 2 ? f : s)(u->sums[k] + u->recurrent[k]);
    state[1] = gates[1] * u->state[1] + gates[0] * gates[2];
    state[0] = gates[3] * f(state[1]);
}

static const struct {
    const char *name;
    step *step;
    size_t n_gates, n_kept, n_states; /* sections of recurrent, of gates and of the state */
} cells[] = {
    {"simple", simple_step, 1, 1, 1},
    {"gru", gru_step, 3, 4, 1},
    {"lstm", lstm_step, 4, 4, 2},
};

static void forward(size_t cell, const fastnn_cell *of, size_t rows, matrix gates, matrix recurrent, matrix before,
                    matrix after)
{
    (cell == 0   ? K->simple_cell_forward
     : cell == 1 ? K->gru_cell_forward
                 : K->lstm_cell_forward)(of, rows, gates.values, recurrent.values, recurrent.ld, before.values,
                                         after.values, after.ld, gates.ld);
}

static void grad(size_t cell, const fastnn_cell *of, size_t rows, matrix gates, matrix before, matrix delta)
{
    (cell == 0   ? K->simple_cell_grad
     : cell == 1 ? K->gru_cell_grad
                 : K->lstm_cell_grad)(of, rows, gates.values, before.values, gates.ld, delta.values, delta.ld);
}

/* Sections of random numbers, and zeros beyond the units: whole vectors are read. Rows are ld apart. */
static matrix random_sections(size_t rows, size_t n, const fastnn_cell *cell, size_t ld)
{
    matrix m = new_matrix(rows, n * cell->section, ld - n * cell->section);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < m.cols; j++)
            set(m, i, j, j % cell->section < cell->units ? random_eighth() : 0);
    return m;
}

static matrix copy_of(matrix m)
{
    matrix copy = new_matrix(m.rows, m.cols, m.ld - m.cols);
    for (size_t i = 0; i < m.rows; i++)
        for (size_t j = 0; j < m.cols; j++)
            set(copy, i, j, at(m, i, j));
    return copy;
}

/* How the loss, sum of delta times the state after the step, grows with one of the numbers that it is made of. */
static double slope(size_t cell, const unit *u, double *number, const double *delta)
{
    const double h = 0x1p-18, kept = *number;
    double loss[2] = {0}, gates[4], state[2];
    for (int side = 0; side < 2; side++) {
        *number = side ? kept + h : kept - h;
        cells[cell].step(u, gates, state);
        for (size_t k = 0; k < cells[cell].n_states; k++)
            loss[side] += delta[k] * state[k];
    }
    *number = kept;
    return (loss[1] - loss[0]) / (2 * h);
}

static void test_cell_of(size_t cell, size_t function, size_t units, size_t rows)
{
    const fastnn_cell of = {units, padded(units), functions[function].activation,
                            functions[function].recurrent_activation};
    const size_t n_gates = cells[cell].n_gates, n_kept = cells[cell].n_kept, n_states = cells[cell].n_states;
    const size_t ld = 4 * of.section + 3;
    f = functions[function].f, s = functions[function].s;
    matrix gates = random_sections(rows, n_kept, &of, ld), before = random_sections(rows, n_states, &of, ld);
    matrix recurrent = random_sections(rows, n_gates, &of, n_gates * of.section + 1);
    matrix delta = random_sections(rows, n_states, &of, n_states * of.section + 2);
    matrix after = new_matrix(rows, n_states * of.section, 5), sums = copy_of(gates), back = copy_of(delta);
    forward(cell, &of, rows, gates, recurrent, before, after);

    matrix replaced = copy_of(before), gates_again = copy_of(sums); /* the state in place */
    forward(cell, &of, rows, gates_again, recurrent, replaced, replaced);
    matrix errors = copy_of(gates);
    grad(cell, &of, rows, errors, before, back);

    const double difference_error = 0x1p-26; /* of slope() */
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < units; j++) {
            unit u = {{0}, {0}, {0}};
            double kept[4], state[2], by_state[2] = {0};
            for (size_t k = 0; k < n_gates; k++) {
                u.sums[k] = at(sums, i, k * of.section + j);
                u.recurrent[k] = at(recurrent, i, k * of.section + j);
            }
            for (size_t k = 0; k < n_states; k++) {
                u.state[k] = at(before, i, k * of.section + j);
                by_state[k] = at(delta, i, k * of.section + j);
            }
            cells[cell].step(&u, kept, state);
            for (size_t k = 0; k < n_states; k++) {
                expect(at(after, i, k * of.section + j), state[k], 256 * EPS, cells[cell].name, i, k);
                expect(at(replaced, i, k * of.section + j), at(after, i, k * of.section + j), 0, "in place", i, k);
                expect(at(back, i, k * of.section + j), slope(cell, &u, &u.state[k], by_state),
                       256 * EPS + difference_error, "the state's gradient", i, k);
            }
            for (size_t k = 0; k < n_kept; k++) {
                double *sum = cell == 1 && k == 3 ? &u.recurrent[2] : &u.sums[k];
                expect(at(gates, i, k * of.section + j), kept[k], 64 * EPS, "a gate", i, k);
                expect(at(errors, i, k * of.section + j), slope(cell, &u, sum, by_state), 256 * EPS + difference_error,
                       "a gate's gradient", i, k);
            }
        }
    expect_gaps(after, "the gap of the state");
    expect_gaps(gates, "the gap of the gates");
    expect_gaps(errors, "the gap of the gates' gradients");
    expect_gaps(back, "the gap of the state's gradient");
}

/* A NaN in the sums comes out of the step, and back. */
static void test_nan_of(size_t cell, size_t function)
{
    const fastnn_cell of = {1, padded(1), functions[function].activation, functions[function].recurrent_activation};
    const size_t n_states = cells[cell].n_states, ld = 4 * of.section;
    for (size_t gate = 0; gate < cells[cell].n_gates; gate++) {
        matrix gates = random_sections(1, 4, &of, ld), before = random_sections(1, n_states, &of, ld);
        matrix recurrent = random_sections(1, 4, &of, ld), state = random_sections(1, n_states, &of, ld);
        set(recurrent, 0, gate * of.section, NAN);
        forward(cell, &of, 1, gates, recurrent, before, state);
        expect(at(state, 0, 0), NAN, 0, "NaN's state", 0, gate);
        grad(cell, &of, 1, gates, before, state);
        expect(at(gates, 0, gate * of.section), NAN, 0, "NaN's gradient", 0, gate);
    }
}

void test_recurrent_cells(void)
{
    const size_t sizes[] = {1,         LANES - 1,     LANES,         LANES + 1,
                            TILE_COLS, TILE_COLS - 1, TILE_COLS + 1, 2 * TILE_COLS + LANES};
    for (size_t cell = 0; cell < sizeof cells / sizeof *cells; cell++)
        for (size_t function = 0; function < sizeof functions / sizeof *functions; function++) {
            for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
                test_cell_of(cell, function, sizes[i], 1 + i % 2);
            for (size_t rows = 1; rows <= 9; rows++)
                test_cell_of(cell, function, LANES + 1, rows);
            test_nan_of(cell, function);
        }
}
