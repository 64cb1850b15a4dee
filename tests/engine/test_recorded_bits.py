"""Training comes to the very bits it came to when they were recorded: see recorded_bits.py."""

import pytest
from recorded_bits import CASES, build, outcomes_at, recorded

NEAR = 1e-9  # relative: what another version of NumPy or SciPy may change


@pytest.fixture(scope="module")
def record():
    fits = recorded().get(build())
    if fits is None:
        pytest.skip(f"no bits are recorded of {build()}: python tests/support/recorded_bits.py --record")
    return fits


def test_all_fits_are_recorded(record):
    assert record.keys() == CASES.keys(), "python tests/support/recorded_bits.py --record"


def test_the_bits_are_those_recorded(level, record):
    if not any(level in by_level for by_level in record.values()):
        pytest.skip(f"no bits of {level} are recorded of {build()}: python tests/support/recorded_bits.py --record")
    found = outcomes_at(level)
    expected = {name: record[name][level] for name in found.keys() & record.keys()}
    changed = {
        name: its
        for name, its in found.items()
        if name in expected
        and its != (expected[name] if CASES[name].exact else pytest.approx(expected[name], rel=NEAR))
    }
    assert not changed, f"{len(changed)} of {len(found)} fits with {level} came to other bits than recorded"
