"""The number of threads that segments use, decided by the clock: here the test's own."""

import numpy as np
import pytest

from fastnn import MLPClassifier
from fastnn.training import thread_choice
from fastnn.training.thread_choice import LARGE_STEP, N_TRIALS, N_WARM_UP, SEGMENTS_BETWEEN_LOOKS, ThreadChoice


@pytest.fixture
def share(monkeypatch):
    """The fit's share of the cores, which a test may change."""
    share = {"n": 4}
    monkeypatch.setattr(thread_choice, "threads_now", lambda n_threads: share["n"] if n_threads is None else n_threads)
    return share


def run(choice, n_segments, seconds):
    """The numbers of threads of so many segments, which take so long with each number."""
    used = []
    for _ in range(n_segments):
        used.append(choice.next())
        choice.note(used[-1], seconds[used[-1]])
    return used


TRIAL = [4, 1] * N_TRIALS


@pytest.mark.parametrize(("seconds", "faster"), [({4: 1.0, 1: 1.6}, 4), ({4: 1.0, 1: 0.9}, 1)])
def test_both_are_timed_and_the_faster_one_goes_on(share, seconds, faster):
    choice = ThreadChoice(None, 4, 1e7)
    assert run(choice, N_WARM_UP, seconds) == [4] * N_WARM_UP
    assert run(choice, 2 * N_TRIALS, seconds) == TRIAL
    assert run(choice, SEGMENTS_BETWEEN_LOOKS, seconds) == [faster] * SEGMENTS_BETWEEN_LOOKS
    assert run(choice, 2, seconds) == [5 - faster, faster]  # a look at the other one, which is slower still


def test_the_best_time_counts(share):
    choice = ThreadChoice(None, 4, 1e7)
    run(choice, N_WARM_UP, {4: 1.0})
    for threads, seconds in zip(TRIAL, [9.0, 1.5, 1.0, 1.6, 8.0, 1.5], strict=True):
        assert choice.next() == threads
        choice.note(threads, seconds)
    assert choice.next() == 4


def test_a_look_that_finds_the_other_one_faster_times_both_again(share):
    choice = ThreadChoice(None, 4, 1e7)
    run(choice, N_WARM_UP + 2 * N_TRIALS + SEGMENTS_BETWEEN_LOOKS, {4: 1.0, 1: 1.6})
    assert run(choice, 1, {1: 0.5}) == [1]
    assert run(choice, 2 * N_TRIALS, {4: 1.0, 1: 0.5}) == TRIAL
    assert run(choice, 3, {1: 0.5}) == [1, 1, 1]


def test_so_does_a_stall_that_lasts(share):
    choice = ThreadChoice(None, 4, 1e7)
    run(choice, N_WARM_UP + 2 * N_TRIALS + 5, {4: 1.0, 1: 1.6})
    assert run(choice, 4, {4: 2.5}) == [4, 4, 4, 4]
    assert run(choice, 2 * N_TRIALS - 1, {4: 2.5, 1: 1.6}) == TRIAL[1:]
    assert choice.next() == 1


def test_one_slow_segment_changes_nothing(share):
    choice = ThreadChoice(None, 4, 1e7)
    run(choice, N_WARM_UP + 2 * N_TRIALS, {4: 1.0, 1: 1.6})
    for _ in range(5):
        assert run(choice, 3, {4: 1.0}) + run(choice, 1, {4: 9.0}) == [4, 4, 4, 4]


def test_another_share_is_timed_anew(share):
    choice = ThreadChoice(None, 4, 1e7)
    run(choice, N_WARM_UP + 2 * N_TRIALS, {4: 1.0, 1: 0.5})
    assert choice.next() == 1
    share["n"] = 2
    assert run(choice, 2 * N_TRIALS, {2: 1.0, 1: 1.2}) == [2, 1] * N_TRIALS
    assert choice.next() == 2
    share["n"] = 1
    assert run(choice, 60, {1: 1.0}) == [1] * 60


def test_segments_on_one_core_are_no_trials_of_several(share):
    choice = ThreadChoice(None, 4, 1e7)
    run(choice, N_WARM_UP + 3, {4: 1.0, 1: 1.6})
    share["n"] = 1
    assert run(choice, 60, {1: 9.0}) == [1] * 60
    assert not choice.is_brief  # so they are long
    share["n"] = 4
    assert run(choice, 2 * N_TRIALS - 3, {4: 1.0, 1: 1.6}) == TRIAL[3:]
    share["n"] = 1
    run(choice, 60, {1: 9.0})
    share["n"] = 4
    assert run(choice, 3, {4: 1.0}) == [4] * 3


@pytest.mark.parametrize(
    ("n_threads", "most", "flops"), [(3, 4, 1e7), (1, 4, 1e7), (None, 4, LARGE_STEP), (None, 1, 1e5)]
)
def test_a_given_number_is_obeyed_and_steps_without_a_choice_are_not_timed(share, n_threads, most, flops):
    choice, expected = ThreadChoice(n_threads, most, flops), n_threads or most
    assert run(choice, 300, {expected: 1.0}) == [expected] * 300
    assert not choice.is_brief


@pytest.mark.parametrize(("n_threads", "expected"), [(None, 3), (3, 2), (1, 1)])
def test_one_thread_less_trains_while_another_reads(share, n_threads, expected):
    choice = ThreadChoice(n_threads, 4, 1e7)
    seconds = {4: 1.0, 3: 1.2, 2: 1.4, 1: 0.5}
    usual = run(choice, N_WARM_UP + 2 * N_TRIALS, seconds)[0]
    assert choice.next(1) == expected
    assert choice.is_brief  # since the other may be ready soon
    choice.note(expected, 99.0)
    assert choice.next() == (1 if n_threads is None else usual)  # which no time beside a reader has changed
    assert not choice.is_brief


def test_a_fit_uses_both_and_has_the_same_bits(share, monkeypatch):
    noted = []

    def note(self, n_threads, seconds):
        noted.append(n_threads)
        return original(self, n_threads, seconds)

    original = ThreadChoice.note
    monkeypatch.setattr(ThreadChoice, "note", note)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(1200, 40)).astype(np.float32), rng.integers(0, 3, 1200)
    settings = {"max_iter": 12, "tol": 0, "random_state": 0}
    with pytest.warns(match="hasn't converged"):
        fitted = [MLPClassifier((60, 50), n_threads=n_threads, **settings).fit(X, y) for n_threads in (None, 1, 4)]
    assert {1, 4} <= set(noted[: len(noted) // 3])
    for other in fitted[1:]:
        np.testing.assert_array_equal(fitted[0].predict_proba(X), other.predict_proba(X))
        assert fitted[0].loss_curve_ == other.loss_curve_
