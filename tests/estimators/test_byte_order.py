"""Whatever byte order comes in, this machine's comes out: pandas, say, refuses the other one."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from fastnn import MLPClassifier, MLPRegressor, Perceptron

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 24
CODES = np.arange(N) % 3
TEXTS = np.array(["a", "bb", "ccc"])
DAYS = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], "M8[D]")
BOTH = np.stack([CODES, CODES % 2], axis=1)
ONE_COLUMN = {
    "int32": np.arange(3, dtype="i4"),
    "uint16": np.arange(3, dtype="u2"),
    "float32": np.arange(3, dtype="f4"),
    "float64": np.arange(3, dtype="f8"),
    "text": TEXTS,
    "days": DAYS,
}
SEVERAL = {
    "columns": (np.arange(3, dtype="i2")[BOTH], [np.arange(3, dtype="i2"), np.arange(2, dtype="i2")]),
    "columns of text": (TEXTS[BOTH], [TEXTS, TEXTS[:2]]),
    "indicators": (BOTH % 2, np.arange(2)),
}


@pytest.fixture
def X(rng):
    return rng.normal(size=(N, 4))


def foreign(array):
    return array.astype(array.dtype.newbyteorder())


def new(estimator, **parameters):
    layers = {} if estimator is Perceptron else {"hidden_layer_sizes": (3,)}
    return estimator(max_iter=3, random_state=0, **layers, **parameters)


def handed_out(model, X):
    """Every array that a fitted model has or makes."""
    names = "classes_", "coefs_", "intercepts_", "coef_", "intercept_", "n_mistakes_"
    methods = "predict", "predict_proba", "hidden_activations", "decision_function"
    given = [getattr(model, name) for name in names if hasattr(model, name)]
    given += [getattr(model, name)(X) for name in methods if hasattr(model, name)]
    return [array for each in given for array in (each if isinstance(each, (list, tuple)) else [each])]


def assert_same_and_native(model, same, X):
    for array, other in zip(handed_out(model, X), handed_out(same, X), strict=True):
        assert array.dtype.isnative
        np.testing.assert_array_equal(array, other, strict=True)


def check_labels(estimator, X, y, classes):
    swapped = foreign(y), [foreign(column) for column in classes] if isinstance(classes, list) else foreign(classes)
    models, parts = [], []
    for labels, all_labels in ((y, classes), swapped):
        models.append(new(estimator).fit(X, labels))
        parts.append(new(estimator).partial_fit(X, labels, classes=all_labels).partial_fit(X, labels))
        assert models[0].score(X, labels) == models[0].score(X, y)
    assert_same_and_native(*models, X)
    assert_same_and_native(*parts, X)
    pd.Series(models[1].predict(X).ravel()).value_counts()  # which refuses the other order


@pytest.mark.parametrize("estimator", [MLPClassifier, Perceptron])
@pytest.mark.parametrize("classes", ONE_COLUMN.values(), ids=ONE_COLUMN)
def test_labels(estimator, classes, X):
    check_labels(estimator, X, classes[CODES], classes)


@pytest.mark.parametrize(("y", "classes"), SEVERAL.values(), ids=SEVERAL)
def test_several_columns_of_labels(y, classes, X):
    check_labels(MLPClassifier, X, y, classes)


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor, Perceptron])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i2", "u8"])
@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_samples_and_weights(estimator, dtype, layout, X):
    X, weights = (9 * np.abs(X)).astype(dtype), np.arange(N, dtype="f4")
    given = foreign(X)
    if layout == "sparse":
        X = sparse.csr_array(X)
        given = X.copy()
        given.data = foreign(X.data)  # of which SciPy itself makes no matrix
    if estimator is Perceptron and dtype == "f4":
        X = X.astype("f8")  # as scikit-learn's learns from it
    y = CODES.astype("f4")
    model = new(estimator).fit(given, foreign(y), sample_weight=foreign(weights))
    assert_same_and_native(model, new(estimator).fit(X, y, sample_weight=weights), X)
    np.testing.assert_array_equal(model.predict(given), model.predict(X), strict=True)


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_what_scorers_are_given(estimator, X):
    dtypes = []

    def scoring(model, X, y, sample_weight):
        dtypes.extend([X.dtype, y.dtype, sample_weight.dtype])
        return 0.0

    data = foreign(X), foreign(CODES.astype("f4")), foreign(np.ones(N))
    model = new(estimator, scoring=scoring, early_stopping=True)
    model.fit(*data)
    model.fit(*data, **dict(zip(("X_val", "y_val", "sample_weight_val"), data, strict=True)))
    assert len(dtypes) == 18
    assert all(dtype.isnative for dtype in dtypes)


def test_weights_that_are_given(X):
    coefs = foreign(np.eye(4, 5, dtype="f4")), foreign(np.eye(5, 3, dtype="f4"))
    intercepts = foreign(np.zeros(5, "f4")), foreign(np.zeros(3, "f4"))
    for classes in (None, foreign(np.arange(3)), foreign(TEXTS), [foreign(TEXTS[:2]), foreign(TEXTS[2:])]):
        model = MLPClassifier.from_weights(coefs, intercepts, classes=classes)
        assert all(array.dtype.isnative for array in handed_out(model, X))
    model = MLPRegressor.from_weights(coefs, intercepts)
    model.coefs_ = [2 * W for W in coefs]
    assert {array.dtype.str for array in handed_out(model, X)} == {np.dtype("f4").str}
    start = np.ones((3, 4)), np.ones(3)
    assert_same_and_native(*(new(Perceptron).fit(X, CODES, *form) for form in (start, map(foreign, start))), X)
