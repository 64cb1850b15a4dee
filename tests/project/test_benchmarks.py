"""The benchmarks can be run: asv finds nothing wrong with its own, and every program beside them starts."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
PROGRAMS = sorted(path.stem for path in (BENCHMARKS / "programs").glob("*.py"))

pytestmark = pytest.mark.skipif(not BENCHMARKS.exists(), reason="the benchmarks are in the repository only")


def python(*arguments, folder):
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_asv_can_run_them(tmp_path):
    pytest.importorskip("asv")
    config = str(BENCHMARKS / "asv.conf.json")
    python("-m", "asv", "check", "--python=same", f"--config={config}", folder=tmp_path)


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_find_what_they_need(program):
    python("-c", f"import {program}", folder=BENCHMARKS / "programs")
