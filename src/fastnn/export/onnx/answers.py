"""What a model answers, by ONNX's operators: labels and probabilities, or numbers, from what its layers make."""

import numpy as np

from fastnn.export.onnx.activations import ACTIVATIONS


def head(graph, name, tensor, groups):
    """The outputs of a network, from the sums of its last layer: a list with those of each column of classes."""
    if name != "softmax":
        return [ACTIVATIONS[name](graph, tensor)]
    parts = [tensor] if groups is None or len(groups) == 1 else graph.add(
        "Split", tensor, graph.integers(*groups), n_outputs=len(groups), axis=-1
    )  # fmt: skip
    return [graph.add("Softmax", part, axis=-1) for part in parts]


def numbers(graph, targets, output, per_step):
    """What a regressor predicts, from its outputs.

    Returns
    -------
    dict of str to str
        The tensors of the model's outputs, by the outputs' names.
    """
    if targets.n_outputs == 1:
        return {"predictions": graph.add("Squeeze", output, graph.integers(-1))}
    if len(targets.quantiles) > 1 and targets.n_targets > 1:
        shape = *[0] * (1 + per_step), targets.n_targets, len(targets.quantiles)
        return {"predictions": graph.add("Reshape", output, graph.integers(*shape))}
    return {"predictions": output}


def classes(graph, targets, outputs, labels):
    """What a classifier answers, from its outputs.

    Returns
    -------
    dict of str to str
        The tensors of the model's outputs, by the outputs' names.
    """
    names = ["probabilities"] if targets.groups is None else [f"probabilities_{i}" for i in range(len(outputs))]
    given = dict(zip(names, probabilities(graph, targets, outputs), strict=True))
    return {"label": _labels(graph, targets, outputs)} | given if labels else given


def probabilities(graph, targets, outputs):
    """The probabilities of the classes, of each column, or of labels."""
    return [_probabilities(graph, targets, output) for output in outputs]


def _probabilities(graph, targets, output):
    if targets.has_single_class:
        return graph.filled(graph.add("Shape", output), graph.dtype.type(1))
    if targets.target_type != "binary":
        return output
    return graph.add("Concat", graph.add("Sub", graph.number(1), output), output, axis=-1)


def codes(graph, targets, outputs):
    """The numbers of the likeliest classes, of each column; of labels whether each is likely."""
    (output, *_) = outputs
    if targets.target_type == "multilabel-indicator":
        return [graph.cast(graph.add("Greater", output, graph.number(0.5)), np.int64)]
    if targets.target_type != "binary":
        return [graph.add("ArgMax", part, axis=-1, keepdims=0) for part in outputs]
    code = graph.add("Squeeze", output, graph.integers(-1))
    if targets.has_single_class:
        return [graph.filled(graph.add("Shape", code), np.int64(0))]
    return [graph.cast(graph.add("Greater", code, graph.number(0.5)), np.int64)]


def _labels(graph, targets, outputs):
    numbers = codes(graph, targets, outputs)
    if targets.target_type == "multilabel-indicator":
        return numbers[0]
    if not targets.groups:
        return label_of(graph, targets.classes, numbers[0])
    dtype = np.concatenate([array[:1] for array in targets.classes]).dtype  # as NumPy would stack the columns
    columns = [
        graph.add("Unsqueeze", label_of(graph, array.astype(dtype), code), graph.integers(-1))
        for array, code in zip(targets.classes, numbers, strict=True)
    ]
    return graph.add("Concat", *columns, axis=-1)


def label_of(graph, labels, codes):
    """The labels of classes, from the classes' numbers."""
    return graph.add("Gather", graph.constant(as_onnx(labels), "classes"), codes)


def as_onnx(labels):
    """Labels in a type that ONNX has.

    Raises
    ------
    TypeError
    """
    if labels.dtype.kind == "U" or (labels.dtype.kind == "O" and all(type(label) is str for label in labels.tolist())):
        return labels.astype(object)
    if labels.dtype.kind not in "biuf" or labels.dtype.itemsize > 8:
        raise TypeError(
            f"the classes must be numbers, booleans or strings for ONNX, got {labels.dtype}: labels=False exports the "
            "probabilities alone"
        )
    return labels
