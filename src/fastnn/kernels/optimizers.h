/* The optimizers' numbers, from optimizers.def. */
#ifndef FASTNN_OPTIMIZERS_H
#define FASTNN_OPTIMIZERS_H

enum fastnn_optimizer {
#define OPTIMIZER(name, memories) FASTNN_##name,
#include "optimizers.def"
#undef OPTIMIZER
    FASTNN_N_OPTIMIZERS
};

#endif
