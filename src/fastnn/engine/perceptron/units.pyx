"""Units that learn side by side: their epochs, their orders, when they stop, and which thread trains which unit.

As in scikit-learn, each unit reads the samples in an order of its own, and no unit's numbers depend on another's. So a
thread takes whole units, and the number of threads changes no bit.
"""

from libc.math cimport INFINITY
from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t, uint64_t

from fastnn.engine.kernels cimport FASTNN_MOST_UNITS, fastnn_perceptron, fastnn_visits
from fastnn.engine.threads.team cimport Team, team_claim, team_count, team_give_back, team_next, team_yield

# Rows that a kernel takes at once. The order is drawn as many rows ahead of it.
cdef size_t BLOCK_ROWS = 256


cdef inline uint32_t next_random(uint32_t *state) noexcept nogil:
    """The next number of scikit-learn's our_rand_r, a xorshift generator."""
    cdef uint32_t x = state[0] if state[0] != 0 else 1
    x ^= x << 13
    x ^= x >> 17
    x ^= x << 5
    state[0] = x
    return x & 0x7fffffff


cdef const uint32_t *known_order(Unit *unit, Slot *slot, size_t n_samples, size_t until) noexcept nogil:
    """The epoch's order, worked out for at least the first `until` samples."""
    cdef size_t i, j
    cdef uint32_t *order = slot.shuffle
    if order == NULL:
        return NULL
    if unit.epoch == 0:  # Fisher and Yates' shuffle
        for i in range(unit.drawn, until):
            if i + 1 < n_samples:
                j = i + next_random(&unit.random) % <uint32_t> (n_samples - i)
                order[i], order[j] = order[j], order[i]
    else:
        order = slot.next_order
        for i in range(unit.drawn, until):
            order[i] = slot.order[slot.shuffle[i]]
    unit.drawn = max(unit.drawn, until)
    return order


cdef void end_epoch(Training *job, Unit *unit, uint64_t *mistakes) noexcept nogil:
    """Decide by scikit-learn's rule whether the unit stops, and reset the counters for the next epoch."""
    cdef fastnn_perceptron *learnt = &unit.learnt
    cdef bint improved
    if not unit.settled:
        unit.objective = (learnt.loss + learnt.penalty) / job.n_train
        if job.held_out_weight > 0:
            learnt.score = 0
            job.kernels.perceptron_score(learnt, &job.examples, 0, job.n_samples)
            unit.score = learnt.score / job.held_out_weight
        unit.overflowed = not job.kernels.perceptron_is_finite(learnt, job.examples.n_features)
        unit.settled = not job.in_parts and learnt.n_mistakes == 0 and learnt.alpha < 0 and unit.means == NULL
    mistakes[unit.epoch % SEGMENT_EPOCHS] = learnt.n_mistakes
    if job.held_out_weight > 0:
        improved = unit.score >= unit.best + job.tol
        unit.best = max(unit.best, unit.score)
    else:
        improved = unit.objective <= -unit.best - job.tol
        unit.best = max(unit.best, -unit.objective)
    unit.n_unimproved = 0 if improved or job.tol == -INFINITY else unit.n_unimproved + 1
    unit.epoch += 1
    unit.position = unit.drawn = 0
    unit.begun = False
    unit.done = unit.overflowed or unit.n_unimproved >= job.n_iter_no_change or unit.epoch == job.max_iter


cdef void begin_epoch(Training *job, Unit *unit, Slot *slot) noexcept nogil:
    unit.learnt.loss = unit.learnt.penalty = 0
    unit.learnt.n_mistakes = 0
    unit.begun = True
    if unit.epoch == 1:
        slot.order = slot.shuffle
    elif unit.epoch == 2:
        slot.order, slot.next_order = slot.next_order, slot.next_order + job.n_samples
    elif unit.epoch > 2:
        slot.order, slot.next_order = slot.next_order, slot.order
    if unit.settled:
        unit.position = job.n_samples
        unit.learnt.step += job.n_train


cdef void begin_unit(Training *job, Unit *unit, Slot *slot) noexcept nogil:
    cdef size_t i
    unit.learnt.weights = slot.numbers
    if unit.means != NULL:
        unit.learnt.sums = slot.numbers + job.vector_length
    if unit.learnt.alpha >= 0 and unit.learnt.l1_ratio > 0:
        unit.learnt.l1_given = slot.numbers + (2 if unit.means != NULL else 1) * job.vector_length
    job.kernels.perceptron_begin(&unit.learnt, job.examples.n_features, unit.coef, unit.means)
    unit.random = unit.seed
    if slot.shuffle != NULL:
        slot.next_order = slot.shuffle + job.n_samples
        for i in range(job.n_samples):
            slot.shuffle[i] = i


cdef inline size_t n_left(Training *job) noexcept nogil:
    """The number of units that can continue."""
    return job.n_active - team_count(&job.n_stopped)


cdef bint has_work(Training *job, Slot *slot) noexcept nogil:
    """Whether the slot's unit can continue. An empty slot takes the next unit that has not begun."""
    if slot.unit < 0:
        slot.unit = team_next(&job.next_unit)
        if slot.unit >= <int64_t> job.n_units:
            slot.unit = -1
            return False
        begin_unit(job, &job.units[slot.unit], slot)
    return can_continue(job, &job.units[slot.unit])


cdef int64_t learn_block(Training *job, Slot **slots, size_t n_slots) noexcept nogil:
    """Train each unit on a block of rows, which ends where the first unit ends its epoch. Returns the sum of rows."""
    cdef fastnn_visits visits[FASTNN_MOST_UNITS]
    cdef size_t i, ahead, n_rows = BLOCK_ROWS
    cdef Unit *unit
    for i in range(n_slots):
        unit = &job.units[slots[i].unit]
        if not unit.begun:
            begin_epoch(job, unit, slots[i])
        n_rows = min(n_rows, job.n_samples - unit.position)
    if n_rows > 0:  # else a unit has settled: it ends its epoch, and the others wait
        for i in range(n_slots):
            unit = &job.units[slots[i].unit]
            ahead = min(unit.position + n_rows + BLOCK_ROWS, job.n_samples)
            visits[i].unit = &unit.learnt
            visits[i].order = known_order(unit, slots[i], job.n_samples, ahead)
            visits[i].first, visits[i].known = unit.position, unit.drawn
        job.kernels.perceptron_learn(visits, n_slots, &job.examples, n_rows)
    for i in range(n_slots):
        unit = &job.units[slots[i].unit]
        unit.position += n_rows
        unit.waits = job.in_parts and unit.position == job.n_samples
        if unit.position == job.n_samples and not job.in_parts:
            end_epoch(job, unit, job.mistakes + slots[i].unit * SEGMENT_EPOCHS)
    return n_slots * n_rows


cdef void take_turn(Training *job, Slot **slots, size_t n_slots) noexcept nogil:
    """Train units until their turn ends, or one of them cannot continue."""
    cdef int64_t spent = 0
    cdef size_t i
    cdef Unit *unit
    cdef bint active = True
    while active and spent < job.turn_terms:
        spent += 1 + learn_block(job, slots, n_slots) * job.row_terms
        for i in range(n_slots):
            active = active and can_continue(job, &job.units[slots[i].unit])
    for i in range(n_slots):
        unit = &job.units[slots[i].unit]
        if not can_continue(job, unit):
            team_next(&job.n_stopped)
        if unit.done:
            job.kernels.perceptron_end(&unit.learnt, job.examples.n_features, unit.coef, unit.means)
            slots[i].unit = -1


cdef void run_segment(void *training, const Team *team) noexcept nogil:
    """Take turns with the units in one slot after another, except slots that other threads have taken."""
    cdef Training *job = <Training *> training
    cdef Slot *mine[FASTNN_MOST_UNITS]
    cdef size_t i, _, most, n_mine, n_others, slot = team.rank
    while n_left(job) > 0:
        # An even share of the units: several of them learn faster together than one by one.
        most = (min(n_left(job), job.n_slots) + job.n_threads - 1) // job.n_threads
        most = max(1, min(most, job.n_together))  # another thread may just have stopped the last unit
        n_mine = n_others = 0
        for _ in range(job.n_slots):
            slot = (slot + 1) % job.n_slots
            if not team_claim(&job.slots[slot].taken):
                n_others += 1
            elif has_work(job, &job.slots[slot]):
                mine[n_mine] = &job.slots[slot]
                n_mine += 1
                if n_mine == most:
                    break
            else:
                team_give_back(&job.slots[slot].taken)
        if n_mine > 0:
            take_turn(job, mine, n_mine)
            for i in range(n_mine):
                team_give_back(&mine[i].taken)
            if team_next(&job.n_turns) >= job.segment_turns * job.n_threads:
                return
        elif n_others < <size_t> job.n_threads:
            return
        else:  # another thread has several units, and leaves some of them after its turn
            team_yield()
