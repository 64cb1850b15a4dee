"""A round of local SGD as a pure function, without Dask."""

import pickle

import numpy as np
import pytest

from fastnn import MLPClassifier, MLPRegressor, SequentialClassifier
from fastnn.dask.rounds import (
    CommonState,
    Pacing,
    Part,
    Plan,
    Trained,
    Work,
    average,
    average_all,
    order_of,
    parts_of,
    train_shard,
    tree_levels,
)
from fastnn.data.samples import Samples
from fastnn.layers import BatchNormalization, Dense, Dropout

rng = np.random.default_rng(0)
X = rng.normal(size=(120, 5)).astype(np.float32)
y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)
ENDLESS = {"tol": 0.0, "n_iter_no_change": 100, "random_state": 0}


def started(model):
    """The plan, samples and the state that a fit of a model begins with, from a fit of no effect."""
    fitted = model.set_params(max_iter=1, learning_rate_init=1e-30).fit(X, y)
    network, targets = fitted._network, fitted._targets
    memories = [[np.zeros_like(each) for each in network.weights()] for _ in fitted._trainer.memories]
    common = CommonState(network.weights(), memories, 0)
    return Plan(fitted, targets, network.layout()), Samples(X, targets.encode(y)), common


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_one_shard_has_the_bits_of_fit():
    model = MLPRegressor(hidden_layer_sizes=(8,), shuffle=False, batch_size=32, **ENDLESS)
    plan, samples, common = started(model)
    model.set_params(learning_rate_init=0.01, max_iter=3)
    for number in range(3):
        parts = (Part(number, 0, 4),)
        common = train_shard(samples, Work(0, number, 1, parts), plan, common).state
    expected = MLPRegressor(
        hidden_layer_sizes=(8,), shuffle=False, batch_size=32, max_iter=3, learning_rate_init=0.01, **ENDLESS
    )
    expected.fit(X, y)
    for ours, theirs in zip(common.weights, expected._network.weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert common.step_count == expected._trainer.optimizer.step_count


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "model",
    [
        MLPClassifier((8,), dropout=0.3, **ENDLESS),
        SequentialClassifier([Dense(6), BatchNormalization(), Dropout(0.2), Dense(4)], solver="rmsprop", **ENDLESS),
    ],
)
def test_a_round_is_a_pure_function(model):
    plan, samples, common = started(model)
    model.set_params(learning_rate_init=0.01, batch_size=16)
    work = Work(3, 5, 7, (Part(2, 1, 6), Part(3, 0, 8)))
    first = train_shard(samples, work, plan, common)
    again = train_shard(*pickle.loads(pickle.dumps((samples, work, plan, common))))
    assert pickle.dumps(first.state.weights) == pickle.dumps(again.state.weights)
    assert (first.losses, first.rows, first.n_rows) == (again.losses, again.rows, 200)
    other = train_shard(samples, Work(3, 6, 7, work.parts), plan, common)  # other units are dropped
    assert pickle.dumps(other.state.weights) != pickle.dumps(first.state.weights)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_shard_that_has_no_batches_left_weighs_nothing():
    plan, samples, common = started(MLPClassifier((8,), batch_size=50, **ENDLESS))
    for shard in (samples, None):
        trained = train_shard(shard, Work(0, 0, 0, (Part(0, 3, 4),)), plan, common)
        assert trained == Trained(None, 0, (0.0,), (0,))


def test_orders_depend_on_shard_and_epoch():
    orders = {tuple(order_of(1, shard, epoch, 20)) for shard in range(3) for epoch in range(3)}
    assert len(orders) == 9
    assert all(sorted(order) == list(range(20)) for order in orders)


def made(value, n_rows, steps=1):
    state = CommonState([np.full(3, value, np.float32)], [[np.full(3, 2 * value, np.float32)]], steps)
    return Trained(state, n_rows, (float(value),), (n_rows,))


def test_the_average_is_by_rows():
    joined = average(made(1.0, 10, steps=4), made(2.0, 30, steps=9))
    assert joined.state.weights[0][0] == 1.75 and joined.state.memories[0][0][0] == 3.5
    assert (joined.state.step_count, joined.n_rows, joined.losses, joined.rows) == (9, 40, (3.0,), (40,))
    nothing = Trained(None, 0, (0.0,), (0,))
    for pair in ((nothing, made(1.0, 5)), (made(1.0, 5), nothing)):
        assert average(*pair).state.weights[0][0] == 1.0
    assert average(nothing, nothing).state is None


def test_equal_numbers_stay_as_they_are():
    third = made(1 / 3, 7)
    for total in (average(third, made(1 / 3, 11)), average_all([made(1 / 3, n) for n in (3, 5, 0, 9, 1)])):
        np.testing.assert_array_equal(total.state.weights[0], third.state.weights[0])


def test_the_tree_depends_on_the_number_of_shards_only():
    assert tree_levels(1) == []
    assert tree_levels(5) == [[(0, 1), (2, 3), (4,)], [(0, 1), (2,)], [(0, 1)]]
    for n in range(1, 20):
        total = average_all([made(float(i), 1) for i in range(n)])
        np.testing.assert_allclose(total.state.weights[0], (n - 1) / 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("pacing", "expected"),
    [
        (Pacing(), [[(0, 0, 4)], [(1, 0, 4)], [(2, 0, 4)]]),
        (Pacing(2), [[(0, 0, 4), (1, 0, 4)], [(2, 0, 4)]]),
        (Pacing(3, "step"), [[(e, 0, 3)] if i == 0 else [(e, 3, 4)] for e in range(3) for i in range(2)]),
        (Pacing(1, "epoch", 2), [[(0, 0, 1)], [(0, 1, 2)], [(0, 2, 4)], [(1, 0, 4)], [(2, 0, 4)]]),
    ],
)
def test_when_shards_synchronise(pacing, expected):
    epoch = step = 0
    covered = []
    while epoch < 3:
        covered.append(pacing.spans(len(covered), epoch, step, 4, 3))
        epoch, _, step = covered[-1][-1]
        if step == 4:
            epoch, step = epoch + 1, 0
    assert covered == expected


def test_a_shard_has_the_rates_of_its_own_batches():
    model = MLPClassifier(learning_rate="cosine", max_iter=10)
    (part,) = parts_of([(3, 1, 4)], model, [None], 2, 0)
    assert (part.first, part.last) == (1, 2)
    np.testing.assert_allclose(part.rates, [(1 + np.cos(np.pi * 0.35)) / 2])
    (part,) = parts_of([(3, 2, 4)], model, [None], 2, 0)
    assert part.first == part.last
