"""Programs that a type checker must refuse: the comment in a line is the error that it must find there."""

import numpy as np

import fastnn
from fastnn import (
    MLPClassifier,
    MLPRegressor,
    ModularClassifier,
    Perceptron,
    SequentialClassifier,
    SequentialRegressor,
)
from fastnn.dask import DaskClassifier
from fastnn.layers import GRU, BatchNormalization, Bidirectional, Conv2D, Dense, Dropout, Embedding, SimpleRNN
from fastnn.plot import LossCurveDisplay
from fastnn.sequences import from_padded
from fastnn.typing import NetworkParameters

X, y = np.ones((4, 2)), np.ones(4)
model = MLPClassifier()

# Parameters that there are not, names that there are not, and values of other types.
MLPClassifier(hidden=(10,))  # error: call-arg
MLPClassifier((10,), "sigmoid")  # error: arg-type
MLPClassifier((10,), "relu", "adam")  # error: call-arg
MLPClassifier(solver="adma")  # error: arg-type
MLPClassifier(learning_rate=0.1)  # error: arg-type
MLPClassifier(learning_rate="exponential")  # error: arg-type
MLPClassifier(batch_size="all")  # error: arg-type
MLPClassifier(dtype="float16")  # error: arg-type
MLPClassifier(class_weight="equal")  # error: arg-type
MLPClassifier(loss="log_loss")  # error: call-arg
MLPRegressor((10,))  # error: arg-type
MLPRegressor(loss="mse")  # error: arg-type
SequentialRegressor([Dense(10)], label_smoothing=0.1)  # error: call-arg
SequentialClassifier([10])  # error: list-item
SequentialClassifier(Dense(10))  # error: arg-type
Perceptron("l2")  # error: call-arg
Perceptron(penalty="l3")  # error: arg-type
ModularClassifier()  # error: call-arg
ModularClassifier([("one", model, [0])], on_error="ignore")  # error: arg-type
training: NetworkParameters = {"learning_rate_int": 0.1}  # error: typeddict-unknown-key
MLPClassifier.from_weights([X], [y], hidden_layer_sizes=(3,))  # error: call-arg
DaskClassifier()  # error: call-arg
DaskClassifier(model, sync_unit="batch")  # error: arg-type
DaskClassifier(model, shards="all")  # error: arg-type

# Methods.
model.fit(X)  # error: call-arg
model.fit(3, y)  # error: arg-type
model.fit(X, y, X_validation=X)  # error: call-arg
model.partial_fit(X, y, epochs="all")  # error: arg-type
model.score(X)  # error: call-arg
model.hidden_activations(X, "last")  # error: arg-type
MLPRegressor().partial_fit(X, y, classes=[0])  # error: call-arg
curve: dict[str, float] = model.loss_curve_  # error: assignment
model.loss_curve_ = [1.0]  # error: misc
best: float = model.best_validation_score_  # error: assignment

# Layers: what they lack, and what does not change.
Dense()  # error: call-arg
Dense("10")  # error: arg-type
Dense(10, "rel")  # error: arg-type
Dense(10, "relu", False)  # error: call-arg
Dense(10).units = 5  # error: misc
Conv2D(3, 3, padding="full")  # error: arg-type
Conv2D(3, 3, kernel_initializer="xavier")  # error: arg-type
GRU(3, "gelu")  # error: arg-type
GRU(3, unit_forget_bias=True)  # error: call-arg
SimpleRNN(3, recurrent_activation="tanh")  # error: call-arg
Bidirectional(Dense(3))  # error: arg-type
Bidirectional(GRU(3), "add")  # error: arg-type
BatchNormalization(0.9)  # error: call-arg
Dropout("a")  # error: arg-type
Embedding(3)  # error: call-arg

# Functions.
fastnn.save(np.ones(3), "model")  # error: arg-type
fastnn.load(3)  # error: arg-type
fastnn.show_config(1)  # error: call-arg
fastnn.stream()  # error: attr-defined
from_padded(X, padding="left")  # error: arg-type
LossCurveDisplay.from_estimator(model, validation="accuracy")  # error: arg-type
