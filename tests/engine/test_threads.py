"""Models that several Python threads use at once: one of them changes it, or none."""

import copy
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from processes import PATIENCE, in_thread
from sklearn.base import is_classifier

from fastnn import MLPClassifier, MLPRegressor, Perceptron

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(400, 30)).astype(np.float32)
y = (X[:, :3] > 0).sum(axis=1)
X_other, y_other = X[:, :20], np.array(["a", "b"])[y % 2]  # of another width, with other classes
X_long = np.tile(X, (40, 1))
MODELS = {
    "classifier": lambda: MLPClassifier((40, 20), max_iter=2, random_state=0, n_threads=2),
    "regressor": lambda: MLPRegressor(hidden_layer_sizes=(40, 20), max_iter=2, random_state=0, n_threads=2),
    "perceptron": lambda: Perceptron(max_iter=3, n_jobs=2),
}


@pytest.fixture(params=MODELS.values(), ids=MODELS)
def make(request):
    return request.param


@pytest.fixture(autouse=True)
def switch_often():
    """Between almost any two steps of Python's, that is: what may go wrong then soon does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def meanwhile(change, look, n_lookers=2, n_looks=30):
    """What two threads see who look on while this one changes something again and again, until they have looked."""
    seen, errors = [], []

    def looks():
        try:
            seen.extend(look() for _ in range(n_looks))
        except BaseException as error:
            errors.append(error)

    lookers = [threading.Thread(target=looks) for _ in range(n_lookers)]
    for looker in lookers:
        looker.start()
    n_changes = 0
    while any(looker.is_alive() for looker in lookers):
        change(n_changes)
        n_changes += 1
    for looker in lookers:
        looker.join(PATIENCE)
    if errors:
        raise errors[0]
    return seen, n_changes


def test_eight_threads_predict_with_one_model_while_another_fits_its_own(make):
    model, parts = make().fit(X, y), [slice(i, i + 5 + 6 * i) for i in range(40)]
    expected = [model.predict(X[part]) for part in parts]
    with ThreadPoolExecutor(9) as pool:
        fits = [pool.submit(lambda: make().fit(X, y).predict(X)) for _ in range(4)]
        for _ in range(5):
            for got, right in zip(pool.map(lambda part: model.predict(X[part]), parts), expected, strict=True):
                np.testing.assert_array_equal(got, right)
        for fitted in fits:
            np.testing.assert_array_equal(fitted.result(), model.predict(X))


def test_predictions_beside_fits_are_those_of_the_old_model_or_of_the_new(make):
    """Even where the two differ in width and classes: or the width is refused. The old one stays until the new is."""
    model = make()
    problems = [(X_other, y_other if is_classifier(model) else -y.astype(float)), (X, y)]
    answers = [make().fit(*problem).predict(problem[0]).tolist() for problem in problems]
    model.fit(X, y)
    n_right = 0

    def look():
        nonlocal n_right
        for samples in (X, X_other):
            try:
                assert model.predict(samples).tolist() in answers
                n_right += 1
            except ValueError as error:
                assert "features" in str(error) or "columns" in str(error)

    meanwhile(lambda i: model.fit(*problems[i % 2]), look)
    assert n_right > 20


def outputs(model):
    """What a model predicts with, of samples enough for others to come in between, as bytes."""
    name = next(name for name in ("predict_proba", "decision_function", "predict") if hasattr(model, name))
    return getattr(model, name)(X_long).tobytes()


def test_predictions_beside_partial_fits_are_the_models_before_one_or_after_it(make):
    """Of all rows the same one's, and the training is not disturbed. Copies and pickles likewise."""
    model, undisturbed = make().fit(X, y), make().fit(X, y)

    def look():
        return [outputs(one) for one in (model, pickle.loads(pickle.dumps(model)), copy.deepcopy(model))]

    seen, n_changes = meanwhile(lambda i: model.partial_fit(X, y), look)
    states = {outputs(undisturbed)}
    for _ in range(n_changes):
        states.add(outputs(undisturbed.partial_fit(X, y)))
    assert {one for look in seen for one in look} <= states
    assert outputs(model) == outputs(undisturbed)


def test_predictions_beside_assigned_weights_are_a_models(make):
    model, other = make().fit(X, y), make().fit(X, 3 - y)
    if hasattr(model, "coef_"):
        weights = [(one.coef_, one.intercept_) for one in (other, model)]

        def assign(i):
            model.coef_, model.intercept_ = weights[i % 2]
    else:
        weights = [one.coefs_ for one in (other, model)]

        def assign(i):
            model.coefs_ = weights[i % 2]

    answers = set()
    for i in range(2):
        assign(i)
        answers.add(outputs(model))

    def look():
        if hasattr(model, "coefs_"):
            assert outputs(model) in answers
        else:  # whose weights and intercepts are attributes of their own, assigned one after the other
            assert np.isfinite(model.predict(X)).all()

    meanwhile(assign, look)
    assign(1)


@pytest.mark.parametrize("name", ["classifier", "regressor"])
def test_weights_are_not_assigned_while_another_thread_trains_them(name):
    model, refused = MODELS[name]().fit(X, y), []

    def assign():
        with pytest.raises(RuntimeError, match="is being fitted by another thread"):
            model.coefs_ = model.coefs_
        refused.append(True)

    model.set_params(callback=lambda _: in_thread(assign)).partial_fit(X, y)
    assert refused == [True]
    model.coefs_ = model.coefs_  # it is free again


def test_two_threads_fit_one_model_by_turns_or_are_refused(make):
    model = make().fit(X, y)

    def look():
        try:
            return bool(model.partial_fit(X[:50], y[:50]))
        except RuntimeError as error:
            assert "is being fitted by another thread" in str(error)

    def change(i):
        try:
            model.fit(X, y)
        except RuntimeError as error:
            assert "is being fitted by another thread" in str(error)

    meanwhile(change, look)
    model.fit(X, y)
    np.testing.assert_array_equal(model.predict(X), make().fit(X, y).predict(X))
