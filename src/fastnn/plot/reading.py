"""What displays read of models: which they take, and the layers of these."""

from sklearn.utils.validation import check_is_fitted

from fastnn.data.quoted import quoted
from fastnn.estimators.foreign_names import local_advice
from fastnn.estimators.modular import BaseModular
from fastnn.estimators.network import BaseNetwork
from fastnn.estimators.perceptron import Perceptron
from fastnn.estimators.sequential import BaseSequential
from fastnn.layers import Dense
from fastnn.layers.chain import chain_of
from fastnn.training.transaction import snapshot

# What a display takes, in messages.
_NAMES = {
    BaseNetwork: "an MLPClassifier, MLPRegressor, SequentialClassifier or SequentialRegressor",
    BaseModular: "a ModularClassifier or ModularRegressor",
    Perceptron: "a Perceptron",
}
EVERY_MODEL = tuple(_NAMES)


def checked_model(estimator, classes=EVERY_MODEL):
    """A snapshot of a fitted model, which another thread may be fitting again.

    Parameters
    ----------
    estimator : object
    classes : tuple of type, default=EVERY_MODEL
        The classes that are taken, of those in `EVERY_MODEL`.

    Raises
    ------
    TypeError
        For anything else.
    NotFittedError
    """
    if not isinstance(estimator, classes):
        names = ", or ".join(_NAMES[cls] for cls in classes)
        raise TypeError(f"estimator must be {names} of fastnn, got {quoted(estimator)}{_advice(estimator, classes)}")
    check_is_fitted(estimator)
    return snapshot(estimator)


def _advice(estimator, classes):
    """Where the model is that could be meant: the end of a message."""
    if isinstance(estimator, type):
        return ": make one and fit it"
    if isinstance(estimator, BaseModular):
        return ": pass one of its modules, which named_modules_ has"
    if isinstance(getattr(estimator, "best_estimator_", None), classes):
        return ": pass its best_estimator_"
    steps = getattr(estimator, "steps", None)
    if isinstance(steps, list) and steps and isinstance(steps[-1][-1], classes):
        return ": pass its last step, [-1]"
    if isinstance(estimator, Perceptron):
        return ": PerceptronDisplay shows how it learnt"
    return local_advice(estimator)


def chain_of_network(network):
    """The chain of a fitted network's layers."""
    if isinstance(network, BaseSequential):
        return network._chain
    engine = network._network
    hidden = [Dense(units, activation) for _, units, activation, *_ in engine.description[:-1]]
    return chain_of(tuple(hidden), tuple(engine.input_shape), engine.layers[-1].output_shape[-1])


def layer_names(chain):
    """A name for each layer, the output layer's last; None for a place that is left out."""
    names = [None if link.layer is None else f"{i} {link.layer!r}" for i, link in enumerate(chain.links)]
    return [*names[:-1], "output"]


def shape_text(shape):
    """The shape of a sample, or of what a layer makes of it, as people write it."""
    *steps, last = shape
    steps = ["steps" if n is None else str(n) for n in steps]
    return " × ".join([*steps, str(last)])


def labels_of_outputs(model):
    """A text for each number that a model answers with: the classes, or the names of targets and quantiles."""
    classes = getattr(model, "classes_", None)
    if classes is None:
        return _labels_of_numbers(model)
    return labels_of_classes(classes)


def labels_of_classes(classes):
    """A text for each class; of several columns, with the number of the column."""
    if isinstance(classes, list):
        return [f"{i}: {label}" for i, column in enumerate(classes) for label in column]
    return [str(label) for label in classes]


def _labels_of_numbers(model):
    targets = getattr(model, "_targets", None)
    n_targets = getattr(targets, "n_targets", 1)
    names = ["y"] if n_targets == 1 else [f"y[{i}]" for i in range(n_targets)]
    quantiles = getattr(targets, "quantiles", [None])
    return [name if quantile is None else f"{name}, {quantile:g}" for name in names for quantile in quantiles]
