"""How the averages of shards reach all workers, without Dask: a task is its result here."""

from collections import Counter

import numpy as np
import pytest

from fastnn.dask.averaging import averaged, nearest
from fastnn.dask.rounds import CommonState, Trained, average, average_all


def leaves_of(n):
    rng = np.random.default_rng(0)
    states = [CommonState([rng.normal(size=3)], [[rng.normal(size=3)]], i) for i in range(n)]
    trained = [Trained(state, 10 * i + 1, (1.0 + i,), (10,)) for i, state in enumerate(states)]
    trained[2:3] = [Trained(None, 0, (0.0,), (0,))] * (n > 2)
    return trained


def bits(trained):
    state = trained.state
    return [each.tobytes() for each in (*state.weights, *state.memories[0])], state.step_count, trained.n_rows


@pytest.mark.parametrize("few", [1, 4])
@pytest.mark.parametrize("n_workers", [None, 1, 2, 5, 64])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7, 16, 33, 64])
def test_each_worker_comes_to_the_average_of_all(n, n_workers, few):
    leaves, made = leaves_of(n), Counter()
    places = [None if n_workers is None else f"worker {i % n_workers}" for i in range(n)]

    def meet(left, right, worker, *numbers):
        made[worker, numbers] += 1
        return average(left, right)

    groups = averaged(leaves, places, meet, few)
    assert len(groups) <= few and set().union(*groups) == set(places)
    assert set(made.values()) <= {1}
    assert len({numbers for _, numbers in made}) == len(made)
    for worker in dict.fromkeys(places):
        of_all = average_all([nearest(copies, worker, 1) for copies in groups])
        assert bits(of_all) == bits(average_all(leaves))


def test_workers_fetch_from_different_ones():
    """Of 16 workers with a shard each, no one serves more than one other at each step."""
    served = Counter()

    def meet(left, right, worker, level, *_):
        served.update((level, each) for each in (left[-1], right[-1]) if each != worker)
        return left[0] + right[0], worker

    groups = averaged([(1, i) for i in range(16)], list(range(16)), meet, 4)
    assert [len(copies) for copies in groups] == [4] * 4
    assert {total for copies in groups for total, _ in copies.values()} == {4}
    assert set(served.values()) == {1} and len(served) == 32
    assert {nearest(groups[0], "another", i)[1] for i in range(8)} == {0, 1, 2, 3}


def test_neighbours_on_one_worker_are_averaged_there():
    moved = []

    def meet(left, right, worker, *_):
        moved.extend(each for each in (left, right) if each != worker)
        return worker

    averaged(["a"] * 8 + ["b"] * 8, ["a"] * 8 + ["b"] * 8, meet, 2)
    assert moved == []
