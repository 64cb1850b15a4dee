/* The activations' numbers, in the order of activations.def: FASTNN_IDENTITY is 0. */
#ifndef FASTNN_ACTIVATIONS_H
#define FASTNN_ACTIVATIONS_H

enum fastnn_activation {
#define ACTIVATION(NAME, name, keeps) FASTNN_##NAME,
#include "activations.def"
#undef ACTIVATION
    FASTNN_N_ACTIVATIONS
};

#endif
