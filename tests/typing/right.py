"""Programs that a type checker must accept, and the types that it must find. They are never run."""

from pathlib import Path
from typing import Any, assert_type

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

import fastnn
from fastnn import (
    MLPClassifier,
    MLPRegressor,
    ModularClassifier,
    ModularRegressor,
    Perceptron,
    SequentialClassifier,
    SequentialRegressor,
    fit_many,
)
from fastnn.dask import DaskClassifier, DaskRegressor
from fastnn.export import from_onnx, from_torch, to_onnx
from fastnn.layers import (
    GRU,
    LSTM,
    Bidirectional,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    MaxPooling2D,
    Reshape,
    SimpleRNN,
)
from fastnn.plot import LossCurveDisplay, PerceptronDisplay, WeightsDisplay
from fastnn.sequences import PerStep, from_frame, from_padded, make_scorer
from fastnn.typing import ClassifierParameters, NetworkParameters, Shape, Solver

rng = np.random.default_rng(0)
X, y = rng.normal(size=(50, 4)), rng.integers(0, 2, 50)
sequences = [rng.normal(size=(n, 2)) for n in (3, 5)]

# Networks of dense layers, and what X and y may be.
model = MLPClassifier((32, 16), ["relu", "tanh"], solver="adamw", dropout=[0.1, 0], dtype=np.float32, random_state=0)
assert_type(model.fit(X, y), MLPClassifier)
assert_type(model.fit(sp.csr_array(X), y, sample_weight=np.ones(50)), MLPClassifier)
assert_type(model.fit(pd.DataFrame(X), pd.Series(y), X_val=X, y_val=y), MLPClassifier)
assert_type(model.fit([[1, 2], [3, 4]], ["one", "two"]), MLPClassifier)
assert_type(model.partial_fit(X, y, classes=[0, 1], epochs=3), MLPClassifier)
assert_type(model.fit(X, y).predict_proba(X), NDArray[np.floating[Any]])
assert_type(model.predict(X), NDArray[Any])
assert_type(model.predict(X.tolist()), Any)
assert_type(model.score(X, y), float)
assert_type(model.hidden_activations(X, 0), NDArray[np.floating[Any]])
assert_type(model.loss_curve_, list[float])
assert_type(model.validation_scores_, list[float] | None)
assert_type(model.best_loss_, float | None)
assert_type(model.n_iter_, int)
assert_type(model.coefs_, tuple[NDArray[np.floating[Any]], ...])
model.coefs_ = [np.ones((4, 2)), [[1.0], [2.0]]]
xor = MLPClassifier.from_weights([[[1, 1], [1, 1]], [[1], [-2]]], [[0, -1], [-0.5]], classes=[False, True], alpha=0)
assert_type(xor, MLPClassifier)

bounds = MLPRegressor("quantile", (32,), quantile=[0.1, 0.9], learning_rate=lambda epoch: 0.01 / (1 + epoch))
assert_type(bounds.fit(X, X[:, 0]).predict(X), NDArray[np.floating[Any]])

# A class of the user's.


class Mine(MLPClassifier):
    """Its methods return objects of it."""


assert_type(Mine(alpha=0.1).fit(X, y), Mine)

# Parameters in a dict.
training: NetworkParameters = {"learning_rate_init": 0.01, "early_stopping": True}
of_classes: ClassifierParameters = {"alpha": 0.1, "class_weight": {0: 2.0}}
solvers: list[Solver] = ["sgd", "adam"]
assert_type(MLPClassifier((8,), **training), MLPClassifier)
networks = [MLPClassifier((8,), solver=solver) for solver in solvers]
assert_type(fit_many(networks, X, y), list[MLPClassifier])

# Networks of layers.
images = SequentialClassifier(
    [Conv2D(16, (3, 3), padding="same"), None, MaxPooling2D(), Flatten(), Dense(32, "swish"), Dropout(0.2)],
    input_shape=(8, 8, 1),
    **of_classes,
)
assert_type(images.fit(X, y), SequentialClassifier)
assert_type(images.weights_, tuple[dict[str, NDArray[np.floating[Any]]], ...])
assert_type(images.input_shape_, tuple[int | None, ...])
texts = SequentialClassifier([Embedding(1000, 16), Bidirectional(LSTM(8, unit_forget_bias=False))])
assert_type(texts.fit(sequences, [0, 1]).predict(sequences), Any)
label, state = texts.predict_step([[1.0, 2.0]], None)
assert_type(state, NDArray[np.floating[Any]])
series = SequentialRegressor([GRU(8, return_sequences=True), SimpleRNN(8), Reshape([4, 2]), Conv1D(2, 3)], loss="huber")
assert_type(series.fit(sequences, [1.5, 2]), SequentialRegressor)
assert_type(Dense(3).output_shape((None, 2)), Shape)
assert_type(series.summary(), None)

# Others.
unit = Perceptron(penalty="l2", average=True)
assert_type(unit.fit(X, y).partial_fit(X, y), Perceptron)
assert_type(unit.n_mistakes_, NDArray[np.integer[Any]])
both = ModularClassifier([("left", model, slice(2)), ("right", images, [2, 3])], combine="product")
assert_type(both.fit(X, y).score_modules(X, y), dict[str, float])
assert_type(ModularRegressor([("one", bounds, slice(None))], on_error="skip").fit(X, X[:, 0]), ModularRegressor)

# A cluster: what collections of Dask's have as types is theirs.
clustered = DaskClassifier(model, shards=4, sync_every=10, sync_unit="step", round_timeout=60.0)
assert_type(clustered.fit(X, y, X_val=X, y_val=y).partial_fit(X, y, classes=[0, 1], epochs=2), DaskClassifier)
assert_type(DaskRegressor(series, warmup=3).fit(X, y), DaskRegressor)
assert_type(clustered.n_rounds_, int)
assert_type(clustered.instruction_set_, str)

fastnn.save(model, Path("model.safetensors"))
assert_type(fastnn.load("model.safetensors"), Any)
to_onnx(both, "both.onnx", dtype="float32")
assert_type(from_onnx("both.onnx", alpha=0.1), SequentialClassifier | SequentialRegressor)
assert_type(from_torch(object(), (8, 8, 1), classes=range(10)), SequentialClassifier | SequentialRegressor)
assert_type(fastnn.show_config(), None)
assert_type(fastnn.__version__, str)

assert_type(from_padded(X, [1] * 50), list[NDArray[Any]])
assert_type(from_frame(pd.DataFrame(X), by=["a"], columns="b"), list[NDArray[Any]])
assert_type(PerStep(object()).fit(sequences), PerStep)
assert_type(make_scorer("accuracy")(model, sequences, [[1], [2]]), float)

display = LossCurveDisplay.from_estimator(model, validation="both")
assert_type(display, LossCurveDisplay)
display.ax_.set_title("loss")
display.figure_.savefig("loss.png")
assert_type(WeightsDisplay.from_estimator(model, kind="histograms").plot(), WeightsDisplay)
assert_type(PerceptronDisplay.from_estimator(unit, X, y, history=True), PerceptronDisplay)
