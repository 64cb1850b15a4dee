"""How epochs are cut into segments, by the test's own clock."""

from types import SimpleNamespace

import numpy as np
import pytest

from fastnn.data.ragged import Sequences
from fastnn.data.samples import Samples
from fastnn.engine.steps import starts_of
from fastnn.training import loop
from fastnn.training.loop import SEGMENT_SECONDS, Segments

BATCH, SECONDS_A_STEP = 4, 1e-5


class FakeTrainer:
    """It takes so long for each step of a sequence, or for each sample, and notes the segments."""

    def __init__(self, clock, is_ragged):
        self.batch_size, self.pace, self.n_threads, self.step_flops = BATCH, None, 2, 1e7
        self.network, self.clock = SimpleNamespace(is_ragged=is_ragged), clock
        self.seconds = []

    def run(self, X, targets, rows, loss, **settings):
        self.seconds.append(SECONDS_A_STEP * (X.lengths[rows].sum() if self.network.is_ragged else len(rows)))
        self.clock["now"] += self.seconds[-1]
        return loss


@pytest.fixture
def clock(monkeypatch):
    clock = {"now": 0.0}
    monkeypatch.setattr(loop.time, "perf_counter", lambda: clock["now"])
    return clock


def run_epoch(trainer, X):
    """An epoch of a fit; returns the seconds of its segments."""
    trainer.seconds = []
    n_samples = X.shape[0]
    samples = Samples(X, np.zeros(n_samples))
    segments = Segments(trainer, SimpleNamespace(check=lambda: None), None)
    segments.run_epoch(samples, np.arange(n_samples, dtype=np.intp))
    return trainer.seconds


def sequences(lengths):
    starts = starts_of(np.asarray(lengths))
    return Sequences(np.zeros((starts[-1], 1)), starts)


def test_the_next_fit_has_segments_as_long(clock):
    trainer, X = FakeTrainer(clock, is_ragged=False), np.zeros((50_000, 1))
    first = run_epoch(trainer, X)
    assert first[0] == pytest.approx(SECONDS_A_STEP * BATCH)
    assert run_epoch(trainer, X)[0] == pytest.approx(SEGMENT_SECONDS, rel=0.01)


def test_longer_sequences_begin_with_a_short_segment(clock):
    """So Ctrl-C is answered soon."""
    trainer = FakeTrainer(clock, is_ragged=True)
    run_epoch(trainer, sequences([2] * 20_000))
    longer = run_epoch(trainer, sequences([1000] * 100))
    assert max(longer) <= max(SEGMENT_SECONDS, 1000 * BATCH * SECONDS_A_STEP)


def test_time_is_noted_by_the_step(clock, monkeypatch):
    """Else the number of threads that met the shorter sequences would seem to be the faster one."""
    noted = []
    monkeypatch.setattr(loop.ThreadChoice, "note", lambda self, n_threads, seconds: noted.append(seconds))
    run_epoch(FakeTrainer(clock, is_ragged=True), sequences([1, 9, 200, 3] * 400 + [7] * 3000))
    assert noted == pytest.approx([SECONDS_A_STEP] * len(noted))
