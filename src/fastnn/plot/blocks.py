"""A model as blocks, which a diagram shows: what each is, what it makes of a sample, and its number of parameters."""

import math
from dataclasses import dataclass

from sklearn.pipeline import Pipeline

from fastnn.estimators.network import BaseNetwork
from fastnn.estimators.perceptron import Perceptron
from fastnn.estimators.summary import layers_of
from fastnn.plot.reading import EVERY_MODEL, chain_of_network, checked_model, shape_text


@dataclass(frozen=True)
class Block:
    """A box of a diagram.

    Parameters
    ----------
    name : str
        What it is, such as ``Conv2D(32, 3)``.
    shape : str, default=""
        The shape of what it makes of a sample.
    n_parameters : int or None, default=0
        The number of its parameters; None where that is not known.
    trainable : bool, default=True
        Whether training changes them.

    Examples
    --------
    >>> from fastnn.plot import Block, NetworkDisplay
    >>> blocks = [Block("input", "64"), Block("Dense(10)", "10", 650)]
    >>> NetworkDisplay({"by hand": blocks}).chains["by hand"][1].n_parameters
    650
    """

    name: str
    shape: str = ""
    n_parameters: int | None = 0
    trainable: bool = True


def blocks_of(model, n_outputs=None):
    """The blocks of a fitted estimator, one after the other: of another library's, one block.

    Parameters
    ----------
    model : estimator
    n_outputs : int, default=None
        The number of outputs of an estimator that is not fastnn's.
    """
    if isinstance(model, Pipeline):
        *steps, last = [step for _, step in model.steps if step not in (None, "passthrough")]
        return [Block(_call(step), n_parameters=None) for step in steps] + blocks_of(last, n_outputs)
    if not isinstance(model, EVERY_MODEL):
        return [Block(_call(model), "" if n_outputs is None else str(n_outputs), None)]
    model = checked_model(model)
    if isinstance(model, BaseNetwork):
        return [
            Block(
                name, shape_text(shape), sum(map(math.prod, weights.values())), bool(getattr(layer, "trainable", True))
            )
            for layer, weights, name, shape in layers_of(chain_of_network(model), model.out_activation_)
        ]
    if isinstance(model, Perceptron):
        n_units, n_features = model.coef_.shape
        name = "threshold unit" if n_units == 1 else f"{n_units} threshold units"
        return [Block(name, str(n_units), n_units * (n_features + 1))]
    inner = [block for blocks, _ in modules_of(model).values() for block in blocks] + combination_of(model)
    name = f"{type(model).__name__} of {len(model.named_modules_)} modules"
    return [Block(name, combination_of(model)[-1].shape, n_parameters(inner))]


def modules_of(model):
    """For each module of a modular network, its blocks, and a text that says what it reads and learns."""
    modules = {}
    for module, n_columns in zip(model._modules, model._n_columns, strict=True):
        reads = _columns_text(module.columns, getattr(model, "feature_names_in_", None))
        modules[module.name] = blocks_of(module.estimator, n_columns), reads + _target_text(module.task)
    return modules


def combination_of(model):
    """The blocks that make one answer of the modules' outputs."""
    if not isinstance(model._combination, str):
        n_columns = sum(model._n_columns)
        name = "outputs side by side"
        if model._reads_X:
            n_columns, name = n_columns + model.n_features_in_, "outputs and X side by side"
        return [Block(name, str(n_columns)), *blocks_of(model._combination, _n_answers(model))]
    name = {"mean": "mean", "product": "product", "vote": "vote"}[model._combination]
    if name != "vote" and hasattr(model, "classes_"):
        name += " of probabilities"
    if model._weights is not None:
        name = f"weighted {name}"
    return [Block(name, str(_n_answers(model)))]


def input_of(model):
    """The shape of a sample, as a text; empty where a modular network reads something else than a table."""
    shape = (getattr(model, "n_features_in_", None),)
    if isinstance(model, BaseNetwork):
        shape = chain_of_network(model).sample_shape
    if len(shape) > 1:
        return shape_text(shape)
    return "" if shape[0] is None else f"{shape[0]} column{'s' if shape[0] > 1 else ''}"


def n_parameters(blocks):
    """The number of all parameters; None if that of a block is not known."""
    counts = [block.n_parameters for block in blocks]
    return None if None in counts else sum(counts)


def _n_answers(model):
    classes = getattr(model, "classes_", None)
    if classes is None:
        return math.prod(model._y_shape)
    return sum(map(len, classes)) if isinstance(classes, list) else len(classes)


def _call(estimator):
    return f"{type(estimator).__name__}()"


def _columns_text(columns, names):
    if columns is None:
        return "reads X"
    if isinstance(columns, slice):
        first, end, step = columns.start or 0, columns.stop, columns.step
        return f"reads {first}:{'' if end is None else end}" + (f":{step}" if step not in (None, 1) else "")
    numbers = [columns] if not isinstance(columns, list) else columns
    if names is not None and len(numbers) <= 2:
        return f"reads {', '.join(names[numbers])}"
    if len(numbers) > 2 and numbers == list(range(numbers[0], numbers[-1] + 1)):
        return f"reads {numbers[0]}:{numbers[-1] + 1}"
    return f"reads {', '.join(map(str, numbers))}" if len(numbers) <= 3 else f"reads {len(numbers)} columns"


def _target_text(task):
    if task is None:
        return ""
    if not callable(task):
        return f", learns y[{task}]"
    name = getattr(task, "__name__", "<lambda>")
    return f", learns {'f' if name == '<lambda>' else name}(y)"
