"""What keeps a failing fit from leaving half a model."""

from contextlib import contextmanager

# Which call is changing an estimator, by the estimator's id.
_changing = {}

# What scikit-learn's callbacks keep on the estimator during a call, and take down themselves after it.
_CALLBACKS = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")


@contextmanager
def all_or_nothing(estimator):
    """A call that fails leaves the estimator as it was, fitted or not; a second call at the same time is refused.

    The refused one must not even look: what it would restore is what the first is changing.
    """
    this_call = object()
    if _changing.setdefault(id(estimator), this_call) is not this_call:
        raise RuntimeError(f"This {type(estimator).__name__} instance is being fitted by another thread.")
    attributes = dict(vars(estimator))
    try:
        yield
    except BaseException:
        attributes |= {name: vars(estimator)[name] for name in _CALLBACKS if name in vars(estimator)}
        vars(estimator).clear()
        vars(estimator).update(attributes)
        raise
    finally:
        del _changing[id(estimator)]


@contextmanager
def taken_back_on_error(state, network):
    """A call that fails leaves a TrainingState, and the network it goes on with, if any, as they were."""
    before = state.snapshot()
    parameters = None if network is None else network.parameters.copy()
    try:
        yield
    except BaseException:
        state.restore(before)
        if network is not None:
            network.parameters[:] = parameters
        raise


@contextmanager
def optimizer_afresh_on_error(trainer):
    """Of an optimizer's memories, which may be larger than the network, there is no copy to go back to."""
    try:
        yield
    except BaseException:
        trainer.memories[:] = 0
        trainer.optimizer.step_count = 0
        raise
