"""Networks from weights, from scikit-learn's estimators and to them; weights that are set; hidden activations."""

import pickle

import numpy as np
import pytest
from older import scikit_learns_regressor
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.neural_network import MLPRegressor as SklearnMLPRegressor
from sklearn.tree import DecisionTreeClassifier

from fastnn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def X(rng):
    return rng.normal(size=(80, 4))


TARGETS = {
    "binary": lambda X: np.array(["a", "b"])[(X[:, 0] > 0).astype(int)],
    "multiclass": lambda X: X[:, :3].argmax(axis=1) * 5,
    "multilabel": lambda X: (X[:, :3] > 0).astype(int),
    "numbers": lambda X: X[:, 0],
    "columns of numbers": lambda X: X[:, :2],
    "counts": lambda X: np.abs(X[:, 0]).round(),
}


def pair(kind):
    if kind in ("binary", "multiclass", "multilabel"):
        return MLPClassifier, SklearnMLPClassifier, {}
    return MLPRegressor, SklearnMLPRegressor, {"loss": "poisson"} if kind == "counts" else {}


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_there_and_back(kind, activation, X):
    ours, theirs, parameters = pair(kind)
    parameters |= {"hidden_layer_sizes": (7, 5), "activation": activation, "max_iter": 4, "random_state": 0}
    y = TARGETS[kind](X)
    if "loss" in parameters:
        scikit_learns_regressor(parameters["loss"])  # or skips
    fitted = theirs(**parameters).fit(X, y)
    model = ours.from_sklearn(fitted)
    method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    np.testing.assert_allclose(getattr(model, method)(X), getattr(fitted, method)(X), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X).dtype, fitted.predict(X).dtype)
    assert (model.loss_curve_, model.t_, model.n_iter_) == (fitted.loss_curve_, fitted.t_, 4)
    back = pickle.loads(pickle.dumps(model)).to_sklearn()
    assert type(back) is theirs
    assert back.get_params() == fitted.get_params()
    np.testing.assert_array_equal(getattr(back, method)(X), getattr(fitted, method)(X))
    np.testing.assert_array_equal(back.predict(X), fitted.predict(X))
    assert back.score(X, y) == fitted.score(X, y)
    model.partial_fit(X, y)
    assert len(model.loss_curve_) == 5


def test_names_go_along(X):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("wxyz"))
    fitted = SklearnMLPRegressor(hidden_layer_sizes=(3,), max_iter=2).fit(frame, X[:, 0])
    model = MLPRegressor.from_sklearn(fitted)
    assert model.feature_names_in_.tolist() == list("wxyz")
    model.predict(frame)
    assert model.to_sklearn().feature_names_in_.tolist() == list("wxyz")


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_it_says_which_estimator_it_takes(estimator, X):
    """And nothing else, fitted or not: a classifier would pass for a regressor of its logits."""
    expected = {MLPClassifier: SklearnMLPClassifier, MLPRegressor: SklearnMLPRegressor}[estimator]
    message = rf"must be a sklearn.neural_network.{expected.__name__}, got a [\w.]+"
    for other in (SklearnMLPClassifier, SklearnMLPRegressor, DecisionTreeClassifier, MLPClassifier, MLPRegressor):
        if other is not expected:
            with pytest.raises(TypeError, match=message + other.__name__):
                estimator.from_sklearn(other().fit(X, X[:, 0] > 0))
    with pytest.raises(TypeError, match=message + "NoneType"):
        estimator.from_sklearn(None)
    with pytest.raises(NotFittedError):
        estimator.from_sklearn(expected())


@pytest.mark.parametrize("kind", TARGETS)
def test_from_weights(kind, X):
    ours, _, parameters = pair(kind)
    y = TARGETS[kind](X)
    model = ours(hidden_layer_sizes=(7, 5), activation=["tanh", "gelu"], max_iter=3, **parameters).fit(X, y)
    if ours is MLPClassifier:
        parameters = {"classes": None if kind == "multilabel" else model.classes_, "multilabel": kind == "multilabel"}
    same = ours.from_weights(model.coefs_, model.intercepts_, activation=["tanh", "gelu"], **parameters)
    np.testing.assert_array_equal(same.predict(X), model.predict(X))
    assert same.hidden_layer_sizes == (7, 5)
    assert same.coefs_[0].dtype == model.coefs_[0].dtype
    assert same.loss_curve_ == []
    assert np.isnan(same.loss_)
    same.partial_fit(X, y)
    as_lists = ours.from_weights(
        [W.tolist() for W in model.coefs_], [b.tolist() for b in model.intercepts_], activation=["tanh", "gelu"],
        **parameters,
    )  # fmt: skip
    np.testing.assert_array_equal(as_lists.predict(X), model.predict(X))


def test_from_weights_of_several_columns(X):
    y = np.stack([X[:, 0] > 0, X[:, :3].argmax(axis=1)], axis=1)
    model = MLPClassifier((6,), max_iter=3).fit(X, y)
    same = MLPClassifier.from_weights(model.coefs_, model.intercepts_, classes=model.classes_)
    np.testing.assert_array_equal(same.predict(X), model.predict(X))
    quantiles = MLPRegressor("quantile", (6,), quantile=[0.1, 0.9], max_iter=3).fit(X, X[:, 0])
    same = MLPRegressor.from_weights(quantiles.coefs_, quantiles.intercepts_, loss="quantile", quantile=[0.1, 0.9])
    np.testing.assert_array_equal(same.predict(X), quantiles.predict(X))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda W, b: MLPClassifier.from_weights(W, b, classes=[0, 1]),
            r"intercepts\[-1\] must have shape \(1,\) for the classes \[0 1\], got \(3,\)$",
        ),
        (lambda W, b: MLPClassifier.from_weights(W[:1], b), r"len\(coefs\) must be 2, one array for each layer, got 1"),
        (lambda W, b: MLPClassifier.from_weights(W, b[:1]), r"len\(coefs\) must be 1, one array for each layer, got 2"),
        (
            lambda W, b: MLPClassifier.from_weights([W[0], W[0]], b),
            r"coefs\[1\] must have shape \(5, 3\), got \(4, 5\)$",
        ),
        (lambda W, b: MLPClassifier.from_weights(W, b, activation="swish"), "'activation' parameter of MLPClassifier"),
        (lambda W, b: MLPClassifier.from_weights(b, b), r"coefs\[0\] must have shape \(fan_in, fan_out\), got \(5,\)"),
        (
            lambda W, b: MLPClassifier.from_weights(W, []),
            "intercepts must be a list of .* each layer, got an empty list",
        ),
        (lambda W, b: MLPClassifier.from_weights([[[1, 2], [3]]], b), r"coefs\[0\] must be an array of shape \(fan_in"),
        (lambda W, b: MLPClassifier.from_weights([], b), "coefs must be a list of one array for each layer"),
        (
            lambda W, b: MLPRegressor.from_weights(W, [1.0, 2.0]),
            r"intercepts\[0\] must have shape \(fan_out,\), got \(\)",
        ),
        (
            lambda W, b: MLPRegressor.from_weights([1j * w for w in W], b),
            r"coefs\[0\] must be real numbers, got complex128",
        ),
        (lambda W, b: MLPRegressor.from_weights(W, [b[0], b[1] * np.nan]), r"intercepts\[1\] must be finite, got nan"),
        (
            lambda W, b: MLPClassifier.from_weights(W, b, activation=["relu"] * 3),
            "activation must be a name, or a list of 1, one for",
        ),
        (
            lambda W, b: MLPRegressor.from_weights(W, b, loss="quantile", quantile=[0.1, 0.9]),
            r"len\(intercepts\[-1\]\) must be a multiple of 2, the number of quantiles, got 3",
        ),
        (lambda W, b: MLPClassifier.from_weights(W, b, solver="x"), "'solver' parameter of MLPClassifier"),
        (
            lambda W, b: MLPClassifier.from_weights(W, b, dropout=[0.1, 0.2]),
            "dropout must be a rate .* a list of 1, one for each",
        ),
        (lambda W, b: MLPRegressor.from_weights(W, b, loss="softmax"), "'loss' parameter of MLPRegressor"),
        (lambda W, b: MLPRegressor.from_weights(W, b, huber_delta=-1), "'huber_delta' parameter"),
        (lambda W, b: MLPRegressor.from_weights(W, b, loss="quantile", quantile=2), "'quantile' parameter"),
        (lambda W, b: MLPRegressor.from_weights(W, b, output_activation="nope"), "'output_activation' parameter"),
        (lambda W, b: MLPRegressor.from_weights(W, b, activation="nope"), "'activation' parameter"),
        (
            lambda W, b: MLPRegressor.from_weights(W, b, loss="poisson", output_activation="softplus"),
            "output_activation must be None or 'exp' with loss='poisson', got 'softplus'",
        ),
    ],
)
def test_weights_that_make_no_network(make, message):
    with pytest.raises(ValueError, match=message):
        make([np.ones((4, 5)), np.ones((5, 3))], [np.ones(5), np.ones(3)])


@pytest.mark.parametrize("layer", [0, 1])
def test_weights_as_pytorch_keeps_them(layer, X):
    """(fan_out, fan_in); of two classes often with an output for each."""
    rng = np.random.default_rng(0)
    sizes = (4, 5, 2)
    weights = [rng.normal(size=shape) for shape in ((5, 4), (2, 5))]
    biases = [rng.normal(size=size) for size in (5, 2)]
    given = [W.T if i < layer else W for i, W in enumerate(weights)]
    shapes = rf"\({sizes[layer]}, {sizes[layer + 1]}\), got \({sizes[layer + 1]}, {sizes[layer]}\)"
    with pytest.raises(ValueError, match=rf"coefs\[{layer}\] must have shape {shapes}: .*; pass coefs\[{layer}\]\.T"):
        MLPClassifier.from_weights(given, biases)
    coefs = [W.T for W in weights]
    for classes in (None, ["a", "b"]):
        with pytest.raises(ValueError, match=r"must have shape \(1,\) .* got \(2,\): .* their difference"):
            MLPClassifier.from_weights(coefs, biases, classes=classes)
    difference = [coefs[0], coefs[-1][:, 1:] - coefs[-1][:, :1]], [biases[0], biases[-1][1:] - biases[-1][:1]]
    model = MLPClassifier.from_weights(*difference)
    logits = np.maximum(X @ coefs[0] + biases[0], 0) @ coefs[1] + biases[1]
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-10)
    with pytest.raises(ValueError, match=r"coefs\[0\] must have shape .*; pass coefs\[0\]\.T"):
        model.coefs_ = [weights[0], difference[0][1]]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (
            MLPClassifier((4,), activation="gelu"),
            "activation must be one of identity, logistic, tanh, relu for all .*, got .'gelu'",
        ),
        (MLPClassifier((4, 4), activation=["relu", "tanh"]), "activation must be one of .*, got .'relu', 'tanh'"),
        (MLPRegressor(output_activation="softplus"), "output_activation must be 'identity' .*, got 'softplus'"),
        (MLPRegressor("quantile", quantile=[0.1, 0.9]), r"quantile must be one number .*, got \[0\.1, 0\.9\]"),
    ],
)
def test_what_scikit_learn_has_not(model, message, X):
    model.set_params(max_iter=2).fit(X, X[:, 0] > 0)
    with pytest.raises(ValueError, match=message):
        model.to_sklearn()
    with pytest.raises(NotFittedError):
        type(model)().to_sklearn()


def test_columns_of_classes_are_not_scikit_learns(X):
    model = MLPClassifier((4,), max_iter=2).fit(X, np.stack([X[:, 0] > 0, X[:, :3].argmax(axis=1)], axis=1))
    with pytest.raises(ValueError, match=r"y must be one column of classes .*, got 2 columns"):
        model.to_sklearn()


def test_parameters_that_scikit_learn_has_not_are_left_out(X):
    model = MLPClassifier((4,), solver="rmsprop", learning_rate="cosine", dropout=0.1, alpha=0.5, max_iter=2)
    other = model.fit(X, X[:, 0] > 0).to_sklearn()
    assert (other.solver, other.learning_rate, other.alpha) == ("adam", "constant", 0.5)
    np.testing.assert_allclose(other.predict_proba(X), model.predict_proba(X), rtol=1e-12)
    other.fit(X, X[:, 0] > 0)


# -- looking inside ----------------------------------------------------------------------------------------------------


def test_weights_can_be_set(X):
    model = MLPClassifier((6,), max_iter=2, random_state=0).fit(X, X[:, 0] > 0)
    coefs, intercepts = [2 * W for W in model.coefs_], [b + 1 for b in model.intercepts_]
    model.coefs_, model.intercepts_ = coefs, intercepts
    for array, its in zip(model.coefs_ + model.intercepts_, coefs + intercepts, strict=True):
        np.testing.assert_array_equal(array, its)
    hidden = np.maximum(X @ coefs[0] + intercepts[0], 0)
    expected = 1 / (1 + np.exp(-(hidden @ coefs[1] + intercepts[1])))
    np.testing.assert_allclose(model.predict_proba(X)[:, 1:], expected)
    with pytest.raises(ValueError, match=r"coefs\[0\] must have shape \(4, 6\), got \(6, 1\)$"):
        model.coefs_ = coefs[::-1]
    with pytest.raises(ValueError, match=r"len\(coefs\) must be 2, one array for each layer, got 1"):
        model.coefs_ = coefs[:1]
    with pytest.raises(ValueError, match="coefs must be a list of one array for each layer, got an empty list"):
        model.coefs_ = []
    with pytest.raises(ValueError, match="intercepts must be a list of one array for each layer, got None"):
        model.intercepts_ = None
    with pytest.raises(ValueError, match=r"coefs\[1\] must be finite, got -?inf"):
        model.coefs_ = [coefs[0], coefs[1] * np.inf]
    np.testing.assert_array_equal(model.coefs_[0], coefs[0])
    with pytest.raises(NotFittedError):
        MLPClassifier().coefs_ = coefs


def test_a_layer_cannot_be_set_by_itself(X):
    """It would be set in a copy, and lost; scikit-learn's own model has lists of its own."""
    model = MLPClassifier((6,), max_iter=2, random_state=0).fit(X, X[:, 0] > 0)
    for layers in (model.coefs_, model.intercepts_):
        with pytest.raises(TypeError, match="does not support item assignment"):
            layers[0] = 2 * layers[0]
    other = model.to_sklearn()
    other.coefs_[0] = 0 * other.coefs_[0]
    assert not np.allclose(other.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_weights_are_finite_in_the_networks_type(estimator, X):
    huge, coefs, intercepts = np.full((4, 1), 1e300), [np.ones((4, 1))], [np.ones(1)]
    with pytest.raises(ValueError, match=r"coefs\[0\] must be at most 3\.4e\+38 with dtype='float32', got 1e\+300"):
        estimator.from_weights([huge], intercepts, dtype="float32")
    with pytest.raises(ValueError, match=r"intercepts\[0\] must be at most 3"):
        estimator.from_weights(coefs, [huge[0]], dtype="float32")
    model = estimator.from_weights(coefs, intercepts, dtype="float32")
    with pytest.raises(ValueError, match=r"coefs\[0\] must be at most 3"):
        model.coefs_ = [huge]
    with pytest.raises(ValueError, match=r"intercepts\[0\] must be at most 3"):
        model.intercepts_ = [huge[0]]
    np.testing.assert_array_equal(model.coefs_[0], coefs[0])
    np.testing.assert_array_equal(estimator.from_weights([huge], intercepts).coefs_[0], huge)


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_hidden_activations(estimator, X):
    model = estimator(hidden_layer_sizes=(6, 5), activation=["tanh", "relu"], max_iter=2).fit(X, X[:, 0] > 0)
    first = np.tanh(X @ model.coefs_[0] + model.intercepts_[0])
    second = np.maximum(first @ model.coefs_[1] + model.intercepts_[1], 0)
    for layer, expected in ((0, first), (1, second), (-1, second), (-2, first)):
        np.testing.assert_allclose(model.hidden_activations(X, layer), expected, atol=1e-14)
    np.testing.assert_array_equal(model.hidden_activations(X), model.hidden_activations(X, 1))
    for layer in (2, -3):
        with pytest.raises(ValueError, match="the network has 2 hidden layers"):
            model.hidden_activations(X, layer)
    for layer in (1.0, "first", None):
        with pytest.raises(TypeError, match=f"layer must be an integer, got {layer!r}"):
            model.hidden_activations(X, layer)
    with pytest.raises(ValueError, match="but the network has only the output layer, got -1"):
        estimator(hidden_layer_sizes=(), max_iter=2).fit(X, X[:, 0] > 0).hidden_activations(X)
    with pytest.raises(NotFittedError):
        estimator().hidden_activations(X)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("method", ["partial_fit", "fit"])
def test_scikit_learns_trains_on(method, early_stopping, X):
    """For long enough that it counts epochs without improvement."""
    y = TARGETS["multiclass"](X)
    model = MLPClassifier((7,), max_iter=60, early_stopping=early_stopping, random_state=0).fit(X, y)
    theirs = model.to_sklearn()
    theirs.set_params(warm_start=True, early_stopping=early_stopping and method == "fit", max_iter=30)
    if method == "partial_fit" and early_stopping:
        theirs.best_loss_ = model.loss_  # which scikit-learn's has not either, after early stopping
    for _ in range(15):
        getattr(theirs, method)(X, y[::-1].copy())
    assert not np.array_equal(theirs.coefs_[0], model.coefs_[0])
