"""Which instruction set is used: the best, or the one that FASTNN_ISA names."""

import os
import subprocess
import sys

import numpy as np
import pytest

from fastnn.engine import isa

LACKING = [level for level in isa.built_levels() if level not in isa.available_levels()]


def import_with(level):
    """A fresh interpreter's import of fastnn with FASTNN_ISA=level."""
    return subprocess.run(
        [sys.executable, "-c", "from fastnn.engine import isa; print(isa.level)"],
        env={**os.environ, "FASTNN_ISA": level},
        capture_output=True,
        text=True,
        check=False,
    )


def test_available_levels():
    assert isa.available_levels() == [level for level in isa.built_levels() if level not in LACKING]
    assert isa.built_levels()[-1] == isa.available_levels()[-1] == "baseline"
    assert isa.level == os.environ.get("FASTNN_ISA", isa.available_levels()[0])


def test_forced(level):
    assert import_with(level).stdout == f"{level}\n"


def test_empty_forces_nothing():
    assert import_with("").stdout == f"{isa.available_levels()[0]}\n"


@pytest.mark.parametrize("name", ["mmx", *LACKING])
def test_other_instruction_sets_are_refused_by_name(name):
    failed = import_with(name)
    assert failed.returncode == 1
    message = failed.stderr.splitlines()[-1]
    place = "CPU" if name in LACKING else "build of fastnn"
    assert message.startswith(f"ImportError: FASTNN_ISA must be an instruction set of this {place}, one of ")
    assert message.endswith(f", got '{name}'")
    assert all(level in message for level in (isa.available_levels() if name in LACKING else isa.built_levels()))


def test_tile_shape(level):
    (rows, cols), (rows_64, cols_64) = isa.tile_shape(np.float32, level), isa.tile_shape("float64", level)
    assert rows == rows_64 and cols == 2 * cols_64
    with pytest.raises(ValueError, match="float32 or float64"):
        isa.tile_shape(np.int32, level)
