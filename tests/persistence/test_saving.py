"""A loaded model is the saved one, training included; other objects are refused; no file is half-written."""

import errno
import os
import re
import signal
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier

import fastnn
from fastnn import (
    MLPClassifier,
    MLPRegressor,
    ModularClassifier,
    ModularRegressor,
    Perceptron,
    SequentialClassifier,
    SequentialRegressor,
)
from fastnn.layers import GRU, LSTM, Activation, Bidirectional, Conv2D, Dense, Dropout, Flatten, Masking
from fastnn.training.curve import Curve
from fastnn.training.state import TrainingState

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 5))
    return X, rng.integers(0, 3, 60)


def through_a_file(model, path):
    fastnn.save(model, path)
    return fastnn.load(path)


def assert_same(ours, theirs):
    """Assert the same type and the same value, bit by bit; for objects, of each attribute."""
    assert type(ours) is type(theirs)
    if isinstance(ours, np.ndarray):
        assert ours.dtype == theirs.dtype
        assert_array_equal(ours, theirs)
    elif isinstance(ours, (list, tuple)):
        assert len(ours) == len(theirs)
        for our, their in zip(ours, theirs, strict=True):
            assert_same(our, their)
    elif isinstance(ours, dict):
        assert list(ours) == list(theirs)
        assert_same([*ours, *ours.values()], [*theirs, *theirs.values()])
    elif isinstance(ours, np.random.RandomState):
        assert_same(ours.get_state(), theirs.get_state())
    elif isinstance(ours, Curve):
        assert_same(list(ours), list(theirs))
    elif type(ours).__module__ in ("fastnn.training.state", "fastnn.estimators.perceptron_state"):
        assert_same(vars(ours), vars(theirs))
    else:
        assert ours == theirs or (ours != ours and theirs != theirs)


def attributes(model):
    """All attributes of a model but the engine's objects, which have only the weights."""
    names = {*vars(model), "classes_", "coefs_", "intercepts_", "weights_"}
    names -= {"_network", "_trainer", "_targets", "_chain"}
    names |= {"loss_curve_", "validation_scores_", "validation_loss_curve_"}
    return {name: getattr(model, name) for name in sorted(names) if hasattr(model, name)}


MODELS = {
    "adam": MLPClassifier((6, 4), activation=["relu", "tanh"], random_state=0, max_iter=3),
    "dropout": MLPClassifier((6,), dropout=0.2, early_stopping=True, random_state=0, max_iter=6, dtype=np.float32),
    "lbfgs": MLPClassifier(6, solver="lbfgs", random_state=0, max_iter=3),
    "global random numbers": MLPClassifier(np.array([4]), solver="rmsprop", max_iter=3, alpha=np.float32(0.01)),
    "sgd": MLPRegressor(hidden_layer_sizes=(), solver="sgd", random_state=3, max_iter=3, tol=np.float64(1e-5)),
    "huber": MLPRegressor("huber", [4], huber_delta=2, random_state=np.random.RandomState(7), max_iter=3),
    "quantiles": MLPRegressor("quantile", (4,), quantile=[0.1, 0.9], scoring="loss", early_stopping=True, max_iter=3),
    "poisson": MLPRegressor("poisson", (4,), solver="adagrad", n_iter_no_change=np.inf, max_iter=3, dtype="float32"),
    "layers": SequentialClassifier(
        [Dense(6, None, use_bias=False), Activation("tanh"), None, Dropout(0.2), Dense(4, trainable=False)],
        input_shape=(5, 1),
        random_state=0,
        max_iter=3,
    ),
    "default layers": SequentialRegressor(early_stopping=True, random_state=0, max_iter=6, dtype=np.float32),
    "perceptron": Perceptron(class_weight={0: 1.0, 1: 2.0, np.int64(2): 0.5}),
    "averaged": Perceptron(average=True, max_iter=3),
    "averaged later": Perceptron(average=1000, max_iter=3, random_state=np.random.RandomState(1)),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_comes_back_and_resumes_to_the_bit(model, data, path):
    X, y = data
    model = model.set_params(warm_start=True).fit(X, y)
    back = through_a_file(model, path)
    assert_same(attributes(model), attributes(back))
    assert_array_equal(model.predict(X), back.predict(X))
    again = through_a_file(back, path)
    for one in (model, back, again):
        one.fit(X, y)
        if model.get_params().get("solver") != "lbfgs":
            one.set_params(early_stopping=False).partial_fit(X[:20], y[:20])
    assert_same(attributes(model), attributes(back))
    assert_same(attributes(model), attributes(again))


@pytest.mark.parametrize(
    "model",
    [
        *(MLPClassifier(3, verbose=2), MLPRegressor("huber"), Perceptron(eta0=0.5)),
        SequentialClassifier([Conv2D(3, (2, 3), strides=2), None, Dense(-1)], input_shape=(8, 8)),
    ],
)
def test_not_fitted(model, path):
    back = through_a_file(model, path)
    assert type(back) is type(model)
    assert_same(vars(back), vars(model))


@pytest.mark.parametrize(
    "y",
    [
        np.array(["no", "yes"] * 10),
        np.array(["no", "jä\N{GRINNING FACE}", "a longer word", "no"] * 5, dtype="<U20"),
        np.array(["a", "b", "", "c"] * 5, dtype=object),
        np.array([True, False] * 10),
        np.array([-1.0, 2.0, 5.0, 2.0] * 5, dtype=np.float32),
        np.array([250, 3, 7, 3] * 5, dtype=np.uint8),
        np.array([1, 2] * 10, dtype=">i4"),
    ],
    ids=["text", "wide", "objects", "bool", "float32", "uint8", "big-endian"],
)
@pytest.mark.parametrize("model", [MLPClassifier(3, max_iter=2), Perceptron(max_iter=2)], ids=["mlp", "perceptron"])
def test_classes(model, y, rng, path):
    X = rng.normal(size=(20, 2))
    model.fit(X, y)
    back = through_a_file(model, path)
    assert back.classes_.dtype == model.classes_.dtype.newbyteorder("=")
    assert back.classes_.tolist() == model.classes_.tolist()
    assert back.predict(X).tolist() == model.predict(X).tolist()


def test_several_columns(rng, path):
    X, y = rng.normal(size=(20, 2)), rng.integers(0, 3, (20, 2))
    model = MLPClassifier(3, max_iter=2, class_weight=[{0: 1.0, 1: 2.0, 2: 1.0}, "balanced"]).fit(X, y)
    back = through_a_file(model, path)
    assert_same(model.classes_, back.classes_)
    assert_same(model.predict_proba(X), back.predict_proba(X))
    model = MLPClassifier(3, max_iter=2).fit(X, y > 0)
    back = through_a_file(model, path)
    assert_same(model.classes_, back.classes_)
    assert_same(model.predict(X), back.predict(X))
    model = MLPRegressor("quantile", 3, quantile=[0.2, 0.8], max_iter=2).fit(X, y)
    assert_same(model.predict(X), through_a_file(model, path).predict(X))


@pytest.mark.parametrize("model", [MLPClassifier(3, max_iter=2), Perceptron()], ids=["mlp", "perceptron"])
def test_feature_names(model, data, path):
    X, y = pd.DataFrame(data[0], columns=["a", "b", "ü", "d", ""]), data[1]
    back = through_a_file(model.fit(X, y), path)
    assert_same(model.feature_names_in_, back.feature_names_in_)
    assert_array_equal(back.predict(X), model.predict(X))
    with pytest.raises(ValueError, match="feature names"):
        back.predict(X[["b", "a", "ü", "d", ""]])


def test_samples_of_several_axes(data, path):
    images = data[0].reshape(-1, 5, 1)
    model = SequentialClassifier([Flatten(), Dense(3)], max_iter=2, random_state=0).fit(images, data[1])
    back = through_a_file(model, path)
    assert_same(attributes(model), attributes(back))
    assert vars(model).keys() == vars(back).keys()
    assert_array_equal(back.predict(images), model.predict(images))
    assert_array_equal(back.hidden_activations(images, 1), model.hidden_activations(images, 1))


def test_parameters_set_since(data, path):
    """They are for the next fit, and do not describe the last one."""
    model = MLPClassifier(3, max_iter=2, random_state=0).fit(*data)
    model.set_params(hidden_layer_sizes=(7, 7), activation=["exp", "elu"], early_stopping=True, random_state=5)
    back = through_a_file(model, path)
    assert_same(attributes(model), attributes(back))
    model = SequentialClassifier([Dense(3)], max_iter=2).fit(*data).set_params(layers=[Conv2D(4, [3, 2])])
    back = through_a_file(model, path)
    assert_array_equal(back.predict(data[0]), model.predict(data[0]))
    assert back.layers == [Conv2D(4, (3, 2))]
    model = MLPRegressor("quantile", 3, quantile=[0.1, 0.5], max_iter=2).fit(*data)
    model.set_params(loss="poisson", quantile=0.5)
    assert_array_equal(through_a_file(model, path).predict(data[0]), model.predict(data[0]))


def test_a_layer_in_a_layer(data, path):
    layers = [Masking(-1), Bidirectional(LSTM(4, return_sequences=True), "sum"), GRU(3)]
    model = SequentialClassifier([Dense(3)], max_iter=2).fit(*data).set_params(layers=layers)
    assert through_a_file(model, path).layers == layers


def test_weights_given(data, path):
    model = MLPClassifier.from_weights([np.eye(5, 3)], [np.zeros(3)])
    assert_same(attributes(model), attributes(through_a_file(model, path)))
    sparse = Perceptron(penalty="l1", max_iter=3).fit(*data).sparsify()
    back = through_a_file(sparse, path)
    assert (back.coef_ != sparse.coef_).nnz == 0
    assert type(back.coef_) is type(sparse.coef_)
    assert_array_equal(back.predict(data[0]), sparse.predict(data[0]))


def test_scikit_learns(data, path):
    fitted = SklearnMLPClassifier((3,), early_stopping=True, max_iter=3, random_state=0).fit(*data)
    model = MLPClassifier.from_sklearn(fitted)
    back = through_a_file(model, path)
    assert vars(model).keys() == vars(back).keys()
    assert (back.loss_, back.validation_scores_, back.t_) == (model.loss_, model.validation_scores_, model.t_)
    assert_array_equal(back.predict_proba(data[0]), model.predict_proba(data[0]))


def test_random_numbers_of_a_parameter_stay_one(data, path):
    model = MLPClassifier(3, random_state=np.random.RandomState(1), max_iter=2, warm_start=True).fit(*data)
    back = through_a_file(model, path)
    assert back._state.random_state is back.random_state


def test_every_part_of_the_training_is_kept():
    """A new attribute needs a rule in persistence/networks.py."""
    from fastnn.persistence import networks

    known = {*networks._CURVES, *networks._COUNTS, *networks._NUMBERS}
    known |= {"random_state", "best_weights", "last_weights", "judged_by", "converged"}
    known |= {"order", "split", "dropout_seed", "n_samples_streamed"}
    known |= {"owns_random_state"}  # the parameter random_state says so
    assert {field.name for field in fields(TrainingState)} == known


# -- what cannot be saved ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model, name",
    [
        (MLPClassifier(learning_rate=lambda epoch: 0.1), "parameters.learning_rate"),
        (MLPRegressor(callback=print), "parameters.callback"),
        (MLPClassifier(scoring=max), "parameters.scoring"),
        (MLPClassifier(dtype=np.float16), "parameters.dtype"),
        (MLPClassifier(class_weight={1: {2}}), "parameters.class_weight.1"),
        (MLPClassifier(random_state=np.random.RandomState(np.random.PCG64(0))), "parameters.random_state"),
        (Perceptron(alpha=np.longdouble(1)), "parameters.alpha"),
    ],
)
def test_parameters_that_cannot_be_saved(model, name, path):
    path.write_text("old")
    with pytest.raises(TypeError, match=f"^{re.escape(name)} must be .* to be saved, got "):
        fastnn.save(model, path)
    assert path.read_text() == "old"


def test_other_things(data, path):
    class Mine(Perceptron):
        pass

    for thing in (Mine(), object(), MLPClassifier):
        with pytest.raises(TypeError, match=r"model must be one of MLPClassifier, .*, ModularRegressor, got "):
            fastnn.save(thing, path)
    model = Perceptron().fit(*data)
    model.note = "mine"
    with pytest.raises(TypeError, match="attributes that cannot be saved: note"):
        fastnn.save(model, path)
    with pytest.raises(ValueError, match=r"cannot be saved: .*'alpha'"):
        fastnn.save(Perceptron(alpha=-1), path)
    model = MLPClassifier.from_weights([np.eye(2)], [np.zeros(2)], dtype="float32", multilabel=True)
    model._network.parameters[:] = np.inf
    with pytest.raises(ValueError, match=r"cannot be saved: .*must be finite, got inf"):
        fastnn.save(model, path)
    assert not path.exists()


# -- files ------------------------------------------------------------------------------------------------------------


def test_failing_writes_leave_the_old_file(path, monkeypatch):
    fastnn.save(Perceptron(), path)
    old = path.read_bytes()
    for name in ("fsync", "replace"):

        def fail(*arguments):
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
            patch.setattr(os, name, fail)
            fastnn.save(Perceptron(eta0=2), path)
        assert path.read_bytes() == old
        assert os.listdir(path.parent) == [path.name]


def test_a_disk_that_fills_up(tmp_path):
    """A file like /dev/full: a write to it fails late, at the flush."""
    resource = pytest.importorskip("resource")
    model = MLPClassifier.from_weights([np.eye(300)], [np.zeros(300)])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            fastnn.save(model, tmp_path / "model")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize("mode", [0o600, 0o444, 0o640, 0o666])
def test_who_may_read_a_file_stays_so(mode, path, monkeypatch):
    fastnn.save(Perceptron(), path)
    path.chmod(mode)
    while_written = []
    monkeypatch.setattr(os, "fsync", lambda file: while_written.append(os.fstat(file).st_mode & 0o777))
    before = os.umask(0o022)
    try:
        fastnn.save(Perceptron(eta0=2), path)
    finally:
        os.umask(before)
    assert while_written == [mode & ~0o022]
    assert path.stat().st_mode & 0o777 == mode
    assert fastnn.load(path).eta0 == 2


def test_links_that_lead_in_a_circle(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OSError, match="symbolic links"):
        fastnn.save(Perceptron(), tmp_path / "a")
    assert (tmp_path / "a").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_no_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder") as caught:
        fastnn.save(MLPClassifier(), tmp_path / "none" / "model")
    assert caught.value.filename == str(tmp_path / "none")


def test_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fastnn.save(Perceptron(), "model")
    assert isinstance(fastnn.load("model"), Perceptron)
    (tmp_path / "link").symlink_to("model")
    fastnn.save(MLPClassifier(), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert isinstance(fastnn.load("model"), MLPClassifier)
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "model").stat().st_mode & 0o777 == 0o666 & ~umask
    with pytest.raises(FileNotFoundError):
        fastnn.load("nowhere")
    with pytest.raises(FileNotFoundError):
        fastnn.save(Perceptron(), "nowhere/model")
    with pytest.raises(IsADirectoryError):
        fastnn.load(".")
    (tmp_path / "folder").mkdir()
    for no_file in ("folder", os.devnull):
        with pytest.raises(FileExistsError, match="not a regular file"):
            fastnn.save(Perceptron(), no_file)
    for folder in (".", "..", "folder/", "new/", "folder/new/", "new/."):
        with pytest.raises(IsADirectoryError):
            fastnn.save(Perceptron(), folder)
    with pytest.raises(FileNotFoundError):
        fastnn.save(Perceptron(), "")
    fastnn.save(Perceptron(eta0=3), b"bytes")
    assert fastnn.load(b"bytes").eta0 == 3
    assert sorted(os.listdir()) == ["bytes", "folder", "link", "model"]
    with pytest.raises(ValueError, match="null is not a fastnn model: it must have at least 8 bytes, got 0"):
        fastnn.load(os.devnull)


# -- modular networks -------------------------------------------------------------------------------------------------

TINY = {"max_iter": 2, "random_state": 0}
PARTS = [
    ("some", MLPClassifier((3,), **TINY), [4, 0]),
    ("range", SequentialClassifier([Dense(3)], input_shape=(3,), **TINY), slice(1, 4)),
    ("all", Perceptron(max_iter=3, tol=None), slice(None)),
]
OF_NUMBERS = [
    ("one", MLPRegressor("huber", (3,), **TINY), slice(0, 2)),
    ("two", MLPRegressor("squared_error", (3,), **TINY), [2]),
]
MODULAR = {
    "mean": ModularClassifier(PARTS[:2], weights=(1, 2.5)),
    "product": ModularClassifier(PARTS[:2], combine="product", weights=[0.5, 2]),
    "vote": ModularClassifier(PARTS, combine="vote", weights=np.array([1, 2, 3])),
    "classifier": ModularClassifier(PARTS, combine=MLPClassifier((3,), **TINY), cv=2),
    "everything": ModularClassifier(PARTS, combine=Perceptron(max_iter=3, tol=None), cv=2, passthrough=True),
    "dropped": ModularClassifier([*PARTS[:1], ("gone", "drop", slice(None))]),
    "mean of numbers": ModularRegressor(OF_NUMBERS),
    "regressor": ModularRegressor(OF_NUMBERS, combine=MLPRegressor("squared_error", (3,), **TINY), cv=2),
}


@pytest.mark.parametrize("model", MODULAR.values(), ids=MODULAR)
@pytest.mark.parametrize("with_names", [False, True])
def test_modular_networks(model, with_names, path, data):
    X, y = data
    X = pd.DataFrame(X, columns=list("abcde")) if with_names else X
    model.fit(X, y)
    loaded = through_a_file(model, path)
    assert type(loaded) is type(model) and vars(loaded).keys() == vars(model).keys()
    assert_array_equal(loaded.predict(X), model.predict(X))
    assert_array_equal(loaded.transform(X), model.transform(X))
    if hasattr(model, "predict_proba"):
        assert_array_equal(loaded.predict_proba(X), model.predict_proba(X), strict=True)
    assert_array_equal(loaded.get_feature_names_out(), model.get_feature_names_out())
    assert loaded.score_modules(X, y) == model.score_modules(X, y)
    name = next(iter(loaded.named_modules_))
    assert_array_equal(loaded.refit(name, X, y).predict(X), model.predict(X))
    assert_array_equal(loaded.fit(X, y).predict(X), model.predict(X))


def test_modular_networks_of_other_targets(path, rng):
    sequences = [rng.normal(size=(n, 2)) for n in rng.integers(3, 9, 40)]
    labels = np.array(["no", "yes"])[[int(each.sum() > 0) for each in sequences]]
    model = ModularClassifier([("gru", SequentialClassifier([GRU(3)], **TINY), slice(None))]).fit(sequences, labels)
    assert_array_equal(through_a_file(model, path).predict_proba(sequences), model.predict_proba(sequences))
    X = rng.normal(size=(40, 3))
    for y, targets in (np.stack([X[:, 0] > 0, X[:, 1] > 0], axis=1), {}), (rng.integers(0, 3, (40, 2)), {"some": 1}):
        modules = [("some", MLPClassifier((3,), **TINY), slice(0, 2)), ("rest", MLPClassifier((3,), **TINY), [2])]
        model = ModularClassifier(modules, targets=targets, combine=MLPClassifier((3,), **TINY), cv=2).fit(
            X, y.astype(int)
        )
        assert_array_equal(through_a_file(model, path).predict(X), model.predict(X))


def test_modular_networks_not_fitted(path):
    loaded = through_a_file(ModularClassifier([("one", MLPClassifier(), slice("a", "b"))], targets={"one": "x"}), path)
    assert loaded.modules[0][2] == slice("a", "b") and loaded.targets == {"one": "x"}


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (ModularClassifier([("one", SklearnMLPClassifier(), [0])]), "the module 'one' must be one of MLPClassifier, "),
        (ModularClassifier(PARTS, combine=SklearnMLPClassifier()), "combine must be one of MLPClassifier, "),
        (
            ModularClassifier([("one", ModularClassifier(PARTS), [0])]),
            "the module 'one' must be one of MLPClassifier, ",
        ),
        (ModularClassifier(PARTS, targets={"some": abs}), "parameters.targets.some must be None, a boolean, "),
        (ModularClassifier([("one", MLPClassifier(), len)]), "parameters.modules.0.2 must be None, a boolean, "),
    ],
)
def test_modular_networks_that_cannot_be_saved(model, message, path):
    with pytest.raises(TypeError, match=re.escape(message)):
        fastnn.save(model, path)
    assert not path.exists()
