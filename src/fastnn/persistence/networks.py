"""What a fitted multilayer perceptron is made of, as plain values and arrays, and one of parts that may be anything.

The latter are checked before anything is made of them, and take no memory out of proportion to their arrays.
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
from fastnn.persistence.checks import (
    are_arrays,
    are_classes,
    are_feature_names,
    are_memory,
    are_weights,
    check,
    is_count,
    is_curve,
    is_matrix,
    is_number,
    is_order,
    is_split,
    is_text,
    or_none,
    set_features,
)
from fastnn.training.curve import Curve
from fastnn.training.state import TrainingState

_CURVES = "loss_curve", "validation_scores", "validation_losses"
_COUNTS = "best_epoch", "n_epochs_without_improvement", "n_samples_seen", "n_rate_drops"
_NUMBERS = "initial_loss", "best_loss", "best_score", "dropped_from"
_TARGETS = {
    Labels: {"kind": is_text, "classes": lambda value: True},
    Numbers: {
        "loss": is_text,
        "quantiles": lambda value: isinstance(value, list),
        "huber_delta": lambda value: is_number(value) and value >= 0,
    },
}


_LAYERS = {
    "layers": lambda value: isinstance(value, list) and len(value) > 0 and all(isinstance(one, tuple) for one in value),
    "input_shape": lambda value: isinstance(value, tuple) and len(value) > 0 and all(map(is_count, value)),
    "weights": lambda value: isinstance(value, list) and len(value) > 0 and isinstance(value[0], np.ndarray),
}
# What files of version 1 had in their place: layers were dense ones.
_DENSE_LAYERS = {
    "coefs": lambda value: isinstance(value, list) and len(value) > 0 and all(is_matrix(W) for W in value),
    "intercepts": lambda value: isinstance(value, list) and all(isinstance(b, np.ndarray) for b in value),
    "activations": lambda value: isinstance(value, list) and all(map(is_text, value)),
}
_PARTS = {
    "head": is_text,
    "targets": lambda value: isinstance(value, dict),
    "feature_names": are_feature_names,
    "n_iter": is_count,
    "loss": is_number,
    "best_loss": or_none(is_number),
    "state": lambda value: isinstance(value, dict),
    "optimizer": or_none(lambda value: isinstance(value, dict)),
}


def mlp_parts(model):
    """What a fitted BaseNetwork has learnt, and all it goes on training from.

    Returns
    -------
    dict
    """
    network, kind, trainer = model._network, model._targets, model._trainer
    if isinstance(kind, Labels):
        targets = {"kind": kind.target_type, "classes": kind.classes}
    else:
        huber_delta = kind.loss.settings[0] if kind.name == "huber" else 0.0
        targets = {"loss": kind.name, "quantiles": kind.quantiles, "huber_delta": huber_delta}
    optimizer = None
    if trainer is not None and trainer.optimizer.name != "accumulate":  # lbfgs's, which begins with nothing
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
    del parts["owns_random_state"]  # the parameter tells
    parts |= {name: None if parts[name] is None else np.fromiter(parts[name], np.float64) for name in _CURVES}
    parts |= {name: int(parts[name]) for name in _COUNTS}
    parts |= {name: float(parts[name]) for name in _NUMBERS}
    if state.judged_by is not None:
        by_score, name = state.judged_by
        parts["judged_by"] = bool(by_score), name
    if state.random_state is random_state:
        parts["random_state"] = None  # the parameter's: it is to stay one and the same
    return parts


def make_mlp(model, parts):
    """Make a fitted model of a new one.

    Parameters
    ----------
    model : BaseNetwork
    parts : object
        A dict as `mlp_parts` returns it, or anything.

    Raises
    ------
    ValueError
        For parts that make no model.
    """
    if isinstance(parts, dict) and "coefs" in parts:
        parts = _as_version_2(parts)
    check("the model", parts, _PARTS | _LAYERS)
    weights = parts["weights"]
    # Before there is a network: one of such layers may be larger than any memory.
    layers = make_layers(parts["layers"], parts["input_shape"])
    dtype = weights[0].dtype
    if dtype not in (np.float32, np.float64) or not are_arrays(weights, weight_shapes(layers)[0], dtype):
        raise ValueError("the weights must have the shapes that the layers need")
    for i, array in enumerate(weights):
        if not np.isfinite(array).all():
            raise ValueError(f"weights[{i}] must be finite, got {array[~np.isfinite(array)][0]}")
    make_targets = _labels if hasattr(model, "predict_proba") else _numbers
    kind = make_targets(parts["targets"], parts["head"], math.prod(layers[-1].output_shape))
    network = Network(parts["layers"], parts["input_shape"], kind.head, dtype, None, kind.groups, weights)
    state = _state(parts["state"], network, model.random_state)
    trainer = None if parts["optimizer"] is None else _trainer(parts["optimizer"], network, model._loss(kind))
    set_features(model, network.sizes[0], parts["feature_names"])
    model._set_fitted(network, kind, trainer, state, parts["n_iter"])
    model.loss_, model.best_loss_ = parts["loss"], parts["best_loss"]  # which parameters set since may change


def _as_version_2(parts):
    """The parts that a file of version 1 has, as version 2 has them: layers, and weights in one list."""
    check("the model", parts, _PARTS | _DENSE_LAYERS)
    coefs, intercepts, activations = (parts[name] for name in _DENSE_LAYERS)
    if not len(coefs) == len(intercepts) == len(activations) + 1:
        raise ValueError("coefs, intercepts and activations must be of the same layers")
    state, optimizer = dict(parts["state"]), parts["optimizer"]
    for name in ("best_weights", "last_weights"):
        state[name] = _joined(state.get(name))
    if optimizer is not None and isinstance(optimizer.get("memories"), list):
        optimizer = optimizer | {"memories": [_joined(memory) for memory in optimizer["memories"]]}
    units = map(len, intercepts)
    return {name: parts[name] for name in _PARTS} | {
        "layers": [("dense", *settings) for settings in zip(units, [*activations, "identity"], strict=True)],
        "input_shape": coefs[0].shape[:1],
        "weights": _joined((coefs, intercepts)),
        "state": state,
        "optimizer": optimizer,
    }


def _joined(layers):
    """A list of W and one of b, of each layer, as one list; what are no such two is left for checks to refuse."""
    if not isinstance(layers, tuple) or len(layers) != 2 or not all(isinstance(each, list) for each in layers):
        return layers
    return list(chain.from_iterable(zip(*layers, strict=False)))


def _labels(parts, head, n_outputs):
    check("targets", parts, _TARGETS[Labels])
    kind, classes = parts["kind"], parts["classes"]
    columns = classes if kind == "multiclass-multioutput" else [classes]
    if not isinstance(columns, list) or not columns or not all(map(are_classes, columns)):
        raise ValueError("the classes are none, or not sorted")
    most = {"binary": 2, "multiclass": np.inf, "multilabel-indicator": np.inf, "multiclass-multioutput": np.inf}
    if kind not in most or len(classes) > most[kind]:
        raise ValueError(f"{len(classes)} classes of the kind {kind!r}")
    labels = Labels.of_sorted(kind, classes)
    if labels.n_outputs != n_outputs or labels.head != head:
        raise ValueError(f"{n_outputs} outputs of {head!r} for classes that need {labels.n_outputs} of {labels.head!r}")
    return labels


def _numbers(parts, head, n_outputs):
    check("targets", parts, _TARGETS[Numbers])
    loss, quantiles, huber_delta = parts["loss"], parts["quantiles"], parts["huber_delta"]
    if loss == "quantile" and not all(is_number(quantile) and 0 < quantile < 1 for quantile in quantiles):
        raise ValueError(f"the quantiles are {quantiles}")
    if loss in ("softmax", "logistic") or (loss == "huber" and not 0 < huber_delta < np.inf):
        raise ValueError(f"the loss {loss!r} with huber_delta={huber_delta}")
    if not quantiles or n_outputs % len(quantiles):
        raise ValueError(f"{n_outputs} outputs for {len(quantiles)} quantiles")
    return Numbers(n_outputs // len(quantiles), loss, quantiles, huber_delta, head)


def _state(parts, network, random_state):
    check(
        "the training",
        parts,
        {
            **dict.fromkeys(_NUMBERS, is_number),
            **dict.fromkeys(_COUNTS, is_count),
            **dict.fromkeys(_CURVES, or_none(is_curve)),
            "loss_curve": is_curve,
            "random_state": lambda value: isinstance(random_state if value is None else value, np.random.RandomState),
            "best_weights": or_none(lambda value: are_weights(value, network)),
            "last_weights": or_none(lambda value: are_weights(value, network)),
            "converged": lambda value: type(value) is bool,
            "judged_by": or_none(lambda value: isinstance(value, tuple) and list(map(type, value)) == [bool, str]),
            "order": or_none(is_order),
            "split": or_none(is_split),
            "dropout_seed": or_none(lambda value: is_count(value) and value < 2**31),
        },
    )
    parts = dict(parts)
    for name in _CURVES:
        if parts[name] is not None:
            parts[name] = Curve(parts[name].tolist())
    scores, losses = parts["validation_scores"], parts["validation_losses"]
    if (scores is None) != (losses is None) or len(scores or ()) != len(losses or ()):
        raise ValueError("the validation's scores and losses are not of the same epochs")
    if parts["random_state"] is None:
        parts["random_state"] = random_state
    return TrainingState(**parts, owns_random_state=isinstance(random_state, Integral))


def _trainer(parts, network, loss):
    """One that remembers, for the next fit to make another of with the batches it needs."""
    check(
        "the optimizer",
        parts,
        {"name": is_text, "step_count": is_count, "memories": lambda value: isinstance(value, list)},
    )
    optimizer = Optimizer(parts["name"], 1.0, step_count=parts["step_count"])
    memories = parts["memories"]
    if len(memories) != optimizer.n_memories or not all(are_memory(memory, network) for memory in memories):
        raise ValueError(f"the optimizer {optimizer.name} remembers other numbers")
    return Trainer(network, loss, optimizer, 1, 1, memories=memories)
