"""What MLPClassifier takes and gives back: labels and samples of every type, no copy of X, and the same bits."""

import copy
import pickle
import tracemalloc
import warnings

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone

from fastnn import MLPClassifier, Perceptron
from fastnn.training.schedules import ENDING, SCHEDULES
from fastnn.training.solvers import SOLVERS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 120
X_DTYPES = ("f2", "f4", "f8", "g", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", ">f8", ">f4", ">i2")

# Enough for the problem below, whose samples are scaled for it.
LEARN = {"max_iter": 100, "learning_rate_init": 0.05, "hidden_layer_sizes": (16,)}


UNENDING = [name for name in SCHEDULES if name not in ENDING]


def schedule(epoch):
    return 0.01 / (1 + epoch)


def fitted(X, y, **parameters):
    return MLPClassifier(**{"hidden_layer_sizes": (6,), "max_iter": 5, "random_state": 0} | parameters).fit(X, y)


def assert_same_bits(ours, theirs):
    for arrays, others in ((ours.coefs_, theirs.coefs_), (ours.intercepts_, theirs.intercepts_)):
        for array, other in zip(arrays, others, strict=True):
            np.testing.assert_array_equal(array, other, strict=True)
    assert ours.loss_curve_ == theirs.loss_curve_


@pytest.fixture
def X(rng):
    return rng.integers(0, 50, size=(N, 5)).astype(np.float64)


@pytest.fixture
def y(X):
    return (X[:, 0] > 25).astype(int) + (X[:, 1] > 25)


# -- labels ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "classes",
    [
        np.array(["ham", "spam", "ähnlich"]),
        np.array(["ham", "spam", "eggs"], dtype=object),
        np.array([False, True]),
        np.array([-128, 0, 127], dtype=np.int8),
        np.array([0, 3, 2**64 - 1], dtype=np.uint64),
        np.array([2**62, 2**62 + 1]),
        np.array([-1, 1]),
        np.array([-2.0, 0.0, 7.0]),
        np.array([-2.0, 5.0], dtype=np.float32),
        np.array([0, 1, 2], dtype=">i4"),
        np.array(["2020-01-01", "2021-06-01"], dtype="datetime64[D]"),
    ],
    ids=lambda classes: f"{len(classes)} {classes.dtype}",
)
def test_labels(X, y, classes):
    y = np.minimum(y, len(classes) - 1)
    X = X / 50
    model = fitted(X, classes[y], **LEARN)
    np.testing.assert_array_equal(model.classes_, np.sort(classes))
    assert model.predict(X).dtype == model.classes_.dtype
    assert model.score(X, classes[y]) > 0.9
    order = np.argsort(classes)
    np.testing.assert_array_equal(model.classes_[model.predict_proba(X).argmax(axis=1)], model.predict(X))
    assert_same_bits(model, fitted(X, np.argsort(order)[y], **LEARN))


@pytest.mark.parametrize(
    "convert",
    [
        np.ndarray.tolist,
        lambda Y: Y.astype(bool),
        lambda Y: Y.astype(float),
        np.asfortranarray,
        scipy.sparse.csr_matrix,
        scipy.sparse.csc_array,
    ],
    ids=["list", "bool", "float", "Fortran", "csr_matrix", "csc_array"],
)
def test_multilabel_indicators(X, convert):
    Y = (X[:, :3] > 25).astype(int)
    X = X / 50
    model = fitted(X, convert(Y), **LEARN)
    assert_same_bits(model, fitted(X, Y, **LEARN))
    predicted = model.predict(X)
    assert predicted.shape == Y.shape
    assert predicted.dtype == np.int_
    assert np.mean(predicted == Y) > 0.9
    np.testing.assert_array_equal(predicted, model.predict_proba(X) > 0.5)


@pytest.mark.parametrize("values", [(1, 2), (-1, 1), (0.0, 2.0), (False, True)], ids=str)
def test_columns_of_two_values(X, values):
    """Zeros and ones are indicators; any other two values are classes, and what is predicted is of them."""
    Y = (X[:, :3] > 25).astype(int)
    y, X = np.array(values)[Y], X / 50
    model = fitted(X, y, **LEARN)
    assert model.score(X, y) > 0.8
    predicted = model.predict(X)
    assert np.mean(predicted == y) > 0.9
    if values == (False, True):
        assert_same_bits(model, fitted(X, Y, **LEARN))
        return
    assert predicted.dtype == y.dtype
    assert [classes.tolist() for classes in model.classes_] == [list(values)] * 3
    assert_same_bits(model, fitted(X, np.array(["a", "b"])[Y], **LEARN))
    model.set_params(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="same classes"):
        model.fit(X, Y + 5)
    for sparse in (model.fit, model.partial_fit):
        with pytest.raises(TypeError, match=r"y.toarray\(\)"):
            sparse(X, scipy.sparse.csr_array(y))
    part = MLPClassifier((3,)).partial_fit(X, y, classes=[values] * 3)
    assert set(np.unique(part.predict(X))) <= set(values)
    with pytest.raises(ValueError, match="classes must be a list of 3, the classes of each column of y"):
        MLPClassifier((3,)).partial_fit(X, y, classes=values)
    with pytest.raises(ValueError, match="an indicator matrix of zeros and ones"):
        fitted(X, Y).partial_fit(X, y)


def test_the_score_of_several_columns(X):
    """The part of the samples right in all of them, of a y that is as long and as wide: nothing is broadcast."""
    y = (X[:, :3] // 17).astype(int)
    model = fitted(X / 50, y, max_iter=30, learning_rate_init=0.05)
    right = (model.predict(X / 50) == y).all(axis=1)
    assert 0 < right.mean() < 1
    assert model.score(X / 50, y) == model.score(X / 50, y.tolist()) == right.mean()
    assert model.score(X / 50, y, X[:, 4]) == pytest.approx(np.average(right, weights=X[:, 4]))
    for wrong in (y[:1], y[0], y[:-1]):
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            model.score(X / 50, wrong)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.score(X / 50, y, X[:1, 4])
    for wrong in (y[:, 0], y[:, :1], y[:, :2], y[..., None]):
        with pytest.raises(ValueError, match=r"y must have 3 columns of classes, got shape \(120,"):
            model.score(X / 50, wrong)


def test_a_label_that_no_sample_has(X):
    Y = np.column_stack([X[:, 0] > 25, np.zeros(N)]).astype(int)
    assert not fitted(X / 50, Y, max_iter=30, learning_rate_init=0.05).predict(X / 50)[:, 1].any()


def test_as_many_classes_as_a_vocabulary(rng):
    X = rng.normal(size=(3000, 8)).astype(np.float32)
    y = np.arange(3000) // 2
    model = fitted(X, y, hidden_layer_sizes=(16,), max_iter=2, batch_size=500)
    assert model.predict_proba(X[:10]).shape == (10, 1500)
    np.testing.assert_allclose(model.predict_proba(X[:10]).sum(axis=1), 1, rtol=1e-5)


def test_a_column_of_labels_warns(X, y):
    with pytest.warns(UserWarning, match="column-vector y was passed"):
        model = fitted(X, y[:, None])
    assert_same_bits(model, fitted(X, y))


# -- samples -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "convert",
    [
        *(lambda X, dtype=dtype: X.astype(dtype) for dtype in X_DTYPES),
        lambda X: X.astype(object),
        np.ndarray.tolist,
        np.asfortranarray,
        lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
        lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
        lambda X: np.frombuffer(X.tobytes()).reshape(X.shape),
    ],
    ids=[*X_DTYPES, "object", "list", "Fortran", "strided", "reversed", "read-only"],
)
@pytest.mark.parametrize("shuffle", [False, True])
def test_samples_of_any_type(X, y, convert, shuffle):
    """Whole numbers are the same in all of these types, and so must the model be."""
    same = fitted(X, y, dtype="float64", shuffle=shuffle)
    model = fitted(convert(X), y, dtype="float64", shuffle=shuffle)
    assert_same_bits(model, same)
    np.testing.assert_array_equal(model.predict_proba(convert(X)), same.predict_proba(X), strict=True)


def test_truth_values(X, y):
    assert_same_bits(fitted(X > 25, y), fitted((X > 25).astype(np.float32), y))


def test_memory_map(X, y, tmp_path):
    np.save(tmp_path / "X.npy", X.astype(np.uint8))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = fitted(mapped, y)
    assert_same_bits(model, fitted(X.astype(np.uint8), y))
    np.testing.assert_array_equal(model.predict(mapped), model.predict(X))


@pytest.mark.parametrize("dtype", ["?", *X_DTYPES])
def test_what_it_computes_in(X, y, dtype):
    X = X.astype(dtype)
    model = fitted(X, y)
    expected = np.dtype("float64") if dtype == "g" else np.result_type(X.dtype, np.float32)
    assert {array.dtype for array in model.coefs_ + model.intercepts_} == {expected}
    assert model.predict_proba(X).dtype == model.predict_log_proba(X).dtype == expected


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32, np.dtype("float64")], ids=str)
@pytest.mark.parametrize("of_X", ["u1", "f4", "f8", "i8"])
def test_it_computes_in_what_is_asked_for(X, y, dtype, of_X):
    model = fitted(X.astype(of_X), y, dtype=dtype)
    assert model.coefs_[0].dtype == dtype
    assert model.predict_proba(X).dtype == dtype


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_no_copy_of_X(rng, dtype):
    X = rng.integers(0, 2, size=(40_000, 100)).astype(dtype)
    y = X[:, 0].astype(np.int8)
    model = MLPClassifier((4,), max_iter=1, batch_size=100, random_state=0, n_threads=1)
    model.fit(X[:200], y[:200])  # so that imports and caches do not count
    peaks = []
    for work in (lambda: clone(model).fit(X, y), lambda: model.predict_proba(X)):
        tracemalloc.start()
        work()
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert max(peaks) < X.size  # a byte per number is what a mask of X would take; orders and labels take 2 MB


# -- the same bits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["sgd", "rmsprop", "adam"])
@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_any_number_of_threads(rng, solver, kind):
    X = rng.normal(size=(500, 120)).astype(np.float32)
    Y = (X[:, :3] > 0).astype(int)
    y = Y if kind == "multilabel" else Y.sum(axis=1)
    parameters = {"hidden_layer_sizes": (70, 90), "solver": solver, "batch_size": 130, "max_iter": 3}
    alone = fitted(X, y, n_threads=1, **parameters)
    for n_threads in (2, 3, 8):
        model = fitted(X, y, n_threads=n_threads, **parameters)
        assert_same_bits(model, alone)
        np.testing.assert_array_equal(model.predict_proba(X), alone.predict_proba(X))


def rate(name):
    """A schedule, for fits of few epochs."""
    return {"learning_rate": name} | ({"tol": 10.0, "n_iter_no_change": 1} if name == "adaptive" else {})


@pytest.mark.parametrize("solver", [name for name in SOLVERS if name != "lbfgs"])
@pytest.mark.parametrize(
    "through",
    [lambda model: model, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))],
    ids=["itself", "deepcopy", "pickle"],
)
class TestTrainingGoesOn:
    """Weights, the optimizer's memory and the random numbers go on where they were."""

    def test_in_a_given_order(self, X, y, solver, through):
        parameters = {"solver": solver, "batch_size": 32, "shuffle": False}
        whole = fitted(X, y, max_iter=10, **parameters)
        model = through(fitted(X, y, max_iter=5, warm_start=True, **parameters))
        model.set_params(n_threads=3).fit(X, y)
        assert_same_bits(model, whole)
        assert (model.n_iter_, model.t_) == (5, 10 * N)
        for _ in range(2):
            whole.partial_fit(X, y)
            model = through(model.partial_fit(X, y))
        assert_same_bits(model, whole)
        assert (model.n_iter_, model.t_) == (1, 12 * N)

    @pytest.mark.parametrize(
        "more",
        [
            {"early_stopping": True},
            {"dropout": 0.3, "clip_norm": 1.0, "weight_decay": 0.1},
            {"learning_rate": schedule},
            *map(rate, UNENDING),
        ],
        ids=["early stopping", "dropout, clipped", "a function", *UNENDING],
    )
    def test_in_random_orders(self, X, y, solver, through, more):
        parameters = {"solver": solver, "batch_size": 32, "warm_start": True, **more}
        whole = fitted(X, y, max_iter=10, **parameters)
        model = through(fitted(X, y, max_iter=5, **parameters)).fit(X, y)
        assert_same_bits(model, whole)
        assert model.validation_scores_ == whole.validation_scores_
        assert len(set(whole.loss_curve_)) == 10

    def test_in_part(self, X, y, solver, through):
        parameters = {"solver": solver, "batch_size": 32, "random_state": 0}
        whole = MLPClassifier((6,), **parameters).partial_fit(X, y, classes=[0, 1, 2], epochs=2).partial_fit(X, y)
        model = MLPClassifier((6,), **parameters).partial_fit(X, y, classes=[0, 1, 2], epochs=2)
        assert_same_bits(through(model).partial_fit(X, y), whole)
        assert (whole.n_iter_, whole.t_, len(whole.loss_curve_)) == (1, 3 * N, 3)


def test_a_copy_is_another_model(X, y):
    model = fitted(X, y, warm_start=True)
    before, twin = copy.deepcopy(model), copy.deepcopy(model)
    twin.fit(X, y)
    assert_same_bits(model, before)
    assert_same_bits(model.fit(X, y), twin)


@pytest.mark.parametrize(
    "changes",
    [
        {"solver": "sgd"},
        {"solver": "rmsprop"},
        {"batch_size": 7},
        {"alpha": 1.0},
        {"learning_rate_init": 0.5},
        {"beta_1": 0.5},
        {"shuffle": False},
        {"max_iter": 1},
        {"n_threads": 2},
        {"verbose": 0, "tol": 0.0},
    ],
    ids=str,
)
def test_parameters_may_change_between_warm_starts(X, y, changes):
    model = fitted(X / 50, y, warm_start=True, batch_size=50)  # of one batch the order hardly matters
    before = copy.deepcopy(model)
    model.set_params(**changes).fit(X / 50, y)
    assert model.loss_curve_[:5] == before.loss_curve_
    assert len(model.loss_curve_) == 5 + model.n_iter_ == 5 + model.max_iter
    unchanged = {"n_threads": 2}, {"verbose": 0, "tol": 0.0}, {"max_iter": 1}
    same = np.array_equal(model.coefs_[0], before.fit(X / 50, y).coefs_[0])
    assert same == (changes in unchanged[:2])


def test_weights_are_read_only(X, y):
    model = fitted(X, y)
    for array in model.coefs_ + model.intercepts_:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize("scale", [0, 1e-300, 1e-30, 1e30])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", ["rmsprop", "adam"])
def test_samples_of_any_scale(X, y, scale, dtype, solver):
    """Zeros, subnormal and huge numbers, and a column of zeros: training ends, in finite weights."""
    X = (X * scale * [1, 1, 0, 1, 1]).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        model = fitted(X, y, solver=solver)
    assert all(np.isfinite(array).all() for array in model.coefs_ + model.intercepts_)
    assert np.isfinite(model.predict_proba(X)).all()


def test_classes_that_only_whole_numbers_tell_apart(rng):
    """Signed and unsigned ones meet as floating-point numbers in NumPy, which are too coarse for these."""
    X, y = rng.normal(size=(30, 3)), rng.integers(0, 2, 30)
    for model in (MLPClassifier((3,)), Perceptron()):
        model.partial_fit(X, (y + 2**62).astype("u8"), classes=[2**62, 2**62 + 1])
        assert set(model.predict(X).tolist()) <= {2**62, 2**62 + 1}


@pytest.mark.parametrize("dtype", ["O", "U3"])
def test_texts_are_classes_of_text(dtype, rng):
    model = fitted(rng.normal(size=(30, 3)), np.array(["no", "yes"] * 15, dtype))
    assert model.classes_.dtype == model.predict(np.zeros((1, 3))).dtype == "U3"
