"""How the learning rate goes on through a fit.

A schedule is a function of when, in epochs, and of what has been so far: what `learning_rate_init` is multiplied by.
To add one: its function here and its row in SCHEDULES.
"""

import numpy as np

from fastnn.estimators.constraints import as_float

# One cycle's two ends, in parts of the highest rate, and the part of it that goes up: PyTorch's.
CYCLE_START, CYCLE_END, CYCLE_RISE = 1 / 25, 1 / 250_000, 0.3
# What "adaptive" multiplies by, and the smallest rate it goes on from: scikit-learn's.
ADAPTIVE_FACTOR, ADAPTIVE_LEAST = 1 / 5, 1e-6


def _ramp(when, end):
    """From just over 0 to 1 at the end; 1 without a ramp."""
    return np.minimum(when / end, 1.0) if end > 0 else np.ones_like(when)


def _cosine_from(start, stop, part):
    """From start at 0 to stop at 1 along half a period of a cosine."""
    return stop + (start - stop) * (1 + np.cos(np.pi * np.clip(part, 0, 1))) / 2


def _constant(when, parameters, state):
    return np.ones_like(when)


def _invscaling(when, parameters, state):
    return np.full_like(when, (state.n_samples_seen + 1.0) ** -parameters.power_t)


def _adaptive(when, parameters, state):
    return np.full_like(when, ADAPTIVE_FACTOR**state.n_rate_drops)


def _cosine(when, parameters, state):
    rise = (parameters.warmup_fraction or 0) * parameters.max_iter
    return _cosine_from(1, 0, (when - rise) / max(parameters.max_iter - rise, 1e-9))


def _one_cycle(when, parameters, state):
    fraction = CYCLE_RISE if parameters.warmup_fraction is None else parameters.warmup_fraction
    rise = fraction * parameters.max_iter
    up = _cosine_from(CYCLE_START, 1, when / max(rise, 1e-9))
    down = _cosine_from(1, CYCLE_END, (when - rise) / max(parameters.max_iter - rise, 1e-9))
    return np.where(when < rise, up, down)


#: Each schedule by its name.
SCHEDULES = {
    "constant": _constant,
    "invscaling": _invscaling,
    "adaptive": _adaptive,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
}

#: Those whose rate is all but 0 after `max_iter` epochs.
ENDING = ("cosine", "one_cycle")


def n_unjudged_epochs(parameters):
    """How many epochs of a fit say nothing of its end by their training loss: those planned by `max_iter`.

    While the rate rises, and where it falls to all but 0, a loss that stays where it is is no sign that it will stay.

    Parameters
    ----------
    parameters : NetworkParameters

    Returns
    -------
    float
    """
    if parameters.learning_rate in ENDING:
        return np.inf
    return (parameters.warmup_fraction or 0) * parameters.max_iter


def rates(parameters, state, epoch, n_batches):
    """What `learning_rate_init` is multiplied by in each step of an epoch.

    Parameters
    ----------
    parameters : NetworkParameters
    state : TrainingState
        Before this epoch.
    epoch : int
        Its number in the schedule, from 0.
    n_batches : int

    Returns
    -------
    ndarray of float64 of shape (n_batches,), or None
        None: by 1, as in most networks' every epoch.

    Raises
    ------
    ValueError
        When the user's function returns no positive number.
    """
    if parameters.learning_rate == "constant" and not parameters.warmup_fraction:
        return None
    when = epoch + np.arange(n_batches) / n_batches
    if callable(parameters.learning_rate):
        returned = parameters.learning_rate(len(state.loss_curve))
        rate = as_float(returned)
        if not (rate >= 0 and np.isfinite(rate)):
            raise ValueError(
                f"learning_rate returned {returned!r} for epoch {len(state.loss_curve)}: it must be a rate >= 0."
            )
        factors = np.full(n_batches, rate / parameters.learning_rate_init)
    else:
        factors = SCHEDULES[parameters.learning_rate](when, parameters, state)
    if parameters.learning_rate != "one_cycle" and parameters.warmup_fraction:  # one_cycle's start is its own
        factors = factors * _ramp(when + 1 / n_batches, parameters.warmup_fraction * parameters.max_iter)
    return factors


def drop_rate(parameters, state):
    """Lower an adaptive learning rate once more.

    Returns
    -------
    bool
        Whether there was a rate to lower: if not, training is to stop.
    """
    if parameters.learning_rate_init * ADAPTIVE_FACTOR**state.n_rate_drops <= ADAPTIVE_LEAST:
        return False
    state.n_rate_drops += 1
    return True
