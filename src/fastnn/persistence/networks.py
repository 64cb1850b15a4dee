"""A fitted network as a dict of simple values and arrays, and a fitted network made of such a dict.

The dict may come from a damaged file: its values are checked before a network is made of them, and the network takes
no memory out of proportion to their arrays.
"""

import math
from itertools import chain
from numbers import Integral

import numpy as np

from fastnn.data.class_targets import Labels
from fastnn.data.number_targets import Numbers
from fastnn.engine.layers.registry import make_layers, weight_shapes
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.trainer import Trainer
from fastnn.layers.rules import Rule
from fastnn.persistence.checks import (
    ANYTHING,
    BOOL,
    CLASSES,
    COUNT,
    CURVE,
    DICT,
    FEATURE_NAMES,
    LIST,
    NUMBER,
    ORDER,
    SPLIT,
    TEXT,
    are_arrays,
    are_memory,
    check,
    check_finite,
    or_none,
    set_features,
    shown,
    weights_of,
)
from fastnn.training.curve import Curve
from fastnn.training.state import TrainingState

_CURVES = "loss_curve", "validation_scores", "validation_losses"
_COUNTS = "best_epoch", "n_epochs_without_improvement", "n_samples_seen", "n_rate_drops"
_NUMBERS = "initial_loss", "best_loss", "best_score", "dropped_from"
_TARGETS = {
    Labels: {"kind": TEXT, "classes": ANYTHING},
    Numbers: {
        "loss": TEXT,
        "quantiles": LIST,
        "huber_delta": Rule("a float of at least 0", lambda value: NUMBER.holds(value) and value >= 0),
    },
}
# The most classes that each kind of labels can have.
_MOST_CLASSES = {
    "binary": 2,
    "multiclass": math.inf,
    "multilabel-indicator": math.inf,
    "multiclass-multioutput": math.inf,
}


def list_of(text, holds):
    return Rule(f"a list of {text}", lambda value: isinstance(value, list) and all(map(holds, value)))


def _is_description(value):
    return isinstance(value, tuple) and all(map(_is_setting, value))


def _is_setting(value):
    return type(value) in (str, int, float, bool) or (
        isinstance(value, tuple) and all(type(item) is int for item in value)
    )


def at_least_one(rule):
    return Rule(f"{rule.text}, at least one", lambda value: rule.holds(value) and len(value) > 0)


LAYERS = {
    "layers": at_least_one(list_of("tuples of strings, numbers and tuples of integers", _is_description)),
    "input_shape": Rule(
        "a tuple of integers, at least one",
        lambda value: isinstance(value, tuple) and len(value) > 0 and all(map(COUNT.holds, value)),
    ),
    "weights": at_least_one(list_of("arrays", lambda value: isinstance(value, np.ndarray))),
}
# In files of version 1 these parts stand in place of LAYERS: every layer was a dense one.
_DENSE_LAYERS = {
    "coefs": at_least_one(list_of("matrices", lambda value: isinstance(value, np.ndarray) and value.ndim == 2)),
    "intercepts": list_of("arrays", lambda value: isinstance(value, np.ndarray)),
    "activations": list_of("strings", TEXT.holds),
}
PARTS = {
    "head": TEXT,
    "targets": DICT,
    "feature_names": FEATURE_NAMES,
    "n_iter": COUNT,
    "loss": NUMBER,
    "best_loss": or_none(NUMBER),
    "state": DICT,
    "optimizer": or_none(DICT),
}


def mlp_parts(model):
    """What a fitted network has learnt, and all that training needs to resume.

    Parameters
    ----------
    model : BaseNetwork

    Returns
    -------
    dict
    """
    network, encoder, trainer = model._network, model._targets, model._trainer
    if isinstance(encoder, Labels):
        targets = {"kind": encoder.target_type, "classes": encoder.classes}
    else:
        huber_delta = encoder.loss.settings[0] if encoder.name == "huber" else 0.0
        targets = {"loss": encoder.name, "quantiles": encoder.quantiles, "huber_delta": huber_delta}
    optimizer = None
    if trainer is not None and trainer.optimizer.name != "accumulate":  # lbfgs's, which keeps nothing from fit to fit
        memories = [network.unpack(memory) for memory in trainer.memories]
        optimizer = {
            "name": trainer.optimizer.name,
            "step_count": trainer.optimizer.step_count,
            "memories": memories,
        }
    return {
        "layers": list(network.description),
        "input_shape": network.input_shape,
        "weights": network.weights(),
        "head": network.head,
        "targets": targets,
        "feature_names": getattr(model, "feature_names_in_", None),
        "n_iter": int(model.n_iter_),
        "loss": float(model.loss_),
        "best_loss": None if model.best_loss_ is None else float(model.best_loss_),
        "state": _state_parts(model._state, model.random_state),
        "optimizer": optimizer,
    }


def _state_parts(state, random_state):
    parts = dict(vars(state))
    del parts["owns_random_state"]  # the parameter random_state says so
    parts |= {name: None if parts[name] is None else np.fromiter(parts[name], np.float64) for name in _CURVES}
    parts |= {name: int(parts[name]) for name in _COUNTS}
    parts |= {name: float(parts[name]) for name in _NUMBERS}
    if state.judged_by is not None:
        by_score, name = state.judged_by
        parts["judged_by"] = bool(by_score), name
    if state.random_state is random_state:
        parts["random_state"] = None  # the parameter's: the two stay one object
    if state.n_samples_streamed is None:  # earlier versions do not know it
        del parts["n_samples_streamed"]
    return parts


def make_mlp(model, parts):
    """Make a new model a fitted one.

    Parameters
    ----------
    model : BaseNetwork
    parts : object
        A dict that `mlp_parts` has returned; any other value is refused.

    Raises
    ------
    ValueError
        When no model can be made of the parts.
    """
    if isinstance(parts, dict) and "coefs" in parts:
        parts = _as_version_2(parts)
    check("the model", parts, PARTS | LAYERS)
    fill(model, parts, parts["layers"], parts["input_shape"])
    set_features(model, model._network.sizes[0], parts["feature_names"])


def fill(model, parts, description, input_shape):
    """Give a new model the network of this description, with what else the parts of a fitted one have.

    Raises
    ------
    ValueError
    """
    weights = parts["weights"]
    # The shapes are checked before there is a network: one with such layers may be larger than any memory.
    layers = make_layers(description, input_shape)
    dtype = weights[0].dtype
    if dtype not in (np.float32, np.float64):
        raise ValueError(f"weights[0] must have dtype float32 or float64, got {dtype}")
    shapes = weight_shapes(layers)[0]
    if not are_arrays(weights, shapes, dtype):
        raise ValueError(
            f"weights must be {len(shapes)} different arrays of {dtype}, with the shapes {_listed(shapes)}, got "
            f"{len(weights)} with the shapes {_listed([array.shape for array in weights])}"
        )
    for i, array in enumerate(weights):
        check_finite(f"weights[{i}]", array)
    make_targets = _labels if hasattr(model, "predict_proba") else _numbers
    encoder = make_targets(parts["targets"], parts["head"], layers[-1].output_shape[-1])
    network = Network(description, input_shape, encoder.head, dtype, None, encoder.groups, weights)
    state = _state(parts["state"], network, model.random_state)
    trainer = None if parts["optimizer"] is None else _trainer(parts["optimizer"], network, model._loss(encoder))
    model._set_fitted(network, encoder, trainer, state, parts["n_iter"])
    model.loss_, model.best_loss_ = (
        parts["loss"],
        parts["best_loss"],
    )  # which _set_fitted takes from parameters


def _as_version_2(parts):
    """The parts of a file of version 1 in the form of version 2, with layers, and with all weights in one list."""
    check("the model", parts, PARTS | _DENSE_LAYERS)
    coefs, intercepts, activations = (parts[name] for name in _DENSE_LAYERS)
    if not len(coefs) == len(intercepts) == len(activations) + 1:
        raise ValueError(
            f"coefs, intercepts and activations must be {len(coefs)}, {len(coefs)} and {len(coefs) - 1} for "
            f"{len(coefs)} layers, got {len(coefs)}, {len(intercepts)} and {len(activations)}"
        )
    state, optimizer = dict(parts["state"]), parts["optimizer"]
    for name in ("best_weights", "last_weights"):
        state[name] = _joined(state.get(name))
    if optimizer is not None and isinstance(optimizer.get("memories"), list):
        optimizer = optimizer | {"memories": [_joined(memory) for memory in optimizer["memories"]]}
    units = map(len, intercepts)
    return {name: parts[name] for name in PARTS} | {
        "layers": [("dense", *settings) for settings in zip(units, [*activations, "identity"], strict=True)],
        "input_shape": coefs[0].shape[:1],
        "weights": _joined((coefs, intercepts)),
        "state": state,
        "optimizer": optimizer,
    }


def _joined(layers):
    """The layers' W and b in turn, from a list of every W and one of every b; any other value, for checks to refuse."""
    if not isinstance(layers, tuple) or len(layers) != 2 or not all(isinstance(each, list) for each in layers):
        return layers
    return list(chain.from_iterable(zip(*layers, strict=False)))


def _listed(shapes):
    """Shapes as text, which leaves out the middle of a long list."""
    few = shapes if len(shapes) <= 6 else [*shapes[:5], "...", shapes[-1]]
    return ", ".join(map(str, few))


def _labels(parts, head, n_outputs):
    check("targets", parts, _TARGETS[Labels])
    kind, classes = parts["kind"], parts["classes"]
    columns = classes if kind == "multiclass-multioutput" else [classes]
    if not isinstance(columns, list) or not columns or not all(map(CLASSES.holds, columns)):
        rule = f"a list of one for each column, each {CLASSES.text}" if columns is classes else CLASSES.text
        raise ValueError(f"classes must be {rule}, got {shown(classes)}")
    if kind not in _MOST_CLASSES:
        raise ValueError(f"kind of targets must be one of {', '.join(_MOST_CLASSES)}, got {shown(kind)}")
    if len(classes) > _MOST_CLASSES[kind]:
        raise ValueError(f"classes must be at most {_MOST_CLASSES[kind]} with kind={kind!r}, got {len(classes)}")
    labels = Labels.of_sorted(kind, classes)
    if labels.n_outputs != n_outputs or labels.head != head:
        raise ValueError(
            f"the network must have {labels.n_outputs} outputs and head={labels.head!r} for its classes, got "
            f"{n_outputs} outputs and head={shown(head)}"
        )
    return labels


def _numbers(parts, head, n_outputs):
    check("targets", parts, _TARGETS[Numbers])
    loss, quantiles, huber_delta = parts["loss"], parts["quantiles"], parts["huber_delta"]
    if not quantiles:
        raise ValueError("quantiles must not be empty, got []")
    if loss == "quantile" and not all(NUMBER.holds(quantile) and 0 < quantile < 1 for quantile in quantiles):
        raise ValueError(f"quantiles must be floats between 0 and 1, got {shown(quantiles)}")
    if loss in ("softmax", "logistic"):
        raise ValueError(f"loss must be one for regressions, got {loss!r}")
    if loss == "huber" and not 0 < huber_delta < np.inf:
        raise ValueError(f"huber_delta must be greater than 0 and finite with loss='huber', got {huber_delta}")
    if n_outputs % len(quantiles):
        raise ValueError(
            f"the number of outputs must be a multiple of the number of quantiles, {len(quantiles)}, got {n_outputs}"
        )
    return Numbers(n_outputs // len(quantiles), loss, quantiles, huber_delta, head)


def _state(parts, network, random_state):
    if isinstance(parts, dict):
        parts = {"n_samples_streamed": None, **parts}
    check(
        "the training state",
        parts,
        {
            **dict.fromkeys(_NUMBERS, NUMBER),
            **dict.fromkeys(_COUNTS, COUNT),
            **dict.fromkeys(_CURVES, or_none(CURVE)),
            "loss_curve": CURVE,
            "random_state": Rule(
                "a RandomState, or None where the parameter random_state is one",
                lambda value: isinstance(random_state if value is None else value, np.random.RandomState),
            ),
            "best_weights": or_none(weights_of(network)),
            "last_weights": or_none(weights_of(network)),
            "converged": BOOL,
            "judged_by": or_none(
                Rule(
                    "a tuple of a boolean and a string",
                    lambda value: isinstance(value, tuple) and list(map(type, value)) == [bool, str],
                )
            ),
            "order": or_none(ORDER),
            "split": or_none(SPLIT),
            "n_samples_streamed": or_none(COUNT),
            "dropout_seed": or_none(
                Rule("an integer from 0 to 2**31 - 1", lambda value: COUNT.holds(value) and value < 2**31)
            ),
        },
    )
    parts = dict(parts)
    for name in _CURVES:
        if parts[name] is not None:
            parts[name] = Curve(parts[name].tolist())
    scores, losses = parts["validation_scores"], parts["validation_losses"]
    if (scores is None) != (losses is None) or len(scores or ()) != len(losses or ()):
        lengths = ["None" if curve is None else len(curve) for curve in (scores, losses)]
        raise ValueError(
            "validation_scores and validation_losses must have the same number of epochs, or both be None, got "
            f"{lengths[0]} and {lengths[1]}"
        )
    if parts["random_state"] is None:
        parts["random_state"] = random_state
    return TrainingState(**parts, owns_random_state=isinstance(random_state, Integral))


def _trainer(parts, network, loss):
    """A trainer with the optimizer's memories, from which the next fit makes one for its own batches."""
    check("the optimizer", parts, {"name": TEXT, "step_count": COUNT, "memories": LIST})
    optimizer = Optimizer(parts["name"], 1.0, step_count=parts["step_count"])
    memories = parts["memories"]
    if len(memories) != optimizer.n_memories or not all(are_memory(memory, network) for memory in memories):
        raise ValueError(
            f"memories of the optimizer must be {optimizer.n_memories} lists of arrays of the weights' shapes and "
            f"{network.dtype} with name={optimizer.name!r}, got {shown(memories)}"
        )
    return Trainer(network, loss, optimizer, 1, 1, memories=memories)
