"""Teams of every number of groups wait for each other, also one after the other at the same barrier."""

import numpy as np
import pytest

from fastnn import MLPClassifier

# Groups are of four threads, or of more from 65 threads on; the last one may have fewer.
TEAM_SIZES = [1, 2, 3, 4, 5, 8, 13, 16, 17, 33, 64, 65, 70]


def test_the_same_bits_by_teams_of_changing_sizes():
    """One model is trained on, so that its trainer's barrier is used by all of the teams."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 20)).astype(np.float32)
    y = rng.integers(0, 4, 600)

    def trained(sizes):
        model = MLPClassifier((64, 32), batch_size=50, random_state=0)
        for size in sizes:
            model.set_params(n_threads=size).partial_fit(X, y, classes=range(4), epochs=2)
        return model.coefs_

    alone = trained([1] * 2 * len(TEAM_SIZES))
    for mine, expected in zip(trained(TEAM_SIZES + TEAM_SIZES[::-1]), alone, strict=True):
        np.testing.assert_array_equal(mine, expected)


@pytest.mark.parametrize("size", TEAM_SIZES)
def test_the_same_bits_by_a_team_of_its_own(size):
    rng = np.random.default_rng(1)
    X, y = rng.normal(size=(300, 30)), rng.integers(0, 3, 300)
    settings = {"hidden_layer_sizes": (70, 40), "max_iter": 2, "batch_size": 64, "random_state": 0, "tol": 0}
    with pytest.warns(match="iterations|converged"):
        fits = [MLPClassifier(**settings, n_threads=n).fit(X, y) for n in (1, size)]
    for mine, expected in zip(*(fit.coefs_ for fit in fits), strict=True):
        np.testing.assert_array_equal(expected, mine)
