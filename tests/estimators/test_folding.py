"""Batch normalization is folded into the sums before it for predictions: of the weights that the model has then."""

import copy
import pickle
import threading
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import softmax
from sklearn.metrics import log_loss

from fastnn import SequentialClassifier, SequentialRegressor, load, save
from fastnn.engine.network import Network
from fastnn.estimators.sequential import BaseSequential
from fastnn.layers import (
    Activation,
    AveragePooling1D,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalMaxPooling1D,
    MaxPooling1D,
    MaxPooling2D,
    Rescaling,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NORM = BatchNormalization(momentum=0.5)
SUMS = {"activation": None}
SMALL = [Dense(17, None), NORM, Activation("tanh"), Dropout(0.1)]
CONVOLUTIONS = [
    Conv2D(21, 3, activation=None, use_bias=False), NORM, Activation("relu"), MaxPooling2D(),
    Conv2D(9, 2, activation="linear"), None, BatchNormalization(momentum=0.5, epsilon=0.1), Activation("silu"),
]  # fmt: skip

# Layers, the shape of a sample, and the kinds of layers that predict.
FOLDED = {
    "dense": (SMALL, (7,), ["dense", "dense"]),
    "dense without biases": ([Dense(5, None, use_bias=False), NORM, Dense(6)], (7,), ["dense"] * 3),
    "dense at each position": ([Dense(9, None), NORM, Activation("gelu"), Flatten()], (5, 3), None),
    "two normalizations": ([Dense(5, None), NORM, NORM], (7,), ["dense", "batch_normalization", "dense"]),
    "convolutions": (CONVOLUTIONS, (9, 8, 2), ["convolution", "convolution", "reshape", "dense"]),
    "strides, padding": ([Conv2D(18, 3, strides=2, padding="same", **SUMS), NORM], (9, 8, 2), None),
    "depthwise": ([Conv2D(6, 3, groups=3, **SUMS), NORM, MaxPooling2D()], (9, 8, 3), None),
    "causal": ([Conv1D(9, 3, padding="causal", **SUMS), NORM, Activation("relu"), GlobalMaxPooling1D()], (11, 3), None),
    "dilated": ([Conv1D(9, 2, dilation_rate=3, **SUMS), NORM, AveragePooling1D(2), Flatten()], (11, 3), None),
    "rescaled": ([Rescaling(2.0, 0.5), Conv1D(9, 3, **SUMS), NORM, Dropout(0.5), Flatten()], (11, 3), None),
    "frozen": ([Dense(5, None, trainable=False), BatchNormalization(trainable=False)], (7,), ["dense", "dense"]),
}
KEPT = {
    "an activation": ([Dense(9, "relu"), NORM], (7,)),
    "an activation after": ([Dense(9, None), Activation("relu"), NORM], (7,)),
    "pooling": ([Conv1D(9, 3, **SUMS), MaxPooling1D(), NORM, Flatten()], (11, 3)),
    "dropout": ([Dense(9, None), Dropout(0.2), NORM], (7,)),
    "another shape": ([Conv1D(9, 3, **SUMS), Flatten(), NORM], (11, 3)),
    "nothing before": ([NORM, Dense(9, None)], (7,)),
}


def data(shape, n=150, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, *shape)) + 1
    return X, np.digitize(X.reshape(n, -1)[:, :3].sum(axis=1), [2, 4])


def fitted(layers, shape, dtype="float64", **parameters):
    settings = {"max_iter": 3, "batch_size": 32, "learning_rate_init": 0.05, "random_state": 0} | parameters
    return SequentialClassifier(layers, dtype=dtype, **settings).fit(*data(shape))


def unfolded(model, X):
    """The probabilities that follow from the last hidden layer, which no prediction is folded for."""
    last = model.weights_[-1]
    hidden = model.hidden_activations(X)
    return softmax(hidden.reshape(len(hidden), -1) @ last["kernel"] + last["bias"], axis=1)


def assert_current(model, X):
    tolerance = 2e-5 if model._network.dtype == "float32" else 1e-12
    np.testing.assert_allclose(model.predict_proba(X), unfolded(model, X), atol=tolerance)


def kinds(model):
    return [kind for kind, *_ in model._predictor(model._network).description]


@pytest.mark.parametrize(("layers", "shape", "expected"), FOLDED.values(), ids=FOLDED)
def test_predictions_are_those_of_both_layers(layers, shape, expected, dtype):
    model = fitted(layers, shape, dtype)
    assert_current(model, data(shape, seed=1)[0])
    n_folded = sum(kind == "batch_normalization" for kind, *_ in model._network.description) - (
        kinds(model).count("batch_normalization")
    )
    assert n_folded == (2 if layers is CONVOLUTIONS else 1)
    assert kinds(model) == (expected or kinds(model))


@pytest.mark.parametrize(("layers", "shape"), KEPT.values(), ids=KEPT)
def test_what_is_not_folded(layers, shape, dtype):
    model = fitted(layers, shape, dtype)
    assert model._predictor(model._network) is model._network
    assert_current(model, data(shape)[0])


def test_activation_and_pooling_are_fused_into_the_folded_layer():
    model = fitted(CONVOLUTIONS, (9, 8, 2))
    first, second, *_ = model._predictor(model._network).layers
    assert (first.activation, first.output_shape) == ("relu", (3, 3, 21))
    assert second.activation == "silu"


def test_hidden_activations_are_of_each_layer():
    model, X = fitted(SMALL, (7,)), data((7,))[0]
    dense, normalization = model.weights_[:2]
    sums = X @ dense["kernel"] + dense["bias"]
    factor = normalization["gamma"] / np.sqrt(normalization["moving_variance"] + NORM.epsilon)
    normalised = (sums - normalization["moving_mean"]) * factor + normalization["beta"]
    model.predict(X)
    for layer, expected in enumerate((sums, normalised, np.tanh(normalised))):
        np.testing.assert_allclose(model.hidden_activations(X, layer), expected, atol=1e-12)


@pytest.mark.parametrize("n_threads", [1, 2, 3, 8])
def test_one_sample_has_the_bits_it_has_among_others(dtype, n_threads):
    shape = (9, 8, 2)
    model = fitted(CONVOLUTIONS, shape, dtype, n_threads=1)
    X = data(shape, 500)[0].astype(dtype)
    expected = model.predict_proba(X)
    model.set_params(n_threads=n_threads)
    for n in (500, 65, 3):
        assert model.predict_proba(X[:n]).tobytes() == expected[:n].tobytes()
    for i in (0, 64, 499):
        assert model.predict_proba(X[i : i + 1]).tobytes() == expected[i].tobytes()


def test_sparse_samples():
    model, X = fitted(SMALL, (7,)), data((7,))[0]
    X[X < 1] = 0
    np.testing.assert_array_equal(model.predict_proba(sp.csr_matrix(X)), model.predict_proba(X))


def test_bytes():
    X, y = data((9, 8, 1))
    X = (20 * X + 100).clip(0, 255).astype(np.uint8)
    layers = [Rescaling(1 / 255, -0.5), *CONVOLUTIONS]
    model = SequentialClassifier(layers, dtype="float32", max_iter=2, random_state=0).fit(X, y)
    assert_current(model, X)


@pytest.mark.parametrize("predicts_before", [False, True])
def test_copies_and_files(predicts_before, dtype, tmp_path):
    shape = (9, 8, 2)
    model, (X, y) = fitted(CONVOLUTIONS, shape, dtype), data(shape)
    size = len(pickle.dumps(model))
    if predicts_before:
        model.predict(X)
    assert len(pickle.dumps(model)) == size
    save(model, tmp_path / "model.safetensors")
    copies = [copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    copies.append(load(tmp_path / "model.safetensors"))
    expected = model.predict_proba(X)
    model.partial_fit(X, y)
    for copied in copies:
        assert copied.predict_proba(X).tobytes() == expected.tobytes()
        copied.partial_fit(X, y)
        assert_current(copied, X)


# -- weights that change ----------------------------------------------------------------------------------------------


def assign(model, X, y):
    model.weights_ = [{name: 1.5 * array for name, array in of_layer.items()} for of_layer in model.weights_]


def fail(model, X, y):
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="diverged"):
        model.partial_fit(1e200 * X, y)
    assert model.predict_proba(X).tobytes() == before.tobytes()


CHANGES = {
    "fit": lambda model, X, y: model.set_params(random_state=1).fit(X, y),
    "other layers": lambda model, X, y: model.set_params(layers__0__units=3, layers__1__epsilon=0.5).fit(X, y),
    "warm start": lambda model, X, y: model.set_params(warm_start=True).fit(X, y),
    "partial_fit": lambda model, X, y: model.partial_fit(X, y),
    "partial_fit of one sample": lambda model, X, y: model.set_params(batch_size=1).partial_fit(X[:1], y[:1]),
    "partial_fit of frozen layers": lambda model, X, y: model.set_params(
        layers__0__trainable=False, layers__1__trainable=False
    ).partial_fit(X, y),
    "weights_": assign,
    "early stopping": lambda model, X, y: model.set_params(early_stopping=True, max_iter=20).fit(X, y),
    "a partial_fit that fails": fail,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_predictions_are_of_the_current_weights(change, dtype):
    model, (X, y) = fitted(SMALL, (7,), dtype), data((7,))
    for _ in range(2):
        assert_current(model, X)  # and so what is folded is kept
        with np.errstate(all="ignore"):
            change(model, X, y)
        assert_current(model, X)


def test_a_fit_watches_with_the_weights_of_each_epoch():
    """The models that a scorer and a callback get share a network that training changes."""
    X, y = data((7,))
    X_val, y_val = data((7,), seed=1)
    losses, n_seen = [], []

    def score(model, X, y):
        assert_current(model, X)
        losses.append(log_loss(y, model.predict_proba(X)))
        return -losses[-1]

    def look(model):
        assert_current(model, X)
        n_seen.append(model.n_iter_)

    model = SequentialClassifier(
        SMALL, max_iter=8, batch_size=16, learning_rate_init=0.3, scoring=score, early_stopping=True, callback=look,
        random_state=0,
    )  # fmt: skip
    for fits in (1, 2):
        model.fit(X, y, X_val=X_val, y_val=y_val)
        assert len(n_seen) == 8 * fits
        model.set_params(warm_start=True, max_iter=8)
    assert len(np.unique(losses)) > 8
    np.testing.assert_allclose(model.validation_loss_curve_, [-each for each in model.validation_scores_], rtol=1e-12)
    assert score(model, X_val, y_val) == model.best_validation_score_ == max(model.validation_scores_)


def test_the_default_score_is_that_of_the_best_epoch():
    X, y = data((7,))
    X_val, y_val = data((7,), seed=1)
    model = SequentialRegressor(SMALL, max_iter=12, learning_rate_init=0.1, early_stopping=True, random_state=0)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    assert model.best_epoch_ < 12
    assert model.score(X_val, y_val) == model.best_validation_score_


def test_weights_that_change_while_they_are_folded(monkeypatch):
    """As in a thread that predicts with the model a callback got, while the fit goes on."""
    model, X = fitted(SMALL, (7,)), data((7,))[0]
    fold = BaseSequential._folded

    def fold_and_change(self, network):
        made = fold(self, network)
        network.set_weights([2 * array for array in network.weights()])
        return made

    monkeypatch.setattr(BaseSequential, "_folded", fold_and_change)
    model.predict(X)
    monkeypatch.undo()
    assert_current(model, X)


def test_threads_predict_while_another_one_trains():
    shape = (9, 8, 2)
    model, (X, y) = fitted(CONVOLUTIONS, shape), data(shape)
    other = copy.deepcopy(model)
    states = [other.predict_proba(X).tobytes()]
    for _ in range(10):
        states.append(other.partial_fit(X, y).predict_proba(X).tobytes())
    found, done = [], threading.Event()

    def predict():
        while not done.is_set():
            found.append(model.predict_proba(X).tobytes())

    threads = [threading.Thread(target=predict) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        model.partial_fit(X, y)
    done.set()
    for thread in threads:
        thread.join()
    assert {*found} <= {*states}
    assert model.predict_proba(X).tobytes() == states[-1]


def test_threads_that_predict_first_at_the_same_time():
    shape = (9, 8, 2)
    model, X = fitted(CONVOLUTIONS, shape), data(shape)[0]
    expected = copy.deepcopy(model).predict_proba(X).tobytes()
    start, found = threading.Barrier(6), []

    def predict():
        start.wait()
        found.append(model.predict_proba(X).tobytes())

    threads = [threading.Thread(target=predict) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 6


# -- the rest ---------------------------------------------------------------------------------------------------------


def test_what_is_folded_is_made_once(monkeypatch):
    model, X = fitted(SMALL, (7,)), data((7,))[0]
    n_made, fold = [], BaseSequential._folded
    monkeypatch.setattr(BaseSequential, "_folded", lambda *arguments: n_made.append(1) or fold(*arguments))
    for _ in range(3):
        model.predict(X)
        copy.copy(model).predict(X)
    assert len(n_made) == 1


def test_weights_beyond_the_range_of_the_type_are_not_folded():
    """float32 has the sum's and the factor's numbers, but not their product's."""
    model = fitted([Dense(2, None), BatchNormalization(epsilon=1e-30)], (7,), "float32")
    dense, normalization, output = model.weights_
    normalization = {"gamma": [1e15] * 2, "beta": [0] * 2, "moving_mean": [0] * 2, "moving_variance": [0] * 2}
    kernels = {"kernel": 1e10 * dense["kernel"], "bias": [0, 0]}, {**output, "kernel": 1e-30 * output["kernel"]}
    model.weights_ = [kernels[0], normalization, kernels[1]]
    X = 1e-10 * data((7,))[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model._predictor(model._network) is model._network
        assert np.isfinite(model.predict_proba(X)).all()
        assert_current(model, X)


def test_a_network_counts_its_changes():
    network = Network([("dense", 3, "identity")], (2,), "identity", "float64")
    versions = [network.version]
    for change in (
        lambda: network.set_weights(network.weights()),
        lambda: network.restore(network.parameters.copy()),
    ):
        change()
        versions.append(network.version)
    assert versions == sorted(set(versions))
    network.predictor = network.version, network.copy()
    for copied in (network.copy(), copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert copied.predictor is None
