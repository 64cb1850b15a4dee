"""Fitted models as files of ONNX."""

from __future__ import annotations

import os
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np

from fastnn.data.quoted import quoted
from fastnn.export.onnx.graph import Graph
from fastnn.export.onnx.models import parts_of
from fastnn.persistence.whole_files import write_whole
from fastnn.runtime.installation import installed_version, needed
from fastnn.runtime.warnings import warn_user

if TYPE_CHECKING:
    from typing import Any, Literal

    from fastnn.persistence.saving import Model

LEAST_OPSET, USUAL_OPSET = 18, 18  # the first in which all reductions read their axes as an input: onnxruntime 1.14
MOST_BYTES = 2**31 - 2**20  # of weights: a file of ONNX has at most 2 GiB
#: The operators that onnxruntime runs in float32 only.
FLOAT32_ONLY = "AveragePool", "Conv", "Erf", "GRU", "LSTM", "RNN"


def to_onnx(
    model: Model,
    path: str | bytes | os.PathLike[str] | os.PathLike[bytes] | None = None,
    *,
    opset: int | None = None,
    labels: bool = True,
    batch: str | int = "n",
    dtype: Literal["float32", "float64"] | None = None,
) -> Any:
    # From tools/docstrings: <errors without onnx>
    """A fitted model as a model of ONNX, which onnxruntime and others run.

    It reads `X`: rows of columns, or samples of the shape `input_shape_` of a network of layers, with the channels
    last; tokens are int64. Sequences that differ in their lengths are one array, in which any numbers follow the last
    step of each; `lengths`, int64, says how many steps each has.

    It answers what the model's methods do: a classifier `label` and `probabilities`, with several columns of classes
    `probabilities_0` and so on; a regressor `predictions`; a perceptron `label` and `scores`, its decision function;
    a modular network with ``combine="vote"`` `label` and `votes`.
    Where targets are of steps, `n_steps` says how many steps of each sequence's answers count.

    Parameters
    ----------
    model : estimator
        A fitted one of fastnn's. The modules of a modular network, and what combines them, must be of fastnn's, too.
    path : str, bytes or os.PathLike, default=None
        The file to write. It replaces an older one when it is complete, and not before. None: there is no file.
    opset : int, default=None
        The version of ONNX's operators, at least 18; None is 18.
    labels : bool, default=True
        Whether a classifier answers labels, besides probabilities.
    batch : str or int, default="n"
        The name of the number of samples, or the number itself if it is always the same.
    dtype : {"float32", "float64"}, default=None
        What to compute in; None is the model's own type.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    ImportError
        Where the package onnx is missing: the extra ``onnx`` installs it.
    NotFittedError, TypeError
        For a model that is not fitted, or of another class; for classes of types that ONNX lacks.
    ValueError
        For a part of the model that ONNX has no operators for.
    OSError
        When the file cannot be written. An older file is then unchanged.

    Warns
    -----
    UserWarning
        If onnxruntime lacks an operator of the model in float64. ``dtype="float32"`` exports it for onnxruntime.

    Examples
    --------
    >>> from fastnn import MLPClassifier
    >>> from fastnn.export import to_onnx
    >>> xor = MLPClassifier.from_weights([[[1, 1], [1, 1]], [[1], [-2]]], [[0, -1], [-0.5]])
    >>> model = to_onnx(xor)
    >>> [output.name for output in model.graph.output]
    ['label', 'probabilities']
    """
    onnx = needed("onnx", "to_onnx", to_install="scikit-fastnn[onnx]")
    opset = _checked(opset, batch, dtype, onnx.defs.onnx_opset_version())
    parts = parts_of(model)
    graph = Graph(np.dtype(parts.dtype if dtype is None else dtype))
    _check_weights(parts.arrays(), graph.dtype)
    inputs, outputs = _written(graph, parts, labels, batch)
    made = _model(onnx, graph, inputs, outputs, opset)
    in_float64 = graph.dtype == np.float64 or (parts.dtype == np.float64 and dtype is None)
    lacking = sorted({node.op_type for node in graph.nodes if node.op_type in FLOAT32_ONLY and in_float64})
    if path is not None:
        write_whole([made.SerializeToString(deterministic=True)], os.fsdecode(path))
    if lacking:
        warn_user(
            f"onnxruntime lacks the operators {', '.join(lacking)} of float64, which this model has: "
            'dtype="float32" exports it for onnxruntime.'
        )
    return made


def _checked(opset, batch, dtype, newest):
    """The number of the opset.

    Raises
    ------
    ValueError
    """
    opset = USUAL_OPSET if opset is None else opset
    if not isinstance(opset, Integral) or isinstance(opset, bool) or not LEAST_OPSET <= opset <= newest:
        raise ValueError(f"opset must be an integer from {LEAST_OPSET} to {newest}, or None, got {quoted(opset)}")
    is_size = isinstance(batch, Integral) and not isinstance(batch, bool) and 1 <= batch < 2**31
    if not is_size and not (isinstance(batch, str) and batch):
        raise ValueError(f"batch must be a name or an integer from 1 to 2**31 - 1, got {quoted(batch)}")
    if dtype is not None and dtype not in ("float32", "float64", np.float32, np.float64):
        raise ValueError(f"dtype must be 'float32', 'float64' or None, got {quoted(dtype)}")
    return int(opset)


def _check_weights(arrays, dtype):
    n_bytes = sum(array.size for array in arrays) * dtype.itemsize
    if n_bytes > MOST_BYTES:
        raise ValueError(f"a model of ONNX must have at most {MOST_BYTES} bytes of weights, got {n_bytes}")
    most = np.finfo(dtype).max
    for array in arrays:
        if array.dtype.itemsize > dtype.itemsize and (np.abs(array) > most).any():
            raise ValueError(f"dtype must be 'float64' for weights beyond float32's range, got {str(dtype)!r}")


def _written(graph, parts, labels, batch):
    """Add a model's operators, and the descriptions of what it reads and of what it answers."""
    from onnx import helper

    def described(name, dtype, shape):
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), shape)

    shape = ["steps" if size is None else size for size in parts.sample_shape]
    for name in ("label", "probabilities", "scores", "predictions", "votes", "n_steps"):
        graph.named(name)  # no tensor on the way to an answer has its name
    inputs = [described(graph.named("X"), parts.reads(graph.dtype), [batch, *shape])]
    lengths = None
    if None in parts.sample_shape:
        lengths = graph.named("lengths")
        inputs.append(described(lengths, np.int64, [batch]))
    made = parts.write(graph, "X", lengths, labels)
    outputs = []
    for name, tensor in made.items():
        graph.add("Identity", tensor, output=name)
        outputs.append(helper.make_empty_tensor_value_info(name))
    return inputs, outputs


def _model(onnx, graph, inputs, outputs, opset):
    constants = [onnx.numpy_helper.from_array(array, name) for name, array in graph.constants.items()]
    made = onnx.helper.make_graph(graph.nodes, "fastnn", inputs, outputs, constants)
    # ONNX's own inference says of what type and shape the outputs are, and refuses a graph that is not sound.
    opsets = [onnx.helper.make_opsetid("", opset)]
    model = onnx.helper.make_model(
        made,
        opset_imports=opsets,
        ir_version=onnx.helper.find_min_ir_version_for(opsets),
        producer_name="fastnn",
        producer_version=installed_version(),
    )
    described = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    del described.graph.value_info[:]  # which say nothing that does not follow
    return described
