"""Pictures that cannot be drawn."""

import sys
from unittest.mock import patch

import numpy as np
from provoke_estimators import LABELS, MANY, Thing, X, classifier, perceptron
from provoke_modular import one
from sklearn.linear_model import LogisticRegression

from fastnn import ModularClassifier, SequentialClassifier
from fastnn.layers import Conv1D, Flatten, MaxPooling1D
from fastnn.plot import ActivationsDisplay, LossCurveDisplay, NetworkDisplay, PerceptronDisplay, WeightsDisplay

weights, activations = WeightsDisplay.from_estimator, ActivationsDisplay.from_estimator
PLANE = X[:, :2]


def learnt():
    return classifier().fit(X, LABELS)


def convolutional():
    layers = [Conv1D(2, 2), MaxPooling1D(), Flatten()]
    return SequentialClassifier(layers, max_iter=2, random_state=0).fit(X, LABELS)


def of_others():
    return ModularClassifier(one(LogisticRegression())).fit(X, LABELS)


def plane(y=LABELS, X=PLANE):
    return PerceptronDisplay.from_estimator(perceptron().fit(PLANE, LABELS), X, y)


def without_matplotlib():
    with patch.dict(sys.modules, {"matplotlib.pyplot": None}):
        LossCurveDisplay({"a": [1.0]}).plot()


def given_weights():
    return type(learnt()).from_weights([np.ones((4, 3))], [np.zeros(3)])


PROVOCATIONS = {
    "another estimator": lambda: NetworkDisplay.from_estimator(Thing()),
    "a class": lambda: LossCurveDisplay.from_estimator(type(learnt())),
    "a perceptron's losses": lambda: LossCurveDisplay.from_estimator(perceptron().fit(X, LABELS)),
    "without matplotlib": without_matplotlib,
    "what is not an Axes": lambda: LossCurveDisplay({"a": [1.0]}).plot(Thing()),
    "a model without epochs": lambda: LossCurveDisplay.from_estimator(given_weights()),
    "no models": lambda: LossCurveDisplay.from_estimator({}),
    "modules without losses": lambda: LossCurveDisplay.from_estimator(of_others()),
    "another validation": lambda: LossCurveDisplay({"a": [1.0]}).plot(validation=MANY),
    "another kind of weights": lambda: weights(learnt(), kind=Thing()),
    "weights of modules as images": lambda: weights(of_others(), kind="images"),
    "histograms of a layer": lambda: weights(learnt(), kind="histograms", layer=0),
    "modules of others": lambda: weights(of_others()),
    "a layer without images": lambda: weights(convolutional(), layer=1),
    "weights that are not images": lambda: weights(learnt(), kind="images"),
    "a layer that is an object": lambda: weights(learnt(), layer=Thing()),
    "a layer that is not there": lambda: weights(learnt(), layer=7),
    "an image of another size": lambda: weights(learnt(), image_shape=(5, 5)),
    "an image that is an object": lambda: weights(learnt(), image_shape=Thing()),
    "a sample that is an object": lambda: activations(learnt(), X, sample=Thing()),
    "a sample that is not there": lambda: activations(learnt(), X, sample=30),
    "a sample of another size": lambda: activations(learnt(), X, image_shape=(5, 5)),
    "four features": lambda: PerceptronDisplay.from_estimator(perceptron().fit(X, LABELS), X, LABELS),
    "labels that are not known": lambda: plane(MANY),
    "labels of other samples": lambda: plane(LABELS[:7]),
}
