"""Networks in pipelines of scikit-learn's, of which skl2onnx makes models of ONNX."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import fastnn
from fastnn.data.quoted import quoted
from fastnn.export.onnx.graph import Graph
from fastnn.export.onnx.models import parts_of
from fastnn.export.onnx.writing import LEAST_OPSET
from fastnn.runtime.installation import needed

_CLASSIFIERS = "MLPClassifier", "ModularClassifier", "Perceptron", "SequentialClassifier"
_REGRESSORS = "MLPRegressor", "ModularRegressor", "SequentialRegressor"
_OPTIONS = {"zipmap": [True, False, "columns"], "nocl": [True, False], "output_class_labels": [True, False]}


def register_skl2onnx() -> None:
    """Let skl2onnx convert fastnn's estimators, so that it converts pipelines that have them.

    Call it once before `skl2onnx.to_onnx`. Rows of columns become samples of the shape that a network reads. Targets
    must be one column of classes, or numbers; sequences that differ in their lengths cannot come out of a pipeline.

    Returns
    -------
    None

    Raises
    ------
    ImportError
        Where skl2onnx is missing.

    Examples
    --------
    >>> import skl2onnx
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fastnn import MLPClassifier
    >>> from fastnn.export import register_skl2onnx
    >>> register_skl2onnx()
    >>> X, y = load_iris(return_X_y=True)
    >>> pipeline = make_pipeline(StandardScaler(), MLPClassifier((8,), tol=1e-2, random_state=0)).fit(X, y)
    >>> model = skl2onnx.to_onnx(pipeline, X[:1].astype("float32"), target_opset=18, options={"zipmap": False})
    >>> [output.name for output in model.graph.output]
    ['label', 'probabilities']
    """
    skl2onnx = needed("skl2onnx", "register_skl2onnx", to_install="skl2onnx")
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes as of_classes

    for names, shapes, options in (_CLASSIFIERS, of_classes, _OPTIONS), (_REGRESSORS, _describe_numbers, None):
        for name in names:
            skl2onnx.update_registered_converter(
                getattr(fastnn, name), f"Fastnn{name}", shapes, _convert, overwrite=True, options=options
            )


def _describe_numbers(operator):
    """Tell skl2onnx the type and the shape of a regressor's output."""
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType

    parts, (X, *_) = parts_of(operator.raw_operator), operator.inputs
    is_float64 = _computing_dtype(X, parts) == np.float64
    shape = [X.get_first_dimension(), parts.n_columns]
    operator.outputs[0].type = (DoubleTensorType if is_float64 else FloatTensorType)(shape)


def _computing_dtype(X, parts):
    """The type of X, if that is one of floats, and else the model's."""
    known = {"DoubleTensorType": np.float64, "FloatTensorType": np.float32}
    return np.dtype(known.get(type(X.type).__name__, parts.dtype))


@dataclass(frozen=True)
class _PartOfGraph(Graph):
    """A graph whose names are among those of a larger one."""

    scope: object = None

    def named(self, name):
        return self.scope.get_unique_variable_name(f"fastnn_{name}")


def _convert(scope, operator, container):
    """Add a fitted model to skl2onnx's graph."""
    from onnx import helper, numpy_helper

    if container.target_opset_any_domain("") < LEAST_OPSET:
        raise ValueError(
            f"target_opset must be at least {LEAST_OPSET} for fastnn, got {container.target_opset_any_domain('')}"
        )
    model, (X, *others) = operator.raw_operator, operator.inputs
    parts = parts_of(model)
    if None in parts.sample_shape or others:
        raise ValueError(
            f"{quoted(model)} must read samples of one size in a pipeline, got sequences or several inputs"
        )
    dtype = _computing_dtype(X, parts)
    graph = _PartOfGraph(dtype, scope=scope)
    tensor = X.full_name
    if parts.has_tokens or type(X.type).__name__ not in ("DoubleTensorType", "FloatTensorType"):
        tensor = graph.cast(tensor, parts.reads(dtype))
    if len(parts.sample_shape) > 1:
        tensor = graph.add("Reshape", tensor, graph.integers(-1, *parts.sample_shape))
    made = list(parts.write(graph, tensor, None).values())
    if len(made) != len(operator.outputs):
        raise ValueError(f"{quoted(model)} must have one column of targets in a pipeline, got {len(made) - 1}")
    for tensor, output in zip(made, operator.outputs, strict=True):
        if parts.classes is None:  # skl2onnx has numbers in columns
            tensor = graph.add("Reshape", tensor, graph.integers(-1, parts.n_columns))
        elif type(output.type).__name__ == "Int64TensorType":  # skl2onnx has labels of strings and of integers only
            tensor = graph.cast(tensor, np.int64)
        graph.add("Identity", tensor, output=output.full_name)
    container.initializers.extend(numpy_helper.from_array(array, name) for name, array in graph.constants.items())
    for node in graph.nodes:
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        container.add_node(
            node.op_type, [*node.input], [*node.output], name=node.name,
            op_version=container.target_opset_any_domain(""), **attributes,
        )  # fmt: skip
