"""What keeps a failing fit from leaving half a model, and other threads from seeing one."""

import os
import threading
import weakref
from contextlib import contextmanager

from fastnn._sklearn import CALLBACK_ATTRIBUTES


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

_NOTHING = object()


def as_it_is(estimator):
    """A shallow copy, for reading several attributes that belong together while another thread fits.

    Copying a dict is one step to other threads. copy.copy() takes longer than a small network's prediction.
    """
    copied = object.__new__(type(estimator))
    copied.__dict__ = vars(estimator).copy()
    return copied


class CopiedAsItIs:
    """An estimator whose copies and pickles are of one moment, though another thread fits it while they are made.

    copy.deepcopy takes many steps, and scikit-learn's state is the very dict that changes. To come before
    BaseEstimator.
    """

    def __getstate__(self):
        return super(CopiedAsItIs, as_it_is(self)).__getstate__()


def _become(estimator, draft, before):
    """Give an estimator what a draft of it has come to: in one step to other threads, but for what it loses.

    What callbacks, or other threads, have set on the estimator since then `before` stays: parameters, say, and
    attributes of their own.
    """
    changed = {name: value for name, value in draft.items() if value is not before.get(name, _NOTHING)}
    vars(estimator).update(changed)
    for name in before.keys() - draft.keys() & vars(estimator).keys():
        del vars(estimator)[name]


def _restore(estimator, before):
    """Give an estimator what it had before, and nothing else."""
    vars(estimator).update(before)
    for name in vars(estimator).keys() - before.keys() - {*CALLBACK_ATTRIBUTES}:
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
            raise RuntimeError(_refusal(estimator))
        yield
    finally:
        forget(mine)
        del mine  # before this_call goes: Python drops what such functions raise, Ctrl-C too


def _refusal(estimator):
    """Why a call may not change an estimator that another one is changing."""
    name, reference = type(estimator).__name__, _changing.get(id(estimator))
    other = reference and reference()  # None if that has ended by now
    if other is None or other.thread != threading.get_ident():
        return f"This {name} instance is being fitted by another thread."
    return f"This {name} instance is being fitted: a function that its fit calls, such as a callback, cannot change it."


@contextmanager
def all_or_nothing(estimator):
    """A call that fails leaves the estimator as it was, fitted or not.

    Yields a draft of it to fit, and a function that makes the estimator what the draft has come to: to be called where
    others are to see it fitted before the end. Until then it predicts as it did.
    """
    with being_changed(estimator):
        before, draft = vars(estimator).copy(), as_it_is(estimator)

        def become():
            _become(estimator, vars(draft), before)

        try:
            yield draft, become
            become()
        except BaseException:
            _restore(estimator, before)
            raise


@contextmanager
def going_on(estimator):
    """Training goes on from an estimator: a call that fails leaves its random numbers and its trainer as they were.

    What is trained is a copy of the network, since other threads may be in the middle of a prediction with this one.
    """
    state = estimator._state
    before = state.random_state.get_state() if state.owns_random_state else None
    try:
        yield
    except BaseException:
        if before is not None:
            state.random_state.set_state(before)
        if estimator._trainer is not None:
            estimator._trainer.move_to(estimator._network)
        raise


@contextmanager
def in_use(trainer):
    """A trainer for one call alone, not for the models that callbacks get, too.

    After an error its optimizer starts afresh: of memories, which may be larger than the network, there is no copy.
    """
    trainer.in_use = True
    try:
        yield
    except BaseException:
        start_afresh(trainer)
        raise
    finally:
        trainer.in_use = False


def start_afresh(trainer):
    """Let a trainer's optimizer forget what it remembers."""
    trainer.memories[:] = 0
    trainer.optimizer.step_count = 0
