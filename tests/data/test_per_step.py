"""Targets, weights and predictions for each step."""

import copy
import pickle

import numpy as np
import pytest

from fastnn.data.per_step import Concatenating, Steps, is_per_step
from fastnn.data.ragged import as_objects

pl = pytest.importorskip("polars")

Y = [np.array([1, 2]), np.array([3, 4, 5]), np.array([6])]


@pytest.fixture
def steps():
    return Steps(np.array([2, 3, 1]))


def test_targets_of_any_form(steps):
    for form in (Y, tuple(Y), as_objects(Y), [each.tolist() for each in Y], pl.Series([each.tolist() for each in Y])):
        assert is_per_step(form)
        assert steps.flat(form).tolist() == [1, 2, 3, 4, 5, 6]
    columns = [np.stack([each, -each], axis=1) for each in Y]
    assert steps.flat(columns).shape == (6, 2)
    assert steps.flat([each[:, None] for each in Y]).shape == (6,)


def test_targets_in_arrays():
    steps = Steps(np.array([2, 2]))
    for form in ([[1, 2], [3, 4]], np.array([[1, 2], [3, 4]]), np.array([[1, 2], [3, 4]], object)):
        assert is_per_step(form)
        assert steps.flat(form).tolist() == [1, 2, 3, 4]
    assert steps.flat(np.ones((2, 2, 3))).shape == (4, 3)


def test_labels_keep_their_types(steps):
    texts = [["a", "bb"], ["a", "a", "ccc"], ["a"]]
    assert steps.flat(texts).tolist() == ["a", "bb", "a", "a", "ccc", "a"]
    assert steps.flat([[1, 2], ["a", "b", "c"], [3]]).tolist() == [1, 2, "a", "b", "c", 3]


def test_targets_of_sequences_are_not_of_steps():
    for form in ([1, 2], np.ones(3), ["a", "bb"], np.array(["a", "bb"], object), None, 1.0):
        assert not is_per_step(form)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y[:2], "y must have 3 sequences, as X has, got 2"),
        ([Y[0], Y[0], Y[2]], r"y\[1\] must have 3 steps, as the network gives for X\[1\], got 2"),
        ([Y[0], Y[1], Y[0]], r"y\[2\] must have 1 step, as the network gives for X\[2\], got 2"),
        (np.ones(3), r"y must be a list of arrays, or an array of shape .*, got shape \(3,\)"),
        ([1, [2, 3], [4]], r"y\[0\] must be an array of shape \(n_steps, n_features\) or \(n_steps,\), got shape \(\)"),
        ([Y[0], Y[1][:, None], Y[2]], r"y\[1\] must have one number for each step, as y\[0\] has, got 1"),
    ],
)
def test_what_is_refused(steps, y, message):
    with pytest.raises(ValueError, match=message):
        steps.flat(y)


def test_weights(steps):
    assert steps.flat_weights([1, 2, 3]).tolist() == [1, 1, 2, 2, 2, 3]
    assert steps.flat_weights(2).tolist() == [2] * 6
    assert steps.flat_weights(Y).tolist() == [1, 2, 3, 4, 5, 6]
    assert steps.flat_weights([1, 2, 3]).dtype == np.float64
    for weights, message in (
        ([1, 2], "sample_weight must have 3 weights, got 2"),
        ([1, 2, -1], "sample_weight must be finite and at least 0, got -1.0"),
        ([1, 2, np.nan], "sample_weight must be finite and at least 0, got nan"),
        (["a", "b", "c"], "sample_weight must be a number"),
        ([Y[0], Y[1], Y[0]], r"sample_weight\[2\] must have 1 step"),
        ([np.ones((2, 2)), np.ones((3, 2)), np.ones((1, 2))], "sample_weight must have one weight for each step"),
    ):
        with pytest.raises(ValueError, match=message):
            steps.flat_weights(weights)


def test_steps_that_are_removed_from_X():
    keep = np.array([1, 0, 1, 1, 0, 1], bool)
    steps = Steps(np.array([1, 2, 1]), np.array([2, 3, 1]), keep)
    assert steps.flat(Y).tolist() == [1, 3, 4, 6]
    assert steps.flat_weights(Y).tolist() == [1, 3, 4, 6]
    assert steps.flat([[1], [3, 4], [6]]).tolist() == [1, 3, 4, 6]
    with pytest.raises(ValueError, match=r"y\[1\] must have 3 steps, as there are in X\[1\], got 2"):
        steps.flat([[1, 2], [3, 4], [6]])
    shorter = Steps(np.array([1, 1, 1]), np.array([2, 3, 1]), keep)  # a layer takes two steps at once
    with pytest.raises(ValueError, match=r"y\[0\] must have 1 step, as the network gives for X\[0\], got 2"):
        shorter.flat(Y)


def test_forms_of_several_columns(steps):
    first, second = steps.in_form_of(Y, [np.ones((6, 2)), np.ones((6, 3))])
    assert [each.shape for each in first] == [(2, 2), (3, 2), (1, 2)]
    assert [each.shape for each in second] == [(2, 3), (3, 3), (1, 3)]


class Model:
    def __init__(self, predictions):
        self.predictions = predictions

    def predict(self, X):
        return self.predictions


@pytest.mark.parametrize(
    ("predictions", "shape"),
    [
        (Y, (6,)),
        (as_objects(Y), (6,)),
        (np.ones((2, 3)), (6,)),
        (np.ones((2, 3, 4)), (6, 4)),
        ([np.ones((2, 4)), np.ones((3, 4))], (5, 4)),
        ([[np.ones((2, 4)), np.ones((3, 4))]] * 2, (2, 5, 4)),
        ([np.ones((2, 3, 4))] * 2, (2, 6, 4)),
        ([as_objects([np.ones((2, 4)), np.ones((3, 4))])] * 2, (2, 5, 4)),
    ],
)
def test_predictions_one_after_the_other(predictions, shape):
    model = Concatenating(Model(predictions))
    assert np.shape(model.predict(None)) == shape
    assert model.predict.__name__ == "predict"
    assert model.predictions is predictions
    assert np.shape(pickle.loads(pickle.dumps(copy.copy(model))).predict(None)) == shape
    assert not hasattr(model, "predict_proba")
