"""Where the time of training goes: by the operation of a step, and by the thread."""

import os
import time

import numpy as np

from libc.stddef cimport size_t
from libc.string cimport memset

from fastnn.engine.arrays cimport Workspace
from fastnn.engine.isa cimport kernels_for
from fastnn.engine.kernels cimport fastnn_kernels
from fastnn.engine.network cimport Network
from fastnn.engine.segment cimport OperationTime, Plan
from fastnn.engine.steps import steps_by_layer
from fastnn.engine.threads.team cimport Team, affordable_team, run_team, team_barrier

# Operations that multiply a layer's weights by every row.
PRODUCTS = ("forward", "back", "grad")
CACHE_LINE_TIMES = 4  # or more: no two threads add to times in one line


cdef class Profile:
    """The times of a trainer's operations.

    Parameters
    ----------
    network : Network
    phases : list of list of tuple
        The trainer's schedule.
    n_threads : int
        The most threads that a step uses.

    Attributes
    ----------
    n_samples, n_steps : float
        How many samples were trained on, of sequences of any length their time steps; and in how many steps.
    """

    def __init__(self, Network network not None, list phases, int n_threads):
        self.network, self.phases, self.n_threads = network, phases, n_threads
        self.n_samples = self.n_steps = 0
        self.n_products = [0.0] * len(network.layers)
        self.space = Workspace()

    cdef book(self, Plan *plan):
        """Let the plan's threads note their times here."""
        cdef int i
        cdef size_t stride = plan.n_timed + CACHE_LINE_TIMES
        self.times = <OperationTime *> self.space.zeros(self.n_threads * stride * sizeof(OperationTime), np.uint8)
        self.stride = stride
        for i in range(self.n_threads):
            plan.views[i].times = self.times + i * stride

    def note(self, n_steps, X, order):
        """Count the steps of a run, and the samples of X that they trained on."""
        layers = self.network.layers
        steps = steps_by_layer(layers, X.lengths[order]) if self.network.is_ragged else [None] * (1 + len(layers))
        self.n_steps += n_steps
        self.n_samples += len(order) if steps[0] is None else steps[0].sum()
        for i, layer in enumerate(layers):
            # A layer that makes a vector of a sequence is recurrent, or has no product.
            counted = steps[i] if steps[i + 1] is None else steps[i + 1]
            self.n_products[i] += layer.n_products() * (len(order) if counted is None else counted.sum())

    def operations(self):
        """What was done, in the order of a step.

        Returns
        -------
        list of tuple
            Each operation's phase, from 1; its name and its layer, as the schedule has them; whether it is part of the
            operation by rows before it; its floating-point operations, without padding, 0 where it has no product; and
            for each thread the seconds that it worked, and waited at the barrier behind it.
        """
        listed, number = [], 0
        by_rows = sum(map(len, self.phases))
        for phase, operations in enumerate(self.phases, 1):
            for name, *arguments in operations:
                rows = arguments[0] if name == "rows" else []
                listed.append(self._operation(phase, name, [] if rows else arguments, False, number))
                number += 1
                for row_name, *layer in rows:
                    listed.append(self._operation(phase, row_name, layer, True, by_rows))
                    by_rows += 1
        return listed

    def _operation(self, phase, name, layer, is_by_rows, size_t number):
        cdef size_t i
        times = [(self.times[i * self.stride + number].working, self.times[i * self.stride + number].waiting)
                 for i in range(<size_t> self.n_threads)]
        return phase, " ".join(map(str, [name, *layer])), is_by_rows, self._flops(name, layer), times

    def _flops(self, name, layer):
        if not layer:
            return 0.0
        engine_layer = self.network.layers[layer[0]]
        if name not in PRODUCTS and (name != "step" or engine_layer.sums_by_samples()):
            return 0.0
        return 2.0 * engine_layer.n_multiplied(name) * self.n_products[layer[0]]


cdef Profile profile_if_wanted(Network network, list phases, int n_threads, Plan *plan):
    """A profile of the plan's operations if the environment has FASTNN_PROFILE=1, else None."""
    cdef Profile profile
    if os.environ.get("FASTNN_PROFILE") != "1":
        return None
    profile = Profile(network, phases, n_threads)
    profile.book(plan)
    return profile


def peak_gflops(dtype, rounds=5):
    """The most arithmetic that a core does, in GFLOP/s."""
    best = 0.0
    for _ in range(rounds):
        start = time.perf_counter()
        flops = multiply_add(dtype, 20_000)
        best = max(best, flops / (time.perf_counter() - start))
    return best / 1e9


cdef struct MultiplyAdds:
    const fastnn_kernels *kernels
    size_t n


cdef void run_multiply_adds(void *job, const Team *team) noexcept nogil:
    cdef MultiplyAdds *adds = <MultiplyAdds *> job
    cdef double total
    adds.kernels.multiply_add(adds.n, &total)


def multiply_add(dtype, size_t n, int n_threads=1):
    """Do n rounds of multiply-adds and nothing else on each thread. Returns the floating-point operations of all."""
    cdef double total
    cdef team_barrier barrier
    cdef MultiplyAdds adds = MultiplyAdds(kernels_for(dtype), n)
    memset(&barrier, 0, sizeof(barrier))
    n_threads = affordable_team(n_threads)
    with nogil:
        run_team(n_threads, run_multiply_adds, &adds, &barrier)
    return n_threads * n * adds.kernels.multiply_add(1, &total)
