"""Predictions for pandas frames, most of which skip scikit-learn's checks."""

import numpy as np
import pytest

from fastnn import MLPClassifier, Perceptron, SequentialClassifier
from fastnn.data import inputs
from fastnn.layers import Dense

pd = pytest.importorskip("pandas")
MODELS = [MLPClassifier((5,), max_iter=2), SequentialClassifier([Dense(5)], max_iter=2), Perceptron(max_iter=2)]
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def frame(rng):
    return pd.DataFrame(rng.normal(size=(60, 4)), columns=list("abcd"))


@pytest.fixture(params=MODELS, ids=lambda model: type(model).__name__)
def model(request, frame):
    return request.param.fit(frame, np.arange(60) % 3)


def test_a_frame_is_read_without_scikit_learns_checks(model, frame, monkeypatch):
    expected = model.predict(frame)
    monkeypatch.setattr(inputs, "validate_data", None)
    assert np.array_equal(model.predict(frame), expected)
    assert np.array_equal(model.predict(frame[:1]), expected[:1])


@pytest.mark.parametrize(
    "kinds",
    [
        dict.fromkeys("abcd", "float32"),
        dict.fromkeys("abcd", "int64"),
        {"a": "int8", "b": "uint8", "c": "float32"},
        {"a": "bool", "b": "Int64", "c": "Float32"},
        {"a": "category"},
        {"a": "Sparse[float64]"},
        dict.fromkeys("abcd", "Sparse[float64]"),
        {"a": "object"},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:pandas.DataFrame with sparse columns")
def test_columns_of_any_numbers_are_predicted_as_their_values(model, frame, kinds):
    frame = frame.abs().round().astype(kinds)
    assert np.array_equal(model.predict(frame), model.predict(frame.astype("float64")))


def test_what_is_wrong_with_a_frame_is_still_said(model, frame):
    for wrong, message in [
        (frame[list("dcba")], "same order"),
        (frame[list("abc")], "missing"),
        (frame.rename(columns={"a": "e"}), "unseen"),
        (frame.assign(a=np.nan), "contains NaN"),
        (frame.assign(a="text"), "could not convert|must be numbers"),
        (frame[:0], "minimum of 1 is required"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.predict(wrong)


def test_an_array_in_place_of_a_frame_gives_scikit_learns_warning(model, frame):
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(frame.to_numpy())
