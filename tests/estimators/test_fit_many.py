"""fit_many: the same bits as alone, weights, shared generators, errors, and memory; and fits on plain threads."""

import gc
import threading
import tracemalloc
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from processes import run_python
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastnn import MLPClassifier, MLPRegressor, Perceptron, SequentialClassifier, fit_many
from fastnn.layers import GRU, BatchNormalization, Conv1D, Dense, Dropout, Flatten
from fastnn.runtime import sharing

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(400, 30)).astype(np.float32)
y = (X[:, :3] > 0).sum(axis=1)
weights = rng.random(400)
every_number = pytest.mark.parametrize("n_threads", [1, 2, 3, 8])
KINDS = {
    "adam": lambda: MLPClassifier((100, 50), max_iter=3, random_state=0),
    "own threads": lambda: MLPClassifier((100,), max_iter=3, random_state=1, n_threads=3),
    "dropout": lambda: MLPClassifier((60,), dropout=0.3, max_iter=3, random_state=2),
    "early stopping": lambda: MLPClassifier((100,), early_stopping=True, max_iter=4, random_state=3),
    "lbfgs": lambda: MLPClassifier((20,), solver="lbfgs", max_iter=4, random_state=4),
    "regressor": lambda: MLPRegressor(hidden_layer_sizes=(50,), max_iter=3, random_state=5),
    "perceptron": lambda: Perceptron(max_iter=5, random_state=6),
    "perceptron, all threads": lambda: Perceptron(max_iter=5, random_state=6, n_jobs=-1),
    "layers": lambda: SequentialClassifier(
        [Conv1D(16, 3), BatchNormalization(), Flatten(), Dropout(0.2), Dense(20)], max_iter=2, random_state=7
    ),
    "sequences": lambda: SequentialClassifier([GRU(12)], input_shape=(None, 1), max_iter=2, random_state=8),
    "pipeline": lambda: make_pipeline(StandardScaler(), MLPClassifier((50,), max_iter=3, random_state=9)),
    "another package's": lambda: LogisticRegression(),
}


@pytest.fixture(autouse=True)
def nobody_is_left():
    yield
    assert sharing._outermost == {}


@pytest.fixture(scope="module")
def alone():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {kind: outputs(make().fit(X, y)) for kind, make in KINDS.items()}


def outputs(model):
    decide = next(name for name in ("predict_proba", "decision_function", "predict") if hasattr(model, name))
    return getattr(model, decide)(X)


@every_number
def test_two_and_more_beside_each_other_have_the_bits_that_each_has_alone(n_threads, alone):
    models = [make() for make in KINDS.values()]
    fitted = fit_many(models, X, y, n_threads=n_threads)
    assert fitted is not models
    assert all(one is other for one, other in zip(fitted, models, strict=True))
    for model, expected in zip(models, alone.values(), strict=True):
        np.testing.assert_array_equal(outputs(model), expected)


@every_number
@pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix, np.float64])
def test_one_for_each(n_threads, form):
    parts = [form(X[:200, 3 * i : 3 * i + 8]) for i in range(4)]
    targets, of_each = [y[:200] > i for i in range(4)], [None, weights[:200], None, weights[:200]]
    models = [MLPClassifier((90,), max_iter=3, random_state=i) for i in range(4)]
    fit_many(models, parts, targets, each=True, sample_weight=of_each, n_threads=n_threads)
    for model, part, target, weight in zip(models, parts, targets, of_each, strict=True):
        expected = clone(model).fit(part, target, weight)
        np.testing.assert_array_equal(model.predict_proba(part), expected.predict_proba(part))


@every_number
def test_sequences_side_by_side(n_threads):
    lists = [X[i, : 5 + i % 20].reshape(-1, 1) for i in range(80)]
    models = [SequentialClassifier([GRU(10)], max_iter=2, random_state=i) for i in range(3)]
    fit_many(models, lists, y[:80], n_threads=n_threads)
    for model in models:
        np.testing.assert_array_equal(model.predict_proba(lists), clone(model).fit(lists, y[:80]).predict_proba(lists))


def test_weights_for_all():
    models = fit_many([MLPClassifier((9,), max_iter=2, random_state=i) for i in range(3)], X, y, sample_weight=weights)
    for model in models:
        np.testing.assert_array_equal(model.predict_proba(X), clone(model).fit(X, y, weights).predict_proba(X))


def test_no_estimators():
    assert fit_many([], X, y) == fit_many((), [], [], each=True) == []


@every_number
def test_a_generator_that_several_share_is_drawn_from_in_their_order(n_threads):
    def models():
        one, other = np.random.RandomState(0), np.random.RandomState(1)
        generators = [one, 5, other, one, other, one]
        return [MLPClassifier((9,), max_iter=3, random_state=generator) for generator in generators]

    expected = [model.fit(X, y).predict_proba(X) for model in models()]
    for model, right in zip(fit_many(models(), X, y, n_threads=n_threads), expected, strict=True):
        np.testing.assert_array_equal(model.predict_proba(X), right)


@every_number
def test_an_estimator_that_is_a_step_of_others_is_fitted_in_turn(n_threads):
    def models():
        network = MLPClassifier((9,), max_iter=3, random_state=0)
        return [network, make_pipeline(StandardScaler(), network), make_pipeline(make_pipeline(network))]

    models, expected = models(), models()
    for model in expected:
        model.fit(X, y)
    fit_many(models, X, y, n_threads=n_threads)
    np.testing.assert_array_equal(models[0].predict_proba(X), expected[0].predict_proba(X))


def test_what_is_wrong_with_weights_is_said_before_anything_is_fitted():
    models = [MLPClassifier((3,), max_iter=1), KNeighborsClassifier()]
    for one, each in (weights, False), ([weights, weights], True):
        data = ([X] * 2, [y] * 2) if each else (X, y)
        with pytest.raises(
            TypeError, match=r"sample_weight must be None, since the fit of estimators\[1\] does not take"
        ):
            fit_many(models, *data, sample_weight=one, each=each)
    assert not hasattr(models[0], "n_iter_")
    fit_many(models, [X] * 2, [y] * 2, sample_weight=[weights, None], each=True)


# -- errors ------------------------------------------------------------------------------------------------------------


class Failing(BaseEstimator):
    def __init__(self, error=None):
        self.error = error

    def fit(self, X, y):
        raise self.error


@every_number
def test_an_error_names_the_estimator_and_leaves_the_others_fitted(n_threads, alone):
    models = [KINDS["adam"](), MLPClassifier((3,), alpha=-1), KINDS["perceptron"](), Failing(KeyError("x"))]
    with pytest.raises(ValueError, match="alpha") as caught:
        fit_many(models, X, y, n_threads=n_threads)
    first, second = caught.value.__notes__
    assert first == "fit_many: this is the error of estimators[1], MLPClassifier(alpha=-1, hidden_layer_sizes=(3,))"
    assert second == "fit_many: estimators[3] failed, too: KeyError: 'x'"
    np.testing.assert_array_equal(outputs(models[0]), alone["adam"])
    np.testing.assert_array_equal(outputs(models[2]), alone["perceptron"])
    assert not hasattr(models[1], "n_iter_")


@every_number
def test_what_ends_a_program_ends_it(n_threads):
    models = [MLPClassifier((3,), max_iter=1), MLPClassifier(alpha=-1), Failing(SystemExit(3))]
    with pytest.raises(SystemExit):
        fit_many(models, X, y, n_threads=n_threads)
    assert hasattr(models[0], "n_iter_")


@every_number
def test_an_error_does_not_keep_the_data(n_threads):
    class Data(np.ndarray):
        pass

    data = rng.normal(size=(50, 3)).view(Data)
    kept = weakref.ref(data)
    gc.collect()
    gc.disable()
    try:
        with suppress(ValueError):
            fit_many(
                [MLPClassifier((3,), alpha=-1), MLPClassifier((3,), solver="x")], data, y[:50], n_threads=n_threads
            )
        del data
        assert kept() is None
    finally:
        gc.enable()


def test_x_is_not_copied():
    large, labels = rng.random((20_000, 100)), np.arange(20_000) % 3
    models = [MLPClassifier((5,), max_iter=1, random_state=i) for i in range(4)]
    fit_many(models, large[:100], labels[:100])
    tracemalloc.start()
    fit_many(models, large, labels, n_threads=4)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < large.nbytes / 2


def test_warnings_of_all_reach_the_user():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit_many([MLPClassifier((3,), max_iter=1), MLPClassifier((4,), max_iter=1)], X, y, n_threads=2)
    assert [warning.filename for warning in caught] == [__file__] * 2


# -- fits on plain threads ---------------------------------------------------------------------------------------------


def test_fits_on_threads_of_the_users_have_the_bits_that_each_has_alone(alone):
    kinds = [kind for kind in KINDS if kind != "another package's"]
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda kind: outputs(KINDS[kind]().fit(X, y)), kinds * 2))
    for kind, result in zip(kinds * 2, results, strict=True):
        np.testing.assert_array_equal(result, alone[kind])


def test_a_search_on_joblibs_threads_has_the_scores_of_one_in_turn():
    model = MLPClassifier((100, 50), max_iter=3, random_state=0)
    search = GridSearchCV(model, {"alpha": [1e-4, 1e-2]}, cv=2)
    expected = clone(search).fit(X, y).cv_results_["mean_test_score"]
    with joblib.parallel_config("threading", n_jobs=2):
        search.fit(X, y)
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected)


def test_several_runs_beside_each_other(alone):
    def run(_):
        return [outputs(model) for model in fit_many([KINDS["adam"](), KINDS["perceptron"]()], X, y, n_threads=2)]

    with ThreadPoolExecutor(3) as pool:
        for results in pool.map(run, range(3)):
            np.testing.assert_array_equal(results[0], alone["adam"])
            np.testing.assert_array_equal(results[1], alone["perceptron"])


def test_two_runs_fit_the_same_estimator():
    model, begun = MLPClassifier((3,), max_iter=1), threading.Event()

    def callback(_):
        begun.set()
        with pytest.raises(RuntimeError, match="is being fitted by another thread") as caught:
            fit_many([MLPClassifier((3,), max_iter=1), model], X, y, n_threads=2)
        notes.extend(caught.value.__notes__)

    notes = []
    model.set_params(callback=callback).fit(X, y)
    assert notes[0].startswith("fit_many: this is the error of estimators[1]")


BOUND = """if True:
    import os, warnings
    import numpy as np
    from fastnn import MLPClassifier, fit_many
    from fastnn.engine.threads.cores import usable_cores

    warnings.simplefilter("ignore")
    cores = []
    callback = lambda model: cores.append(os.sched_getaffinity(0))
    models = [MLPClassifier((3,), max_iter=2, callback=callback) for _ in range(4)]
    fit_many(models, np.ones((30, 2)), np.arange(30) % 2, n_threads=2)
    print(len(usable_cores()), *sorted({len(mask) for mask in cores}))
"""


def test_threads_run_on_all_cores_where_openmp_binds_the_main_one():
    n_cores, *of_threads = run_python(BOUND, OMP_PROC_BIND="true", OMP_PLACES="cores").split()
    assert of_threads == [n_cores]
