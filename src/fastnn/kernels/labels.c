/* From what a classifier's last layer makes to the numbers of classes, without what only probabilities need. */
#include "table.h"
#include "transpose.h"

#include <math.h>

/* Logits that are further apart have probabilities that differ, whatever the rounding: these are apart by a part in a
 * thousand, and 2^-23 is a unit in the last place of a float. So an exponential is needed only by rows whose two
 * largest logits are nearer than this, or of which one is infinite or NaN. */
#define APART ((real)1 / 1024)

/* The search for a row's largest logit, in each lane: of a row of its own, or of a part of one row. */
typedef struct {
    vreal bound;     /* the largest logit, less what others must be apart from it */
    vbits near, at;  /* minus the number of logits from the bound up; their numbers, or-ed: that of a single one */
    vbits unordered; /* not 0 where a logit is NaN */
} search;

INLINE void look_at(search *found, vreal z, vbits numbers)
{
    vbits is_near = z >= found->bound;
    found->near += is_near;
    found->at |= is_near & numbers;
    found->unordered |= z != z;
}

/* Of the probabilities of one row: the first of the largest, or the first NaN, as NumPy's argmax. */
static intptr_t first_largest(const real *p, size_t n_outputs)
{
    size_t best = 0;
    for (size_t j = 1; j < n_outputs && p[best] == p[best]; j++)
        if (p[j] > p[best] || p[j] != p[j])
            best = j;
    return (intptr_t)best;
}

/* Whatever the logits are. */
static void labels_by_softmax(size_t rows, size_t n_outputs, real *z, size_t ldz, intptr_t *labels, size_t ldl)
{
    KERNEL(softmax)(rows, n_outputs, z, ldz);
    for (size_t i = 0; i < rows; i++)
        labels[i * ldl] = first_largest(z + i * ldz, n_outputs);
}

/* Up to LANES rows of few logits. Returns whether the labels are certain. */
static int labels_of_few(size_t rows, size_t n_outputs, const real *z, size_t ldz, intptr_t *labels, size_t ldl)
{
    vreal turned[FEW_OUTPUTS + LANES], largest;
    search found = {0};
    real_bits at[LANES];
    turn_rows(rows, n_outputs, z, ldz, turned);
    largest = turned[0];
    for (size_t j = 1; j < n_outputs; j++)
        largest = choose(turned[j] > largest, turned[j], largest);
    found.bound = largest - APART;
    for (size_t j = 0; j < n_outputs; j++)
        look_at(&found, turned[j], broadcast_bits((real_bits)j));
    found.unordered |= (found.near != -1) | (largest - largest != 0);
    memcpy(at, &found.at, sizeof at);
    for (size_t i = 0; i < rows; i++)
        labels[i * ldl] = at[i];
    return !(lanes_where(found.unordered != 0) & (((uint32_t)1 << rows) - 1));
}

/* One row of many logits. Likewise. */
static int label_of_many(size_t n_outputs, const real *z, intptr_t *label)
{
    vreal most = broadcast(z[0]);
    vbits numbers = {0};
    search found = {0};
    real largest;
    real_bits near = 0, at = 0;
    for (size_t j = 0; j < n_outputs; j += LANES) {
        vreal some = load_row_filled(z, j, n_outputs, z[0]);
        most = choose(some > most, some, most);
    }
    largest = most[0];
    for (int i = 1; i < LANES; i++)
        largest = most[i] > largest ? most[i] : largest;
    found.bound = broadcast(largest - APART);
    for (int i = 0; i < LANES; i++)
        numbers[i] = i;
    for (size_t j = 0; j < n_outputs; j += LANES, numbers += LANES)
        look_at(&found, load_row_filled(z, j, n_outputs, -INFINITY), numbers);
    for (int i = 0; i < LANES; i++) {
        near += found.near[i];
        at |= found.at[i];
    }
    *label = at;
    return near == -1 && !lanes_where(found.unordered != 0) && largest - largest == 0;
}

void KERNEL(softmax_labels)(size_t rows, size_t n_outputs, void *z, size_t ldz, intptr_t *labels, size_t ldl)
{
    const size_t step = n_outputs <= FEW_OUTPUTS ? LANES : 1;
    for (size_t first = 0; first < rows; first += step) {
        real *some = (real *)z + first * ldz;
        size_t n = rows - first < step ? rows - first : step;
        intptr_t *own = labels + first * ldl;
        int certain = n_outputs <= FEW_OUTPUTS ? labels_of_few(n, n_outputs, some, ldz, own, ldl)
                                               : label_of_many(n_outputs, some, own);
        if (!certain)
            labels_by_softmax(n, n_outputs, some, ldz, own, ldl);
    }
}

void KERNEL(likely_labels)(size_t rows, size_t n_outputs, const void *p, size_t ldp, intptr_t *labels, size_t ldl)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < n_outputs; j++)
            labels[i * ldl + j] = ((const real *)p)[i * ldp + j] > (real)0.5;
}
