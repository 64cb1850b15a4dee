/* The elementwise losses' numbers, in the order of losses.def. */
#ifndef FASTNN_LOSSES_H
#define FASTNN_LOSSES_H

enum fastnn_loss {
#define LOSS(name, link, mean) FASTNN_loss_##name,
#include "losses.def"
#undef LOSS
    FASTNN_N_LOSSES
};

#endif
