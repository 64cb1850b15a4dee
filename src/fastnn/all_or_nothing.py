"""What keeps a failing fit from leaving half a model, and other threads from seeing one."""

import os
import threading
import weakref
from contextlib import contextmanager


class _Call:
    """One that changes an estimator."""

    def __init__(self):
        self.thread = threading.get_ident()


# References to them, by the estimator's id.
_changing = {}


def _forget_other_threads():
    """After a fork the child has none of them: their calls will never end."""
    for key, mine in list(_changing.items()):
        call = mine()
        if call is None or call.thread != threading.get_ident():
            del _changing[key]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)

# What scikit-learn's callbacks keep on the estimator during a call, and take down themselves after it.
_CALLBACKS = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")


def as_it_is(estimator):
    """A shallow copy, for reading several attributes that belong together while another thread fits.

    Copying a dict is one step to other threads. copy.copy() takes longer than a small network's prediction.
    """
    copied = object.__new__(type(estimator))
    copied.__dict__ = vars(estimator).copy()
    return copied


def become(estimator, attributes):
    """Give an estimator these attributes, and no others: in one step to other threads, but for what it loses."""
    vars(estimator).update(attributes)
    for name in vars(estimator).keys() - attributes.keys() - {*_CALLBACKS}:
        del vars(estimator)[name]


@contextmanager
def being_changed(estimator):
    """For the calls that change an estimator: a second one at the same time is refused.

    It must not even look: what it would go on from is what the first is changing.
    """
    key, this_call = id(estimator), _Call()

    def forget(mine):
        if _changing.get(key) is mine:
            del _changing[key]

    # Where Ctrl-C strikes before the end of `finally`, the reference goes with the call's frame: else the estimator,
    # and any later one of the same id, would be refused ever after.
    mine = weakref.ref(this_call, forget)
    try:
        if _changing.setdefault(key, mine) is not mine:
            raise RuntimeError(f"This {type(estimator).__name__} instance is being fitted by another thread.")
        yield
    finally:
        forget(mine)
        del mine  # before this_call goes: Python drops what such functions raise, Ctrl-C too


@contextmanager
def all_or_nothing(estimator):
    """A call that fails leaves the estimator as it was, fitted or not.

    Yields a draft of it to fit, which it becomes at the end; or sooner, by `become`, where others are to see it fitted.
    Until then it predicts as it did; where training goes on with its network, by `going_on`.
    """
    with being_changed(estimator):
        attributes, draft = vars(estimator).copy(), as_it_is(estimator)
        try:
            yield draft
            become(estimator, vars(draft))
        except BaseException:
            become(estimator, attributes)
            raise


@contextmanager
def going_on(estimator, state):
    """Training goes on with an estimator's network, and a TrainingState: a call that fails leaves both as they were.

    Until the call ends, other threads see the estimator with a copy of the network as it was: its `draft` has this one.
    """
    network, before = estimator._network, state.snapshot()
    estimator._network = network.copy()
    try:
        yield
    except BaseException:
        state.restore(before)
        network.parameters[:] = estimator._network.parameters
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
