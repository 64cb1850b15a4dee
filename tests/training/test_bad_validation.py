"""What is wrong with samples to watch is said of X_val, y_val and sample_weight_val, not of X, y and sample_weight."""

import numpy as np
import pytest
import scipy.sparse
from sklearn.exceptions import DataConversionWarning

from fastnn import MLPClassifier, MLPRegressor, SequentialClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def data(rng):
    X = rng.normal(size=(20, 5))
    return X, np.arange(20) % 3


def classifier(**parameters):
    return MLPClassifier((3,), max_iter=1, random_state=0, **parameters)


VALID = {"X_val": np.zeros((4, 5)), "y_val": np.zeros(4)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X_val": np.zeros((4, 5))}, "X_val and y_val must both be given, .*, got [Xy]_val=None"),
        ({"y_val": np.zeros(4)}, "X_val and y_val must both be given, .*, got [Xy]_val=None"),
        ({"sample_weight_val": np.ones(4)}, "X_val and y_val must both be given, .*, got [Xy]_val=None"),
        (VALID | {"X_val": np.zeros((4, 3))}, "^X_val has 3 features, but MLPClassifier is expecting 5"),
        (VALID | {"X_val": np.full((4, 5), np.nan)}, "^Input X_val contains NaN"),
        (VALID | {"X_val": np.zeros((3, 5))}, "sample_weight_val: Found input variables with inconsistent numbers"),
        (VALID | {"X_val": np.zeros(5)}, "sample_weight_val: Expected 2D array, got 1D array instead:\narray=.0"),
        (VALID | {"X_val": scipy.sparse.coo_array(np.zeros((4, 5, 1)))}, "^X_val must have 2 axes, got 3"),
        (VALID | {"y_val": np.full(4, 9)}, "^y_val must have no other classes than"),
        (VALID | {"y_val": np.zeros((4, 2))}, "^y_val must be one column of classes, as in the first fit, got shape"),
        (VALID | {"y_val": np.full(4, np.nan)}, "^Input y_val contains NaN"),
        (VALID | {"sample_weight_val": -np.ones(4)}, "^sample_weight_val must be at least 0, got -1.0"),
        (VALID | {"sample_weight_val": np.ones(3)}, r"^sample_weight_val.shape == \(3,\), expected \(4,\)!"),
        (
            VALID | {"sample_weight_val": np.zeros(4)},
            "^X_val, y_val and sample_weight_val: Sample weights must contain",
        ),
        (
            VALID | {"sample_weight_val": np.full(4, 1e-310)},
            "of the samples held out .*: change sample_weight_val or class_",
        ),
    ],
)
def test_bad_validation(arguments, message, data):
    with pytest.raises(ValueError, match=message):
        classifier().fit(*data, **arguments)


def test_validation_of_another_shape(data):
    X, y = data
    with pytest.raises(ValueError, match=r"^X_val must have shape \(n_samples, 5, 1\), as in fit, got"):
        SequentialClassifier().fit(X[..., None], y, X_val=np.zeros((4, 4, 1)), y_val=y[:4])


def test_validation_of_a_column_vector(data):
    X, y = data
    with pytest.warns(DataConversionWarning, match="^A column-vector y_val was passed .* shape of y_val to"):
        classifier().fit(X, y, X_val=X, y_val=y[:, None])


def test_classes_keep_their_names(data):
    X, y = data
    with pytest.raises(ValueError, match=r"^y_val must have no other classes than \['X' 'a y' 'z'\], got \['y'\]$"):
        classifier().fit(X, np.array(["z", "a y", "X"])[y], X_val=X[:2], y_val=["y", "X"])


def test_numbers(data):
    X, y = data
    with pytest.raises(ValueError, match="y_val must have 2 columns, as in the first fit, got 3"):
        MLPRegressor(max_iter=1).fit(X, X[:, :2], X_val=X, y_val=X[:, :3])
    with pytest.raises(ValueError, match="y_val must be at least 0 with loss='poisson'"):
        MLPRegressor("poisson", max_iter=1).fit(X, y, X_val=X, y_val=-y)
