"""The optimizers: their hyperparameters, and the constants of each step."""

from libc.math cimport pow, sqrt

from fastnn.engine.kernels cimport fastnn_update

cdef extern from *:
    """
    #include "optimizers.h"
    static const char *const fastnn_optimizer_names[] = {
    #define OPTIMIZER(name, memories) #name,
    #include "optimizers.def"
    #undef OPTIMIZER
    };
    static const int fastnn_optimizer_memories[] = {
    #define OPTIMIZER(name, memories) memories,
    #include "optimizers.def"
    #undef OPTIMIZER
    };
    """
    enum:
        FASTNN_N_OPTIMIZERS
        FASTNN_accumulate
        FASTNN_adam
    const char *const fastnn_optimizer_names[]
    const int fastnn_optimizer_memories[]

#: Every optimizer's name, in the order of the registry.
optimizer_names = tuple(fastnn_optimizer_names[i].decode() for i in range(FASTNN_N_OPTIMIZERS))


cdef class Optimizer:
    """One of the registry's optimizers, with its hyperparameters.

    Parameters
    ----------
    name : str
        A row of the registry: gradient, accumulate, sgd, momentum, nesterov, rmsprop, adam, adagrad.
    learning_rate : float
    l2 : float, default=0
        The strength of the penalty: scikit-learn's ``alpha``.
    decay_1, decay_2 : float, default=0
        The momentum of momentum and nesterov; rho of rmsprop; beta_1 and beta_2 of adam.
    epsilon : float, default=0
    weight_decay : float, default=0
        Each step multiplies the weights, but not the biases, by 1 - learning_rate * weight_decay.
    step_count : int, default=0
        The number of steps made, which adam's bias correction needs.

    Attributes
    ----------
    n_memories : int
        How many numbers the optimizer remembers of each weight.
    """

    def __init__(self, str name, double learning_rate, double l2=0, double decay_1=0, double decay_2=0,
                 double epsilon=0, double weight_decay=0, long long step_count=0):
        if name not in optimizer_names:
            raise ValueError(f"optimizer must be one of {', '.join(optimizer_names)}, got {name!r}")
        self.name = name
        self.step_count = step_count
        self.hyperparameters.learning_rate = learning_rate
        self.hyperparameters.optimizer = optimizer_names.index(name)
        self.hyperparameters.l2, self.hyperparameters.decay_1, self.hyperparameters.decay_2 = l2, decay_1, decay_2
        self.hyperparameters.epsilon, self.weight_decay = epsilon, weight_decay
        self.hyperparameters.keep = weight_decay  # per unit of the learning rate, until update_at makes a factor of it
        self.n_memories = fastnn_optimizer_memories[self.hyperparameters.optimizer]

    def __reduce__(self):
        s = self.hyperparameters
        return Optimizer, (
            self.name, s.learning_rate, s.l2, s.decay_1, s.decay_2, s.epsilon, self.weight_decay, self.step_count)


cdef fastnn_update update_at(const fastnn_update *hyperparameters, long long step, double total_weight,
                             double rate) noexcept nogil:
    """The constants of a step. The first step has the number 1.

    total_weight is the sum of the weights of the batch's samples, rate the factor of the learning rate.
    """
    cdef fastnn_update update = hyperparameters[0]
    update.scale = 1 / total_weight if total_weight > 0 else 0
    if update.optimizer == FASTNN_accumulate:
        update.scale = 1
    update.learning_rate *= rate
    update.keep = 1 - update.learning_rate * hyperparameters.keep
    if update.optimizer == FASTNN_adam:  # the bias correction: Kingma and Ba (2015), the end of section 2
        update.learning_rate *= sqrt(1 - pow(update.decay_2, step)) / (1 - pow(update.decay_1, step))
    return update
