"""Models that cannot be exported, and networks of others that cannot be taken over."""

import os
import tempfile
from unittest import mock

import numpy as np
from provoke_estimators import COLUMNS, LABELS, NUMBERS, X, classifier, learnt, regressor
from sklearn.linear_model import LogisticRegression

from fastnn import MLPRegressor, ModularClassifier, SequentialRegressor, export
from fastnn.export import from_keras, from_torch
from fastnn.export.onnx import files, writing
from fastnn.export.takeover import Takeover
from fastnn.layers import GRU, Dense, SimpleRNN

try:
    import onnx
    import skl2onnx
    from onnx import TensorProto, helper, numpy_helper
except ImportError:
    onnx = None


# -- stand-ins for PyTorch and Keras, which tests do without ----------------------------------------------------------


class Tensor:
    dtype = "torch.float32"

    def __init__(self, *shape):
        self.array = np.ones(shape, np.float32)

    def detach(self):
        return self

    cpu = detach

    @property
    def T(self):
        return Tensor(*self.array.shape[::-1])

    def movedim(self, source, target):
        return Tensor(*np.moveaxis(self.array, source, target).shape)

    def numpy(self):
        return self.array


def module(kind, **attributes):
    """A module of a class of this name."""
    made = type(kind, (), {"parameters": lambda self: []})()
    vars(made).update(attributes)
    return made


def linear(n_in, n_out):
    return module("Linear", in_features=n_in, out_features=n_out, weight=Tensor(n_out, n_in), bias=Tensor(n_out))


def conv1d(**settings):
    its = {"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 1, "padding_mode": "zeros"} | settings
    weights = {"weight": Tensor(2, 3, 1), "bias": Tensor(2), "in_channels": 3, "out_channels": 2, "kernel_size": (1,)}
    return module("Conv1d", **weights | its)


def own_sequential():
    return type("Sequential", (), {"forward": lambda self, x: x})()


class Layer:
    """A layer of Keras's."""

    def __init__(self, config, *shapes):
        self.config, self.weights = config, [np.ones(shape, np.float32) for shape in shapes]

    def get_config(self):
        return self.config

    def get_weights(self):
        return self.weights


def keras(*layers, built=True):
    made = type("Sequential", (), {})()
    made.built, made.input_shape, made.layers = built, (None, 4), layers
    return made


def keras_dense(activation):
    layer = type("Dense", (Layer,), {})
    return layer({"units": 2, "activation": activation, "use_bias": True}, (4, 2), (2,))


def takeover(*layers, head=None, n=2):
    """Layers that were taken over, to be finished."""
    made = Takeover((n,))
    for each in layers:
        made.add("it", each, {name: np.ones(shape) for name, shape in each.weight_shapes(made.shape).items()})
    made.head = head
    return made


def flattened_twice():
    made = Takeover((4, 4, 2))
    made.flatten("it", channels_first=True)
    made.flatten("it", channels_first=True)
    from fastnn.layers import Reshape

    made.add("it", Reshape((8, 4)))


PROVOCATIONS = {
    "a name that export lacks": lambda: export.to_pmml,
    "torch: another kind": lambda: from_torch([module("Conv3d")], (2,)),
    "torch: a forward of one's own": lambda: from_torch(own_sequential()),
    "torch: no shape": lambda: from_torch([module("Conv2d")]),
    "torch: another shape": lambda: from_torch([linear(2, 2)], (3,)),
    "torch: another padding": lambda: from_torch([conv1d(padding=(1,))]),
    "torch: another padding mode": lambda: from_torch([conv1d(padding_mode="circular")]),
    "torch: the other order": lambda: from_torch([conv1d(), linear(2, 2)]),
    "torch: maps": lambda: from_torch([linear(2, 2)], (2, 2, 2)),
    "torch: a map": lambda: from_torch([conv1d()], (2, 2, 2)),
    "keras: something else": lambda: from_keras(3),
    "keras: without weights": lambda: from_keras(keras(built=False)),
    "after softmax": lambda: takeover(head="softmax").add("it", Dense(2)),
    "a reshaped map": flattened_twice,
    "no dense layer": lambda: takeover().finished(None, False, {}),
    "two activations": lambda: takeover(Dense(2), head="softmax").finished(None, False, {}),
    "classes of another head": lambda: takeover(Dense(2, "tanh")).finished([0, 1], False, {}),
    "classes of labels": lambda: takeover(Dense(3, "sigmoid")).finished([0, 1, 2], False, {}),
    "labels of softmax": lambda: takeover(Dense(3, None), head="softmax").finished(None, True, {}),
}


# -- ONNX --------------------------------------------------------------------------------------------------------------


def without(package):
    """A call of to_onnx without a package."""
    with mock.patch.dict("sys.modules", {package: None}):
        export.to_onnx(learnt())


def fitted(layer):
    return SequentialRegressor([layer], max_iter=1, random_state=0).fit([X[:2] / 9, X[2:5] / 9], [0, 1])


def node(operator, inputs, outputs="out", **attributes):
    names = [name.strip("_") for name in inputs.split()]  # _ is an input that is left out
    return helper.make_node(operator, names, outputs.split(), name="node", **attributes)


def floats(*shape):
    return np.ones(shape, np.float32)


def graph_of(nodes, shape, constants, outputs=("out",), elem_type=1, more=()):
    tensors = [
        each if isinstance(each, TensorProto) else numpy_helper.from_array(np.asarray(each), name)
        for name, each in constants.items()
    ]
    inputs = [helper.make_tensor_value_info("x", elem_type, ["n", *shape])]
    inputs += [helper.make_tensor_value_info(name, 7, ["n"]) for name in more]
    described = [helper.make_tensor_value_info(name, 1, None) for name in outputs]
    graph = helper.make_graph(nodes, "graph", inputs, described, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def read(*nodes, shape=(4,), **settings):
    """Take over a graph of these nodes; constants are given by their names, in capitals."""
    constants = {name: settings.pop(name) for name in [*settings] if name.isupper()}
    read_bytes(graph_of(nodes, shape, constants, **settings).SerializeToString())


def read_bytes(data):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model")
        with open(path, "wb") as file:
            file.write(data)
        export.from_onnx(path)


def large(data):
    with mock.patch.object(files, "MOST_BYTES", 10):
        read_bytes(data)


def tensor(dims=(4, 2), data_type=1, data=b"", external=None):
    made = TensorProto(name="K", data_type=data_type, raw_data=data)
    made.dims.extend(dims)
    for key, value in (external or {}).items():
        made.data_location = TensorProto.EXTERNAL
        made.external_data.add(key=key, value=str(value))
    return made


def external(location, **settings):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model")
        made = graph_of([node("MatMul", "x K")], (4,), {"K": tensor(external={"location": location, **settings})})
        with open(path, "wb") as file:
            file.write(made.SerializeToString())
        export.from_onnx(path)


def cell(kind="GRU", outputs="y", inputs="t W R", shape=(3, 2), more=(), after=(), **attributes):
    """Take over a recurrent operator."""
    n = {"GRU": 3, "RNN": 1}[kind]
    if kind == "GRU":
        attributes = {"linear_before_reset": 1} | attributes
    its = {"W": floats(1, n, 2), "R": floats(1, n, 1), "S": floats(1, 1, 1)}
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node(kind, inputs, outputs, hidden_size=1, **attributes)]
    after = after or [node("Identity", outputs.split()[0])]
    read_bytes(graph_of([*nodes, *after], shape, its, more=more).SerializeToString())


def both_ways(*after, **constants):
    its = {"W": floats(2, 1, 2), "R": floats(2, 1, 1)} | constants
    run = node("RNN", "t W R", "y", hidden_size=1, direction="bidirectional")
    read_bytes(graph_of([node("Transpose", "x", "t", perm=[1, 0, 2]), run, *after], (3, 2), its).SerializeToString())


def pipeline(model, n_columns=None, **settings):
    export.register_skl2onnx()
    skl2onnx.to_onnx(model, X[:1, :n_columns], **settings)


def of_dates():
    model = classifier().fit(X, np.array(["2020-01-01", "2021-01-01"], "M8[D]")[np.asarray(LABELS) % 2])
    export.to_onnx(model)


def beyond_float32():
    made = MLPRegressor.from_weights([np.full((2, 1), 1e60)], [[0.0]])
    export.to_onnx(made, dtype="float32")


def more_than_fits():
    with mock.patch.object(writing, "MOST_BYTES", 1):
        export.to_onnx(learnt())


def another_module():
    modules = [("one", LogisticRegression(), slice(None))]
    export.to_onnx(ModularClassifier(modules).fit(X, LABELS))


CONV = {"K": floats(2, 3, 1)}
OF_ONNX = {
    "a package that is missing": lambda: without("onnx"),
    "opset": lambda: export.to_onnx(learnt(), opset=3),
    "batch": lambda: export.to_onnx(learnt(), batch=0),
    "dtype": lambda: export.to_onnx(learnt(), dtype="float16"),
    "another class": lambda: export.to_onnx(LogisticRegression()),
    "a module of another class": another_module,
    "dates": of_dates,
    "weights beyond float32": beyond_float32,
    "more than a file has": more_than_fits,
    "an activation of cells": lambda: export.to_onnx(fitted(SimpleRNN(1, "exp"))),
    "a pipeline of an old opset": lambda: pipeline(regressor().fit(X, NUMBERS), target_opset=15),
    "a pipeline of columns": lambda: pipeline(classifier().fit(X, COLUMNS), target_opset=18, options={"zipmap": False}),
    "a pipeline of sequences": lambda: pipeline(fitted(GRU(1)), target_opset=18),
    "no model": lambda: read_bytes(b"GIF89a"),
    "an empty file": lambda: read_bytes(b""),
    "a large file": lambda: large(b"x" * 100),
    "no input": lambda: read(node("MatMul", "A B"), A=floats(2, 2), B=floats(2, 2), outputs=()),
    "many inputs": lambda: read(node("Relu", "x"), more=("one", "two")),
    "many axes": lambda: read(node("Relu", "x"), shape=(2, 2, 2, 2)),
    "another operator": lambda: read(node("Sin", "x")),
    "no such inputs": lambda: read(node("Relu", "x x")),
    "beside": lambda: read(node("MatMul", "x K"), node("Relu", "y", "z"), K=floats(4, 2)),
    "no weights": lambda: read(node("Identity", "x"), shape=(4, 2)),
    "a circle": lambda: read(node("Relu", "x", "a"), node("Relu", "a", "x")),
    "no way out": lambda: read(node("MatMul", "x K", "z"), K=floats(4, 2)),
    "labels of two axes": lambda: read(
        node("MatMul", "x K", "z"), node("ArgMax", "z", "a", axis=1), node("Gather", "L a"),
        K=floats(4, 2), L=floats(2, 2),
    ),
    "axes": lambda: read(node("Gemm", "x K"), shape=(3, 4), K=floats(4, 2)),
    "axes of tokens": lambda: read(node("Gather", "E x"), shape=(3, 4), elem_type=7, E=floats(4, 2)),
    "X's axes": lambda: read(
        node("Transpose", "x", "t", perm=[0, 2, 1]), node("MatMul", "t K"), shape=(3, 4), K=floats(3, 2)
    ),
    "negative sizes": lambda: read(node("MatMul", "x K"), K=tensor((4, -2))),
    "another type": lambda: read(node("MatMul", "x K"), K=tensor(data_type=10)),
    "too few bytes": lambda: read(node("MatMul", "x K"), K=tensor(data=b"123")),
    "outside": lambda: external("../data"),
    "beyond the end": lambda: external("model", offset=10**6),
    "integers": lambda: read(node("MatMul", "x K"), K=np.ones((4, 2), np.int64)),
    "no constant": lambda: read(node("MatMul", "x y")),
    "the other input": lambda: read(node("MatMul", "K x"), K=floats(4, 4)),
    "axes that are no constant": lambda: read(node("Squeeze", "x a")),
    "many axes in a constant": lambda: read(node("Squeeze", "x A"), A=np.ones((2, 2), np.int64)),
    "a vector": lambda: read(node("MatMul", "x K"), K=floats(4)),
    "a product of many": lambda: read(node("Mul", "x K"), K=floats(4)),
    "branches": lambda: read(node("Relu", "x", "a"), node("Tanh", "x", "b"), node("Add", "a b")),
    "tokens that are floats": lambda: read(node("Gather", "E x"), E=floats(4, 2)),
    "rows of a vector": lambda: read(node("Gather", "E x"), elem_type=7, E=floats(4)),
    "perm": lambda: read(node("Transpose", "x", perm=[0, 0])),
    "squeezed": lambda: read(node("Squeeze", "x A"), A=np.array([1])),
    "flattened": lambda: read(node("Transpose", "x", "t", perm=[1, 0]), node("Flatten", "t"), shape=(4,)),
    "positions in another order": lambda: read(
        node("Conv", "x K", "c"), node("Transpose", "c", "t", perm=[0, 1, 3, 2]), node("Flatten", "t"),
        shape=(3, 4, 5), K=floats(2, 3, 1, 1),
    ),
    "samples together": lambda: read(node("Reshape", "x S"), S=np.array([8])),
    "another number": lambda: read(node("Reshape", "x S"), S=np.array([0, 3])),
    "directions": lambda: both_ways(
        node("Transpose", "y", "z", perm=[2, 0, 1, 3]), node("Reshape", "z S"), S=np.array([9, 9])
    ),
    "parted": lambda: read(node("Split", "x", "a b", axis=1)),
    "another GRU": lambda: cell(linear_before_reset=0),
    "the usual GRU of ONNX": lambda: read(
        node("Transpose", "x", "t", perm=[1, 0, 2]), node("GRU", "t W R", hidden_size=1),
        shape=(3, 2), W=floats(1, 3, 2), R=floats(1, 3, 1),
    ),
    "lengths of one's own": lambda: read(
        node("Transpose", "x", "t", perm=[1, 0, 2]), node("RNN", "t W R _ L", hidden_size=1),
        shape=(3, 2), W=floats(1, 1, 2), R=floats(1, 1, 1), L=np.array([1], np.int32),
    ),
    "both outputs": lambda: cell(outputs="y h", after=[node("Identity", "y"), node("Identity", "h", "other")]),
    "a state": lambda: cell("RNN", inputs="t W R _ _ S"),
    "the other direction": lambda: cell(direction="reverse"),
    "activations": lambda: cell("RNN", activations=["HardSigmoid"]),
    "a slope": lambda: cell("RNN", activations=["LeakyRelu"], activation_alpha=[0.5]),
    "another shape of a cell": lambda: cell("RNN", inputs="t W W"),
    "other steps": lambda: read(
        node("Slice", "x A B"), shape=(3, 2), A=np.array([0]), B=np.array([1])
    ),
    "no window": lambda: read(node("MaxPool", "x", kernel_shape=[1])),
    "sizes of windows": lambda: read(node("MaxPool", "x", kernel_shape=[1, 1]), shape=(3, 4)),
    "pads": lambda: read(node("Conv", "x K", pads=[1]), shape=(3, 4), **CONV),
    "axes of a kernel": lambda: read(node("Conv", "x K"), shape=(3, 4), K=floats(2, 3)),
    "some positions": lambda: read(node("ReduceMax", "x", axes=[2]), shape=(3, 4)),
}  # fmt: skip
PROVOCATIONS |= OF_ONNX if onnx is not None else {}
