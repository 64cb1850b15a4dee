"""Schedules of the learning rate.

A schedule is a function of the time, in epochs, of the parameters, and of the state of training. It returns the factors
of `learning_rate_init`. To add a schedule, add its function here and its row in SCHEDULES.
"""

import numpy as np

from fastnn.data.quoted import quoted
from fastnn.estimators.constraints import as_float

# one_cycle's first and last rate as fractions of the highest, and the fraction of epochs in which it rises: PyTorch's.
CYCLE_START, CYCLE_END, CYCLE_RISE = 1 / 25, 1 / 250_000, 0.3
# The factor by which "adaptive" lowers the rate, and the smallest rate that it lowers: scikit-learn's.
ADAPTIVE_FACTOR, ADAPTIVE_LEAST = 1 / 5, 1e-6


def _ramp(when, end):
    """A line from just above 0 to 1 at `end`, and 1 after it; 1 throughout if `end` is 0."""
    return np.minimum(when / end, 1.0) if end > 0 else np.ones_like(when)


def _cosine_from(start, stop, part):
    """Half a period of a cosine, from `start` at part 0 to `stop` at part 1."""
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


#: The schedules by their names.
SCHEDULES = {
    "constant": _constant,
    "invscaling": _invscaling,
    "adaptive": _adaptive,
    "cosine": _cosine,
    "one_cycle": _one_cycle,
}

#: The schedules whose rate is almost 0 after `max_iter` epochs.
ENDING = ("cosine", "one_cycle")


def n_unjudged_epochs(parameters):
    """The number of a fit's epochs in which the training loss may not end the fit.

    These are the epochs in which the rate rises, and all epochs of a schedule that ends. There a constant loss does not
    mean that training has converged.

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
    """The factors of `learning_rate_init` in each step of an epoch.

    Parameters
    ----------
    parameters : NetworkParameters
    state : TrainingState
        The state before this epoch.
    epoch : int
        The epoch's number in the schedule, from 0.
    n_batches : int

    Returns
    -------
    ndarray of float64 of shape (n_batches,), or None
        None stands for factors of 1.

    Raises
    ------
    ValueError
        When the user's function returns a value that is not a finite number of at least 0.
    """
    if parameters.learning_rate == "constant" and not parameters.warmup_fraction:
        return None
    when = epoch + np.arange(n_batches) / n_batches
    if callable(parameters.learning_rate):
        returned = parameters.learning_rate(len(state.loss_curve))
        rate = as_float(returned)
        if not (rate >= 0 and np.isfinite(rate)):
            raise ValueError(
                f"learning_rate must return a finite rate of at least 0, got {quoted(returned)} for epoch "
                f"{len(state.loss_curve)}"
            )
        factors = np.full(n_batches, rate / parameters.learning_rate_init)
    else:
        factors = SCHEDULES[parameters.learning_rate](when, parameters, state)
    if parameters.learning_rate != "one_cycle" and parameters.warmup_fraction:  # one_cycle has a rise of its own
        factors = factors * _ramp(when + 1 / n_batches, parameters.warmup_fraction * parameters.max_iter)
    return factors


def drop_rate(parameters, state):
    """Lower an adaptive learning rate once more.

    Returns
    -------
    bool
        Whether the rate was lowered. If not, it is already as low as it can be, and training is to stop.
    """
    if parameters.learning_rate_init * ADAPTIVE_FACTOR**state.n_rate_drops <= ADAPTIVE_LEAST:
        return False
    state.n_rate_drops += 1
    return True
