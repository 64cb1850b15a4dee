"""The checks that a small fit leaves out, since they take longer than it: results are the same, and so are errors."""

from typing import ClassVar

import numpy as np
import pytest
from sklearn.linear_model import Perceptron as SklearnPerceptron

from fastnn import MLPClassifier, MLPRegressor, Perceptron, SequentialClassifier, SequentialRegressor
from fastnn.data.class_targets import class_numbers, distinct, plain_classes

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 4))
    return X, (X @ rng.normal(size=(4, 3))).argmax(axis=1)


# -- samples -----------------------------------------------------------------------------------------------------------

LABELS = {
    "int8": lambda y: y.astype(np.int8) - 1,
    "uint64": lambda y: y.astype(np.uint64) + 2**63,
    "other bytes": lambda y: y.astype(np.dtype(np.int32).newbyteorder()),
    "bool": lambda y: y > 0,
    "texts": lambda y: np.array(["a", "bc", "d"], dtype="U30")[y],
    "objects": lambda y: np.array(["a", "bc", "d"], dtype=object)[y],
    "floats": lambda y: y * 2.0,
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("cls", [Perceptron, MLPClassifier])
def test_labels_of_any_type_give_scikit_learns_classes(data, labels, cls):
    X, y = data
    y = labels(y)
    model = cls(max_iter=2).fit(X, y)
    expected = SklearnPerceptron(max_iter=2).fit(X, y).classes_
    assert model.classes_.dtype == expected.dtype
    np.testing.assert_array_equal(model.classes_, expected)
    assert model.predict(X).dtype == expected.dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_plain_samples_give_the_same_model_as_checked_ones(data, dtype):
    X, y = data
    X = X.astype(dtype)
    plain, checked = Perceptron().fit(X, y), Perceptron().fit(X, y.tolist())
    np.testing.assert_array_equal(plain.coef_, checked.coef_)
    assert vars(plain).keys() == vars(checked).keys()
    assert plain.n_features_in_ == checked.n_features_in_ == 4


def test_names_of_columns_go_with_the_next_fit(data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    model = Perceptron().fit(pandas.DataFrame(X, columns=list("abcd")), y)
    assert hasattr(model, "feature_names_in_")
    model.fit(X[:, :3], y)
    assert not hasattr(model, "feature_names_in_")
    assert model.n_features_in_ == 3


BAD = {
    "y too short": (np.ones((4, 2)), np.array([0, 1, 0]), "inconsistent numbers of samples"),
    "no samples": (np.ones((0, 2)), np.array([], int), "0 sample"),
    "no columns": (np.ones((4, 0)), np.array([0, 1, 0, 1]), "0 feature"),
    "one axis": (np.ones(4), np.array([0, 1, 0, 1]), "Expected 2D array"),
    "y of two axes": (np.ones((4, 2)), np.ones((4, 2), int), "1d array"),
    "NaN in X": (np.array([[0, np.nan], [1, 1]]), np.array([0, 1]), "Input X contains NaN"),
    "NaN in y": (np.ones((4, 2)), np.array([0, 1, np.nan, 1]), "Input y contains NaN"),
    "continuous y": (np.ones((4, 2)), np.array([0.1, 1.2, 2.3, 3.4]), "Unknown label type"),
    "one class": (np.ones((4, 2)), np.ones(4, int), "y must have at least 2 classes"),
    "no y": (np.ones((4, 2)), None, "requires y"),
}


@pytest.mark.parametrize(("X", "y", "message"), BAD.values(), ids=BAD)
def test_plain_arrays_are_refused_as_before(X, y, message):
    with pytest.raises(ValueError, match=message):
        Perceptron().fit(X, y)


# -- labels ------------------------------------------------------------------------------------------------------------

WHOLE = ["bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", ">i4", ">i8", "U5"]


@pytest.mark.parametrize("dtype", WHOLE)
@pytest.mark.parametrize("low, high", [(0, 2), (0, 5), (-100, 100), (-3, 0), (0, 60_000)])
@pytest.mark.parametrize("n_samples", [5, 3000])
def test_many_labels_are_counted_as_numpy_finds_them(rng, dtype, low, high, n_samples):
    y = rng.integers(low, high, n_samples).astype(dtype)
    classes, codes = np.unique(y, return_inverse=True)
    found = distinct(y)
    assert found.dtype == classes.dtype
    np.testing.assert_array_equal(found, classes)
    numbers = class_numbers(classes, y)
    assert numbers.dtype == np.int32
    np.testing.assert_array_equal(numbers, codes)


@pytest.mark.parametrize("ends", [(-(2**63), -(2**63) + 3), (2**63 - 4, 2**63 - 1), (-(2**63), 2**63 - 1)])
def test_labels_at_the_ends_of_64_bits(ends):
    y = np.array(ends * 1000)
    np.testing.assert_array_equal(distinct(y), ends)
    np.testing.assert_array_equal(class_numbers(np.array(ends), y), [0, 1] * 1000)


@pytest.mark.parametrize("other", [-1, 1, 7])
def test_a_label_among_many_that_is_no_class(other):
    y = np.array([0, 2, 5] * 1000)
    y[1234] = other
    with pytest.raises(ValueError, match=rf"y must have no other classes than \[0 2 5\], got \[{other}\]"):
        class_numbers(np.array([0, 2, 5]), y)


def test_nearly_as_many_classes_as_samples_are_checked():
    assert plain_classes(np.arange(3000)) is None
    np.testing.assert_array_equal(plain_classes(np.arange(3000) // 2), np.arange(1500))


# -- parameters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [Perceptron, MLPClassifier, MLPRegressor, SequentialClassifier, SequentialRegressor])
def test_all_defaults_are_valid(cls):
    defaults = cls._valid_defaults()
    assert defaults is cls._valid_defaults()
    for name, value in defaults.items():
        assert getattr(cls(), name) is value
    assert {*cls._parameter_constraints} - {*defaults} <= {"layers"}  # which has no default


def test_a_derived_class_with_an_invalid_default_is_refused(data):
    class Careless(Perceptron):
        def __init__(self, *, eta0=-1.0, alpha=1e-4):
            super().__init__(eta0=eta0, alpha=alpha)

    with pytest.raises(ValueError, match=r"The 'eta0' parameter of Careless must be .* Got -1.0 instead"):
        Careless().fit(*data)
    Careless(eta0=1.0).fit(*data)
    with pytest.raises(ValueError, match=r"The 'alpha' parameter of Careless"):
        Careless(eta0=1.0, alpha=-1).fit(*data)


def test_constraints_of_a_derived_class_are_its_own(data):
    class Strict(Perceptron):
        _parameter_constraints: ClassVar[dict] = {
            **Perceptron._parameter_constraints,
            "shuffle": [str],
            "eta0": "no_validation",
        }

    Perceptron().fit(*data)
    with pytest.raises(ValueError, match=r"The 'shuffle' parameter of Strict"):
        Strict().fit(*data)


def test_what_equals_a_default_is_checked_all_the_same(data):
    with pytest.raises(ValueError, match=r"The 'shuffle' parameter"):
        Perceptron(shuffle=1.0).fit(*data)
