"""Frames of columns of every type: what one estimator takes, each does."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.utils import check_array

from fastnn import MLPClassifier, MLPRegressor, Perceptron

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 24
WHOLE = np.random.default_rng(0).integers(-2, 3, (N, 4))
Y = np.arange(N) % 3
FRAME = pd.DataFrame(WHOLE, columns=list("abcd"))


def sparsely(dtype):
    return FRAME.astype(dtype).astype(pd.SparseDtype(dtype, np.zeros(1, dtype)[0]))


FRAMES = {
    "bool": FRAME > 0,
    "boolean": (FRAME > 0).astype("boolean"),
    "int8": FRAME.astype("int8"),
    "Int64": FRAME.astype("Int64"),
    "Float32": FRAME.astype("Float32"),
    "float32": FRAME.astype("float32"),
    "object": FRAME.astype(object),
    "category": FRAME.astype("category"),
    "big-endian": FRAME.astype(">f8"),
    "mixed": FRAME.assign(a=FRAME["a"] > 0, b=FRAME["b"].astype("Int16"), c=FRAME["c"] / 2),
    "partly sparse": FRAME.assign(a=sparsely("bool")["a"]),
} | {f"sparse {dtype}": sparsely(dtype) for dtype in ("bool", "int8", "uint8", "int64", "float32", "float64")}


def new(estimator):
    layers = {} if estimator is Perceptron else {"hidden_layer_sizes": (3,), "dtype": "float64"}
    return estimator(max_iter=3, random_state=0, **layers)


@pytest.mark.filterwarnings("ignore:pandas.DataFrame with sparse columns found")
@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor, Perceptron])
@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
def test_frames(estimator, frame):
    """The model is that of the same numbers in an array, or, where scikit-learn makes one of the frame, in a matrix."""
    X = frame.to_numpy(dtype="float32" if frame.dtypes.eq("float32").all() else "float64")
    if sparse.issparse(check_array(frame, accept_sparse=True)):
        X = sparse.csr_array(X)
    model, same = new(estimator).fit(frame, Y), new(estimator).fit(X, Y)
    np.testing.assert_allclose(model.predict(frame), same.predict(X), rtol=1e-6)
    classes = {} if estimator is MLPRegressor else {"classes": [0, 1, 2]}
    parts = new(estimator).partial_fit(frame, Y, **classes).partial_fit(frame, Y)
    others = new(estimator).partial_fit(X, Y, **classes).partial_fit(X, Y)
    if estimator is Perceptron:
        for ours, theirs in ((model, same), (parts, others)):
            np.testing.assert_array_equal(ours.coef_, theirs.coef_, strict=True)
    assert parts.score(frame, Y) == pytest.approx(others.score(X, Y))


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize(
    ("value", "message"),
    [("a", "X must be numbers: could not convert string"), (10**400, "X must be numbers"), (np.inf, "X contains inf")],
)
def test_categories_that_are_no_numbers(estimator, value, message):
    categories = pd.Index([1, value], dtype=object)  # which pandas 2.2 does not make of a list by itself
    column = pd.Categorical.from_codes([0, 1] * 4, categories)
    frame = pd.DataFrame({"a": column, "b": column})
    with pytest.raises(ValueError, match=message):
        new(estimator).fit(frame, np.arange(8) % 2)
