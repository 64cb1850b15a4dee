"""Calls that change an estimator wholly or not at all: no error, and no other thread, meets a half-fitted model."""

import os
import threading
import weakref
from contextlib import contextmanager

from fastnn._sklearn import CALLBACK_ATTRIBUTES


class _Call:
    """A call that changes an estimator."""

    def __init__(self):
        self.thread = threading.get_ident()


# A weak reference to the call that changes each estimator, by the estimator's id.
_changing = {}


def _forget_other_threads():
    """Forget the calls of other threads: after a fork the child does not have these threads."""
    for key, mine in list(_changing.items()):
        call = mine()
        if call is None or call.thread != threading.get_ident():
            del _changing[key]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_threads)

_NOTHING = object()


def snapshot(estimator):
    """A shallow copy, from which attributes that belong together can be read while another thread fits.

    To other threads the copy of a dict is a single step. `copy.copy` takes longer than a small network's prediction.
    """
    copied = object.__new__(type(estimator))
    copied.__dict__ = vars(estimator).copy()
    return copied


class SnapshotMixin:
    """An estimator whose copies and pickles are of one moment, even if another thread fits it while they are made.

    `copy.deepcopy` takes many steps, and scikit-learn's `__getstate__` gives it the very dict that changes. The class
    has to come before BaseEstimator among the bases.
    """

    def __getstate__(self):
        return super(SnapshotMixin, snapshot(self)).__getstate__()


def _commit(estimator, draft, before):
    """Give an estimator the attributes of its draft: all changes are a single step to other threads.

    Attributes that callbacks or other threads have set on the estimator since `before` stay: for instance parameters.
    Attributes that the draft lacks are deleted after that step.
    """
    changed = {name: value for name, value in draft.items() if value is not before.get(name, _NOTHING)}
    vars(estimator).update(changed)
    for name in before.keys() - draft.keys() & vars(estimator).keys():
        del vars(estimator)[name]


def _restore(estimator, before):
    """Give an estimator the attributes that it had before, and no others."""
    vars(estimator).update(before)
    for name in vars(estimator).keys() - before.keys() - {*CALLBACK_ATTRIBUTES}:
        del vars(estimator)[name]


@contextmanager
def being_changed(estimator):
    """A context for a call that changes an estimator: a second call at the same time is refused.

    The second call may not even read the estimator, whose attributes the first call is changing.

    Raises
    ------
    RuntimeError
    """
    key, this_call = id(estimator), _Call()

    def forget(mine):
        if _changing.get(key) is mine:
            del _changing[key]

    # If Ctrl-C interrupts `finally`, the reference is dropped with the call's frame. A strong reference would stay, and
    # the estimator, and any later one with the same id, would always be refused.
    mine = weakref.ref(this_call, forget)
    try:
        if _changing.setdefault(key, mine) is not mine:
            raise RuntimeError(_refusal(estimator))
        yield
    finally:
        forget(mine)
        del mine  # before this_call: Python ignores what a weak reference's callback raises, even Ctrl-C


def _refusal(estimator):
    """The message for a call that is refused because another one is changing the estimator."""
    name, reference = type(estimator).__name__, _changing.get(id(estimator))
    other = reference and reference()  # None if that has ended by now
    if other is None or other.thread != threading.get_ident():
        return f"This {name} instance is being fitted by another thread."
    return f"This {name} instance is being fitted: a function that its fit calls, such as a callback, cannot change it."


@contextmanager
def all_or_nothing(estimator):
    """A context for a call that fits an estimator: if the call fails, the estimator stays as it was.

    Yields
    ------
    draft : estimator
        A copy of the estimator, to be fitted. Meanwhile the estimator predicts as before.
    commit : callable
        Gives the estimator the draft's attributes. The end of the context does so, too; a call before it shows the
        fitted estimator to callbacks.
    """
    with being_changed(estimator):
        before, draft = vars(estimator).copy(), snapshot(estimator)

        def commit():
            _commit(estimator, vars(draft), before)

        try:
            yield draft, commit
            commit()
        except BaseException:
            _restore(estimator, before)
            raise


@contextmanager
def resuming(estimator):
    """A context for training that resumes: if it fails, the estimator's generator and trainer are set back.

    Its network needs no such thing: a copy is trained, since other threads may be predicting with the network.
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
    """A context for the one call that uses a trainer, which the models that callbacks get then may not use.

    After an error its optimizer starts afresh. Its memories, which may be larger than the network, are not copied
    before.
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
    """Reset the memories and the step count of a trainer's optimizer."""
    trainer.memories[:] = 0
    trainer.optimizer.step_count = 0
