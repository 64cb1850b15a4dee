"""Calls that the estimators refuse."""

import copy

import numpy as np
import scipy.sparse as sp

import fastnn
from fastnn import MLPClassifier, MLPRegressor, Perceptron, _sklearn

X = np.random.default_rng(0).normal(size=(30, 4))
LABELS = np.arange(30) % 3
NUMBERS = X[:, 0]
COLUMNS = np.stack([LABELS, LABELS % 2], axis=1)
MANY = list(range(5000))  # messages name the first few


class Thing:
    """An object whose repr has its address."""


def classifier(**parameters):
    return MLPClassifier(**{"hidden_layer_sizes": (3,), "max_iter": 2, "random_state": 0} | parameters)


def regressor(**parameters):
    return MLPRegressor(**{"hidden_layer_sizes": (3,), "max_iter": 2, "random_state": 0} | parameters)


def perceptron(**parameters):
    return Perceptron(**{"max_iter": 5, "tol": None} | parameters)


def of_classes(classes, n_outputs=3, **parameters):
    """A classifier of given weights for these classes."""
    coefs, intercepts = [np.ones((4, n_outputs))], [np.zeros(n_outputs)]
    return MLPClassifier.from_weights(coefs, intercepts, classes=classes, **parameters)


def quantiles(**parameters):
    return regressor(loss="quantile", quantile=[0.2, 0.8], **parameters).fit(X, NUMBERS)


def changed(model, **attributes):
    """A fitted model some of whose attributes the user has set."""
    model = copy.copy(model)
    vars(model).update(attributes)
    return model


def learnt():
    return perceptron(average=True).fit(X, LABELS)


def with_running(**parts):
    """A perceptron that averages, and whose averages are not what they should be."""
    model = learnt()
    vars(model._running.averages).update(parts)
    return model


def as_list(name, value):
    """A fitted classifier whose coefs_ or intercepts_ are set."""
    setattr(classifier().fit(X, LABELS), name, value)


OF_NETWORKS = {
    "a parameter of Keras": lambda: MLPClassifier(lr=0.1),
    "a solver with a slip": lambda: classifier(solver="adan").fit(X, LABELS),
    "hidden sizes": lambda: classifier(hidden_layer_sizes=(3, 0)).fit(X, LABELS),
    "many hidden sizes": lambda: classifier(hidden_layer_sizes=[0] * 5000).fit(X, LABELS),
    "activations for other layers": lambda: classifier(activation=["relu", "tanh"]).fit(X, LABELS),
    "many activations": lambda: classifier(activation=["relu"] * 5000).fit(X, LABELS),
    "an activation of PyTorch": lambda: classifier(activation=["swish"]).fit(X, LABELS),
    "an activation that is an object": lambda: classifier(activation=[Thing()]).fit(X, LABELS),
    "weights before a fit": lambda: MLPClassifier().coefs_,
    "curves before a fit": lambda: MLPClassifier().loss_curve_,
    "classes before a fit": lambda: MLPClassifier().classes_,
    "dropout for other layers": lambda: classifier(dropout=[0.1, 0.2]).fit(X, LABELS),
    "dropout of many layers": lambda: classifier(dropout=[Thing()] * 5000).fit(X, LABELS),
    "a dtype of integers": lambda: classifier(dtype=int).fit(X, LABELS),
    "another dtype in partial_fit": lambda: (
        classifier().fit(X, LABELS).set_params(dtype="float32").partial_fit(X, LABELS)
    ),
    "other layers in partial_fit": lambda: (
        classifier().fit(X, LABELS).set_params(hidden_layer_sizes=(4,)).partial_fit(X, LABELS)
    ),
    "many other layers in partial_fit": lambda: (
        classifier().fit(X, LABELS).set_params(hidden_layer_sizes=[1] * 900).partial_fit(X, LABELS)
    ),
    "X_val without y_val": lambda: classifier().fit(X, LABELS, X_val=X),
    "y_val without X_val": lambda: classifier().fit(X, LABELS, y_val=LABELS),
    "dropout with lbfgs": lambda: classifier(solver="lbfgs", dropout=0.5).fit(X, LABELS),
    "partial_fit with lbfgs": lambda: classifier(solver="lbfgs").partial_fit(X, LABELS),
    "a layer's name": lambda: classifier().fit(X, LABELS).hidden_activations(X, layer="last"),
    "a layer that is an object": lambda: classifier().fit(X, LABELS).hidden_activations(X, layer=Thing()),
    "a layer that is not there": lambda: classifier().fit(X, LABELS).hidden_activations(X, layer=5),
    "a hidden layer where there is none": lambda: (
        classifier(hidden_layer_sizes=()).fit(X, LABELS).hidden_activations(X)
    ),
    "an attribute of fastnn": lambda: fastnn.ConvolutionalNetwork,
    "an attribute of _sklearn": lambda: _sklearn.LinearModel,
    "weights for other classes": lambda: of_classes([0, 1, 2], 4),
    "two logits": lambda: of_classes([0, 1], 2),
    "weights for many classes": lambda: of_classes(MANY),
    "unsorted classes": lambda: of_classes([1, 0, 2]),
    "many unsorted classes": lambda: of_classes(MANY[::-1]),
    "no classes": lambda: classifier().partial_fit(X, LABELS, classes=[]),
    "one list of classes for columns": lambda: classifier().partial_fit(X, COLUMNS, classes=[0, 1, 2]),
    "one long list of classes for columns": lambda: classifier().partial_fit(X, COLUMNS, classes=MANY),
    "labels for other columns": lambda: classifier().partial_fit(X, np.eye(30)[:, :3].astype(int), classes=[0, 1]),
    "labels for many other columns": lambda: classifier().partial_fit(X, np.eye(30)[:, :3].astype(int), classes=MANY),
    "a number as the classes": lambda: classifier().partial_fit(X, LABELS, classes=3),
    "an object as the classes": lambda: classifier().partial_fit(X, LABELS, classes=Thing()),
    "a score of other columns": lambda: classifier().fit(X, COLUMNS).score(X, LABELS),
    "weights for other quantiles": lambda: MLPRegressor.from_weights(
        [np.ones((4, 3))], [np.zeros(3)], loss="quantile", quantile=[0.2, 0.8]
    ),
    "other columns in partial_fit": lambda: regressor().fit(X, NUMBERS).partial_fit(X, X[:, :2]),
    "other quantiles in partial_fit": lambda: quantiles().set_params(quantile=0.5).partial_fit(X, NUMBERS),
    "many other quantiles in partial_fit": lambda: (
        quantiles().set_params(quantile=[0.5] * 5000).partial_fit(X, NUMBERS)
    ),
    "an activation without the loss's link": lambda: regressor(loss="poisson", output_activation="relu").fit(X, LABELS),
    "a quantile above 1": lambda: regressor(loss="quantile", quantile=[2.0]).fit(X, NUMBERS),
    "many quantiles above 1": lambda: regressor(loss="quantile", quantile=[2.0] * 5000).fit(X, NUMBERS),
}

OF_CONVERSIONS = {
    "a number as the weights": lambda: MLPClassifier.from_weights(3, [[0]]),
    "an object as the weights": lambda: MLPClassifier.from_weights(Thing(), [[0]]),
    "no weights": lambda: MLPClassifier.from_weights([], []),
    "ragged weights": lambda: MLPClassifier.from_weights([[[1, 2], [3]]], [[0]]),
    "weights of one axis": lambda: MLPClassifier.from_weights([[1, 2]], [[0]]),
    "weights of texts": lambda: MLPClassifier.from_weights([[["a"]]], [[0]]),
    "weights of NaN": lambda: MLPClassifier.from_weights([[[np.nan]]], [[0]]),
    "weights beyond float32": lambda: MLPClassifier.from_weights([[[1e300]]], [[0]], dtype="float32"),
    "weights of another layer": lambda: as_list("coefs_", [np.ones((4, 3))]),
    "weights transposed": lambda: as_list("coefs_", [np.ones((3, 4)), np.ones((3, 3))]),
    "intercepts of another shape": lambda: as_list("intercepts_", [np.ones(4), np.ones(3)]),
    "another class's model": lambda: MLPClassifier.from_sklearn(regressor()),
    "an activation beyond scikit-learn": lambda: classifier(activation="gelu").fit(X, LABELS).to_sklearn(),
    "many activations beyond scikit-learn": lambda: (
        classifier(hidden_layer_sizes=[1] * 500, activation=["gelu"] * 500, max_iter=1).fit(X, LABELS).to_sklearn()
    ),
    "columns beyond scikit-learn": lambda: classifier().fit(X, COLUMNS).to_sklearn(),
    "quantiles beyond scikit-learn": lambda: quantiles().to_sklearn(),
    "many quantiles beyond scikit-learn": lambda: (
        regressor(loss="quantile", quantile=np.linspace(0.1, 0.9, 5000), max_iter=1).fit(X, NUMBERS).to_sklearn()
    ),
    "an output beyond scikit-learn": lambda: regressor(output_activation="tanh").fit(X, NUMBERS).to_sklearn(),
}

OF_PERCEPTRONS = {
    "one class": lambda: perceptron().fit(X, np.zeros(30)),
    "coef_init of another shape": lambda: perceptron().fit(X, LABELS, coef_init=np.ones((2, 4))),
    "coef_init of texts": lambda: perceptron().fit(X, LABELS, coef_init=np.full((3, 4), "a")),
    "coef_init of objects": lambda: perceptron().fit(X, LABELS, coef_init=np.full((3, 4), Thing())),
    "coef_init of NaN": lambda: perceptron().fit(X, LABELS, coef_init=np.full((3, 4), np.nan)),
    "partial_fit with sparse weights": lambda: perceptron().fit(X, LABELS).sparsify().partial_fit(X, LABELS),
    "no jobs": lambda: perceptron(n_jobs=0).fit(X, LABELS),
    "partial_fit with early_stopping": lambda: perceptron(early_stopping=True).partial_fit(X, LABELS, [0, 1, 2]),
    "classes_ of a list": lambda: changed(learnt(), classes_=[0, 1, 2]).predict(X),
    "classes_ of many": lambda: changed(learnt(), classes_=MANY).predict(X),
    "classes_ of an object": lambda: changed(learnt(), classes_=Thing()).predict(X),
    "coef_ of a list": lambda: changed(learnt(), coef_=[[1, 2, 3, 4]]).predict(X),
    "coef_ of an object": lambda: changed(learnt(), coef_=Thing()).predict(X),
    "coef_ of another shape": lambda: changed(learnt(), coef_=np.ones((2, 4))).predict(X),
    "intercept_ of another shape": lambda: changed(learnt(), intercept_=np.ones(2)).predict(X),
    "intercept_ of a list": lambda: changed(learnt(), intercept_=MANY).predict(X),
    "coef_ of integers": lambda: changed(learnt(), coef_=np.ones((3, 4), int)).partial_fit(X, LABELS),
    "t_ of 0": lambda: changed(learnt(), t_=0).partial_fit(X, LABELS),
    "t_ of an object": lambda: changed(learnt(), t_=Thing()).partial_fit(X, LABELS),
    "_running of an object": lambda: changed(learnt(), _running=Thing()).partial_fit(X, LABELS),
    "_running without averages": lambda: changed(
        learnt(), _running=type(learnt()._running)(np.ones((3, 4)), np.ones(3))
    ).partial_fit(X, LABELS),
    "averages of another shape": lambda: with_running(coef=np.ones((3, 3))).partial_fit(X, LABELS),
    "averages of a list": lambda: with_running(coef=MANY).partial_fit(X, LABELS),
    "averages of negative counts": lambda: with_running(counts=np.full(3, -1)).partial_fit(X, LABELS),
    "a matrix as sparse as broken": lambda: perceptron().fit(X, LABELS, coef_init=broken(np.ones((3, 4)))),
}


def broken(matrix):
    """A CSR matrix whose indices lead out of it."""
    matrix = sp.csr_array(matrix)
    matrix.indices[0] = 99
    return matrix


FOREIGN_NAMES = {
    "a method of Keras": lambda: MLPClassifier().evaluate(X, LABELS),
    "a method of PyTorch": lambda: perceptron().fit(X, LABELS).state_dict(),
    "a class of Keras": lambda: fastnn.Sequential([]),
    "a layer of PyTorch": lambda: fastnn.layers.Linear(3, 2),
    "a picture of Keras": lambda: fastnn.plot.plot_model(classifier()),
    "a converter that there is not": lambda: fastnn.export.to_torch(classifier()),
    "a stream of PyTorch": lambda: fastnn.streams.DataLoader(X),
    "sequences of Keras": lambda: fastnn.sequences.pad_sequences([X]),
}

PROVOCATIONS = FOREIGN_NAMES | OF_NETWORKS | OF_CONVERSIONS | OF_PERCEPTRONS
