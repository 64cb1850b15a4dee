"""Numbers at the edges of their types, data at the edge of being any, and the CPU's floating-point state."""

import ctypes
import platform
import threading

import numpy as np
import pytest
from sklearn.linear_model import Perceptron as SklearnPerceptron
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.neural_network import MLPRegressor as SklearnMLPRegressor

from fastnn import MLPClassifier, MLPRegressor, Perceptron

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning"),  # scikit-learn's
    pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1 or larger than sample size:UserWarning"),
    pytest.mark.filterwarnings("ignore:batch_size=1000 is larger than n_samples:UserWarning"),
    pytest.mark.filterwarnings("ignore:The number of unique classes is greater than 50%:UserWarning"),
]

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 8))
y = (X[:, :2] > 0).sum(axis=1)
WITH_CONSTANTS = X.copy()
WITH_CONSTANTS[:, 2], WITH_CONSTANTS[:, 5] = 0, 1e6
PROBLEMS = {
    "tiny": (X * 1e-30, y, {}),
    "huge": (X * 1e30, y, {}),
    "mixed": (X * 10.0 ** np.arange(-28, 32, 8)[:8], y, {}),
    "subnormal": (X * 1e-310, y, {}),
    "constant columns": (WITH_CONSTANTS, y, {}),
    "nothing but constants": (np.ones((60, 8)), y, {}),
    "one column": (X[:, :1], y, {}),
    "batches of one": (X, y, {"batch_size": 1}),
    "batches of more than there are": (X, y, {"batch_size": 1000}),
    "two rows": (X[:2], np.array([0, 1]), {}),
    "as many classes as rows": (X[:9], np.arange(9), {}),
}
SOLVERS = ["adam", "sgd", "lbfgs"]


def both(ours, theirs, X, y):
    """The two fitted, or None where ours refuses: which it may where theirs does, or has no finite weights."""
    try:
        ours.fit(X, y)
    except ValueError as error:
        assert "diverged" in str(error) or "overflow" in str(error)
        try:
            theirs.fit(X, y)
        except ValueError:
            return None
        weights = theirs.coefs_ if hasattr(theirs, "coefs_") else [theirs.coef_]
        assert not all(np.isfinite(W).all() for W in weights) or not np.isfinite(theirs.loss_)
        return None
    theirs.fit(X, y)
    return ours, theirs


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("X", "y", "parameters"), PROBLEMS.values(), ids=PROBLEMS)
def test_classifiers_answer_as_scikit_learns_or_refuse(X, y, parameters, solver):
    parameters = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0, "solver": solver} | parameters
    fitted = both(MLPClassifier(**parameters), SklearnMLPClassifier(**parameters), X, y)
    if fitted is not None:
        if fitted[1].n_iter_ == 0:  # it cuts off large losses, which then have no slope; fastnn learns
            assert fitted[0].score(X, y) >= fitted[1].score(X, y)
            return
        probabilities = [model.predict_proba(X) for model in fitted]
        np.testing.assert_allclose(*probabilities, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("X", "y", "parameters"), PROBLEMS.values(), ids=PROBLEMS)
def test_regressors_answer_as_scikit_learns_or_refuse(X, y, parameters, solver):
    parameters = {"hidden_layer_sizes": (6,), "max_iter": 4, "random_state": 0, "solver": solver} | parameters
    fitted = both(MLPRegressor(**parameters), SklearnMLPRegressor(**parameters), X, y.astype(float))
    if fitted is not None:
        predicted = [model.predict(X) for model in fitted]
        np.testing.assert_allclose(*predicted, rtol=1e-5, atol=1e-12 * np.abs(predicted[1]).max())


@pytest.mark.parametrize(("X", "y"), [problem[:2] for problem in PROBLEMS.values()], ids=PROBLEMS)
def test_perceptrons_answer_as_scikit_learns_or_refuse(X, y):
    fitted = both(Perceptron(max_iter=9, tol=None), SklearnPerceptron(max_iter=9, tol=None), X, y)
    if fitted is not None:
        scores = [model.decision_function(X) for model in fitted]
        np.testing.assert_allclose(*scores, rtol=1e-9, atol=1e-9 * np.abs(scores[1]).max())


def test_one_row_is_enough_for_what_needs_no_two_classes():
    """To go on, too, with the classes told."""
    regressor = MLPRegressor(hidden_layer_sizes=(6,), max_iter=3, random_state=0).fit(X[:1], [2.0])
    theirs = SklearnMLPRegressor(hidden_layer_sizes=(6,), max_iter=3, random_state=0).fit(X[:1], [2.0])
    np.testing.assert_allclose(regressor.predict(X), theirs.predict(X), rtol=1e-9)
    for model in (MLPClassifier((6,), random_state=0), Perceptron()):
        assert set(model.partial_fit(X[:1], y[:1], classes=range(100)).predict(X)) <= set(range(100))


# -- the floating-point state ------------------------------------------------------------------------------------------


def check_arithmetic():
    """Subnormal numbers are read and written, and results rounded to the nearest; of arrays too."""
    for small in (np.float64(2.0**-1022), np.full(40, 2.0**-1022)):
        assert np.all(small * 0.5 > 0)
        assert np.all((small * 0.5) * 2.0 == small)
    assert np.all(np.full(40, np.float32(2.0**-126)) * np.float32(0.5) > 0)
    ones = np.ones(40)
    assert np.all(ones + 2.0**-53 == 1)  # not upwards
    assert np.all(-ones - 2.0**-53 == -1)  # nor downwards
    assert np.all(ones + 1.5 * 2.0**-53 > 1)  # nor to zero


MODELS = {
    "adam": lambda **more: MLPClassifier((50,), max_iter=2, n_threads=2, **more),
    "lbfgs": lambda **more: MLPClassifier((50,), solver="lbfgs", max_iter=2, n_threads=2, **more),
    "regressor": lambda **more: MLPRegressor(hidden_layer_sizes=(50,), max_iter=2, n_threads=2, **more),
    "perceptron": lambda **more: Perceptron(max_iter=2, n_jobs=2, average=True),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_arithmetic_is_as_ever_after_every_call_and_in_other_threads(make):
    ended, errors, n_checks = threading.Event(), [], 0

    def keep_checking():
        nonlocal n_checks
        try:
            while not (ended.is_set() and n_checks):
                check_arithmetic()
                n_checks += 1
        except AssertionError as error:
            errors.append(error)

    other = threading.Thread(target=keep_checking)
    other.start()
    samples, labels = np.tile(X, (20, 1)), np.tile(y, 20)
    model = make(callback=lambda _: check_arithmetic()).fit(samples, labels)
    check_arithmetic()
    model.predict(samples)
    check_arithmetic()
    with pytest.raises(ValueError):
        make().fit(samples * 1e300, labels * 1e300 if "regressor" in str(type(model)).lower() else labels[:-1])
    check_arithmetic()
    ended.set()
    other.join()
    assert not errors


@pytest.mark.skipif(platform.machine() != "x86_64" or platform.system() != "Linux", reason="its constants are known")
@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_the_callers_rounding_mode_comes_back(make):
    c = ctypes.CDLL(None)
    upward = 0x800
    try:
        assert c.fesetround(upward) == 0
        make().fit(X, y).predict(X)
        assert c.fegetround() == upward
    finally:
        c.fesetround(0)
