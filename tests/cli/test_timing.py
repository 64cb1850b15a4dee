"""Medians, their spread, and the note on a busy machine."""

import os

import numpy as np
import pytest

from fastnn.cli import timing
from fastnn.cli.timing import OtherWork, Times, busy_note


@pytest.fixture
def load(tmp_path, monkeypatch):
    """A stand-in for /proc/loadavg."""
    file = tmp_path / "loadavg"
    monkeypatch.setattr(timing, "LOAD", file)
    monkeypatch.setattr(timing, "SETTLE_SECONDS", 0.0)
    return file


def counted(load, *n_running):
    other_work = OtherWork()
    for n in n_running:
        load.write_text(f"9.00 9.00 9.00 {n}/250 4711\n")
        other_work.settle()
    return other_work


def test_median_and_spread():
    times = Times.of([1.0, 2.0, 3.0, 4.0, 5.0])
    assert times == (3.0, pytest.approx(1 / 3))
    assert times.plus_minus == "± 33 %"
    assert Times.of([1.0, 1.0, 1.0, 1.0, 1000.0]) == (1.0, 0.0)


def test_one_time_has_no_spread():
    times = Times.of([2.0])
    assert (times.median, times.plus_minus) == (2.0, "")
    assert np.isnan(times.spread)


def test_threads_of_others(load):
    """The thread that reads the file is not counted."""
    assert counted(load, 1, 1, 3, 2).n_threads == 0.75


@pytest.mark.parametrize("content", [None, "", "strange", "1 2 3 a/b 5"])
def test_systems_that_do_not_tell(load, content):
    if content is not None:
        load.write_text(content)
    other_work = OtherWork()
    other_work.settle()
    assert other_work.n_threads == 0.0


def test_note(load, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    quiet, two, ten = counted(load, 1), counted(load, 3, 3), counted(load, 11)
    assert busy_note([0.01, 0.05, 0.9], quiet, 8) is None  # one of three
    assert busy_note([0.01], two, 6) is None  # there are enough cores
    assert "2.0 threads of other processes ran on its 8 cores" in busy_note([0.01], two, 8)
    assert "the times vary by ± 90 %" in busy_note([0.9, 0.9, 0.1], quiet, 8)
    both = "This machine is busy: 10.0 threads of other processes ran on its 8 cores, and the times vary"
    assert busy_note([0.9], ten, 1).startswith(both)
