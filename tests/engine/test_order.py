"""Orders of samples, beside those that NumPy draws."""

import numpy as np
import pytest

from fastnn.engine.order import shuffled


@pytest.mark.parametrize("generator", [np.random.MT19937, np.random.PCG64, np.random.Philox])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 7, 8, 9, 100, 1023, 1024, 1025, 70_000])
def test_orders_and_what_is_drawn_next_are_numpys(n, generator):
    order = np.arange(n, dtype=np.intp)[::-1]
    expected, before = order.copy(), order.copy()
    theirs, ours = (np.random.RandomState(generator(7)) for _ in range(2))
    for _ in range(3):
        theirs.shuffle(expected)
        order = shuffled(order, ours)
        np.testing.assert_array_equal(order, expected)
    assert ours.randint(2**31) == theirs.randint(2**31)
    shuffled(before, ours)
    np.testing.assert_array_equal(before, np.arange(n)[::-1])


@pytest.mark.parametrize("order", [np.arange(3.0), np.zeros((2, 2), np.intp)])
def test_what_is_no_order_is_refused(order):
    with pytest.raises(ValueError, match="Buffer"):
        shuffled(order, np.random.RandomState(0))


def test_an_order_beyond_32_bits_is_refused_before_it_is_copied():
    with pytest.raises(ValueError, match=r"order must have fewer than 2\*\*32 samples, got 4294967296"):
        shuffled(np.broadcast_to(np.intp(0), 2**32), np.random.RandomState(0))
