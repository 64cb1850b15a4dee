"""Fits that fail after they have begun, and calls that come in the middle of a fit."""

import importlib.util
import threading
from unittest import mock

from provoke_estimators import LABELS, MANY, NUMBERS, Thing, X, classifier, perceptron, regressor

from fastnn.training import progress


def fit_again(model, in_thread=False):
    """Fit a model in the middle of its own fit, in this thread or in another one."""
    errors = []

    def fit():
        try:
            model.fit(X, LABELS)
        except RuntimeError as error:
            errors.append(error)

    def callback(_):
        if in_thread:
            thread = threading.Thread(target=fit)
            thread.start()
            thread.join()
        else:
            fit()
        raise errors.pop()

    model.set_params(callback=callback).fit(X, LABELS)


def show_second_bar():
    with mock.patch.dict(progress._shown, bar=Thing()):
        progress.RichBar(3, "epoch").start()


PROVOCATIONS = {
    "divergence": lambda: classifier(solver="sgd", learning_rate_init=1e200).fit(X, LABELS),
    "divergence of lbfgs": lambda: regressor(solver="lbfgs").fit(1e200 * X, NUMBERS),
    "overflow": lambda: perceptron(eta0=1e308).fit(1e10 * X, LABELS),
    "a learning rate below 0": lambda: classifier(learning_rate=lambda epoch: -1).fit(X, LABELS),
    "a learning rate of an object": lambda: classifier(learning_rate=lambda epoch: Thing()).fit(X, LABELS),
    "many learning rates": lambda: classifier(learning_rate=lambda epoch: MANY).fit(X, LABELS),
    "too few samples to hold out": lambda: classifier(early_stopping=True).fit(X[:9], LABELS[:9]),
    "a fit in a fit": lambda: fit_again(classifier()),
    "a fit in a fit, in another thread": lambda: fit_again(classifier(), in_thread=True),
    "training the model that a callback gets": lambda: classifier(
        callback=lambda model: model.partial_fit(X, LABELS)
    ).fit(X, LABELS),
}
if importlib.util.find_spec("rich"):
    PROVOCATIONS["a second bar"] = show_second_bar
else:
    EXEMPT = [("training/progress.py", "the bar of another fit is shown", "rich is not installed")]
