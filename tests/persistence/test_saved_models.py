"""Models that earlier versions saved: they load, and their predictions and further training are the same as then.

A file in saved_models/ is never written again, since users have such files. This command adds the files of MODELS that
are not there yet, each with a record of its results:

    PYTHONPATH=tests/support python tests/persistence/test_saved_models.py
"""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from recorded_bits import build, dense, targets
from sklearn.base import BaseEstimator

import fastnn
from fastnn import (
    MLPClassifier,
    MLPRegressor,
    ModularClassifier,
    ModularRegressor,
    Perceptron,
    SequentialClassifier,
)
from fastnn.engine import isa
from fastnn.layers import Activation, Dense, Dropout

FOLDER = Path(__file__).with_name("saved_models")
NEAR = 1e-4  # between instruction sets, after some epochs
X = dense(60, 6)
SHORT = {"hidden_layer_sizes": (5, 4), "max_iter": 3, "batch_size": 16, "learning_rate_init": 0.02, "random_state": 0}


def frame():
    return pytest.importorskip("pandas").DataFrame(X, columns=list("abcdef"))


def named(y):
    return np.array(["negative", "neutral", "positive"])[y]


TINY = {"max_iter": 3, "batch_size": 16, "random_state": 0}
MODULES = [
    ("columns", MLPClassifier((4,), **TINY), [4, 0]),
    ("range", SequentialClassifier([Dense(3)], input_shape=(3,), **TINY), slice(2, 5)),
]

# For each file: the estimator, and the data it is trained on, first before saving and then after loading.
MODELS = {
    "binary": (MLPClassifier(**SHORT), X, targets(X, 2)),
    "multiclass": (
        MLPClassifier(**SHORT | {"activation": ["gelu", "tanh"]}, dropout=0.25, dtype="float64", solver="rmsprop"),
        X,
        named(targets(X, 3)),
    ),
    "multilabel": (MLPClassifier(**SHORT, solver="sgd", label_smoothing=0.125), X, targets(X, "labels")),
    "columns": (MLPClassifier(**SHORT, class_weight=[{0: 2}, None, {1: 0.5}]), X, targets(X, "columns")),
    "early_stopping": (
        MLPClassifier(**SHORT | {"max_iter": 6}, warm_start=True, early_stopping=True, scoring="loss"),
        X,
        targets(X, 3),
    ),
    "feature_names": (MLPClassifier(**SHORT, solver="adagrad"), frame, targets(X, 3)),
    "quantile": (
        MLPRegressor("quantile", quantile=[0.25, 0.5], **SHORT, clip_norm=0.5),
        X.astype("float64"),
        targets(X, "three numbers").astype("float64"),
    ),
    "huber": (
        MLPRegressor("huber", **SHORT | {"hidden_layer_sizes": ()}, huber_delta=0.5, warm_start=True, solver="adamw",
                     learning_rate="adaptive"),
        X,
        targets(X, "numbers"),
    ),
    "poisson_lbfgs": (MLPRegressor("poisson", **SHORT, solver="lbfgs", warm_start=True), X, targets(X, "counts")),
    "unfitted": (
        MLPRegressor(hidden_layer_sizes=[3, 2], learning_rate="invscaling", dropout=(0.5, 0), n_iter_no_change=np.inf,
                     max_iter=2, batch_size=32, random_state=np.random.RandomState(0)),
        X,
        targets(X, "numbers"),
    ),
    "layers": (
        SequentialClassifier([Dense(5, None), Activation("swish"), Dropout(0.25), Dense(4, "tanh", use_bias=False)],
                             max_iter=3, batch_size=16, random_state=0, warm_start=True),
        X,
        named(targets(X, 3)),
    ),
    "perceptron": (Perceptron(penalty="elasticnet", random_state=3, max_iter=4, warm_start=True), X, targets(X, 2)),
    "perceptron_average": (Perceptron(average=10), X.astype("float64"), named(targets(X, 3))),
    "perceptron_sparse": (Perceptron(penalty="l1", alpha=0.01, early_stopping=True), sp.csr_matrix(X), targets(X, 4)),
    "modules": (ModularClassifier(MODULES, combine="product", weights=[1, 2.5]), X, named(targets(X, 3))),
    "modules_combined": (
        ModularClassifier([MODULES[0], ("all", Perceptron(), slice(None))], combine=Perceptron(), cv=2,
                          passthrough=True),
        frame,
        targets(X, 3),
    ),
    "modules_of_numbers": (
        ModularRegressor([("one", MLPRegressor("huber", **SHORT), slice(0, 4)),
                          ("two", MLPRegressor("squared_error", (), **TINY), [5])]),
        X,
        targets(X, "numbers"),
    ),
}  # fmt: skip


def example(name):
    model, X, y = MODELS[name]
    return model, X() if callable(X) else X, y


def train(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the fits are short
        if getattr(model, "warm_start", False) or not hasattr(model, "n_iter_"):
            return model.fit(X, y)
        if isinstance(model, Perceptron):
            model.set_params(early_stopping=False).densify()
        return model.partial_fit(X, y)


def predictions(model, X):
    """The predictions of the first samples, as lists of numbers."""
    for name in ("predict_proba", "decision_function", "predict"):
        if hasattr(model, name):
            predicted = getattr(model, name)(X[:12])
            return [part.tolist() for part in (predicted if isinstance(predicted, list) else [predicted])]
    raise AssertionError(model)


def settings(model):
    """An estimator's parameters, in a form to compare."""

    def comparable(value):
        if isinstance(value, np.random.RandomState):
            return value.get_state(legacy=False)["state"]["key"].tolist()
        if isinstance(value, BaseEstimator):  # a module, whose parameters are among the model's
            return type(value)
        return value

    parameters = model.get_params()
    if modules := parameters.pop("modules", None):
        parameters["columns of modules"] = [(name, columns) for name, _, columns in modules]
    return {name: comparable(value) for name, value in parameters.items()}


def save(name):
    model, X, y = example(name)
    if name != "unfitted":
        train(model, X, y)
    if name == "perceptron_average":  # it keeps more once it has resumed
        train(model, X, y)
    if name == "perceptron_sparse":
        model.sparsify()
    fastnn.save(model, FOLDER / f"{name}.safetensors")
    came_to = {"build": build(), "level": isa.level}
    came_to["predicted"] = None if name == "unfitted" else predictions(model, X)
    came_to["trained"] = predictions(train(model, X, y), X)
    (FOLDER / f"{name}.json").write_text(json.dumps(came_to) + "\n")


@pytest.mark.parametrize("name", MODELS)
def test_predicts_and_trains_as_it_did(name):
    fresh, X, y = example(name)
    came_to = json.loads((FOLDER / f"{name}.json").read_text())
    model = fastnn.load(FOLDER / f"{name}.safetensors")
    assert type(model) is type(fresh)
    assert settings(model) == settings(fresh)

    def check(predicted, its):
        is_exact = (came_to["build"], came_to["level"]) == (build(), isa.level) and not isinstance(model, Perceptron)
        if is_exact and getattr(model, "solver", None) != "lbfgs":  # NumPy's products and SciPy's steps may differ
            assert predicted == its
        for part, its_part in zip(predicted, its, strict=True):
            np.testing.assert_allclose(part, its_part, rtol=NEAR, atol=NEAR)

    if name == "unfitted":
        assert not hasattr(model, "n_iter_")
    else:
        check(predictions(model, X), came_to["predicted"])
    check(predictions(train(model, X, y), X), came_to["trained"])


def test_the_files_are_small():
    """They stay in the repository for ever."""
    assert {path.stem for path in FOLDER.iterdir()} == set(MODELS)
    assert max(path.stat().st_size for path in FOLDER.iterdir()) < 20_000


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in MODELS:
        if not (FOLDER / f"{name}.safetensors").exists():
            save(name)
