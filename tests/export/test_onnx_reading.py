"""`from_onnx`: chains of operators become networks that predict the same; all else is refused, and harms nothing."""

import copy
import os
import tracemalloc

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from onnx_models import random_model  # noqa: E402

from fastnn import MLPClassifier, MLPRegressor, SequentialClassifier, SequentialRegressor  # noqa: E402
from fastnn.export import from_onnx, to_onnx  # noqa: E402
from fastnn.layers import GRU, LSTM, Bidirectional, Conv2D, Dense, Embedding, Flatten, MaxPooling2D  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:onnxruntime lacks"),
]

N_MUTANTS = 300  # of each model, in each way
rng = np.random.default_rng(0)
X = rng.normal(size=(40, 5))
NAMES = np.array(["a", "b", "c"])[rng.integers(0, 3, 40)]


def again(model, folder):
    path = folder / "model.onnx"
    to_onnx(model, path)
    return from_onnx(path, max_iter=2, random_state=0)


def joined(answer):
    """Predictions for steps one after the other."""
    return np.concatenate(list(answer)) if isinstance(answer, list) or answer.dtype == object else answer


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_networks(dtype, tmp_path):
    """What is a chain comes back; modules side by side, and sequences that are padded or masked, do not."""
    n_same = 0
    for seed in range(80):
        model, samples = random_model(np.random.default_rng(seed), np.dtype(dtype))
        try:
            same = again(model, tmp_path)
        except ValueError as error:
            assert "cannot be taken over: " in str(error)
            continue
        method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
        got, expected = (joined(getattr(each, method)(samples)) for each in (same, model))
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6 if dtype == "float32" else 1e-12)
        assert np.array_equal(joined(same.predict(samples)), joined(model.predict(samples))) or method == "predict"
        n_same += 1
    assert n_same > 40


@pytest.mark.parametrize("y", [NAMES, NAMES == "a", rng.integers(0, 2, (40, 3))], ids=["classes", "two", "labels"])
def test_training_goes_on(y, tmp_path):
    model = MLPClassifier((6, 4), ["gelu", "silu"], max_iter=3, random_state=0).fit(X, y)
    same = again(model, tmp_path)
    assert type(same) is SequentialClassifier
    assert (same.predict(X) == model.predict(X)).all()
    loss = same.partial_fit(X, y, epochs=20).loss_curve_
    assert loss[-1] < loss[0]


def test_numbers(tmp_path):
    model = MLPRegressor("poisson", (6,), max_iter=3).fit(X, np.arange(40))
    same = again(model, tmp_path)
    assert type(same) is SequentialRegressor
    assert same.out_activation_ == "exp"
    np.testing.assert_allclose(same.predict(X), model.predict(X))
    frozen = same.set_params(layers__0__trainable=False).partial_fit(X, np.arange(40))
    np.testing.assert_array_equal(frozen.weights_[0]["kernel"], model.coefs_[0])


def test_given_classes(tmp_path):
    to_onnx(MLPRegressor(hidden_layer_sizes=(4,), max_iter=2).fit(X, X[:, :3]), tmp_path / "model.onnx")
    assert from_onnx(tmp_path / "model.onnx", classes=["x", "y", "z"]).classes_.tolist() == ["x", "y", "z"]


# -- models of others --------------------------------------------------------------------------------------------------


def saved(path, nodes, shape, constants=(), output="out", opset=17, elem_type=TensorProto.FLOAT):
    """A file of a model whose input is x, of a shape."""
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", elem_type, ["n", *shape])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in dict(constants).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def floats(*shape):
    return rng.normal(size=shape).astype(np.float32)


def test_channels_first(tmp_path):
    """PyTorch's exporter writes such: what it flattens has its channels first."""
    onnxruntime = pytest.importorskip("onnxruntime")
    node = helper.make_node
    nodes = [
        node("Conv", ["x", "k", "b"], ["c"], pads=[1, 1, 1, 1]), node("Relu", ["c"], ["r"]),
        node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]), node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "w", "v"], ["g"], transB=1), node("Div", ["g", "root"], ["d"]), node("Erf", ["d"], ["e"]),
        node("Add", ["e", "one"], ["a"]), node("Mul", ["g", "a"], ["m"]), node("Mul", ["m", "half"], ["h"]),
        node("MatMul", ["h", "u"], ["z"]), node("Add", ["z", "t"], ["s"]), node("Softmax", ["s"], ["out"], axis=1),
    ]  # fmt: skip
    constants = {
        "k": floats(3, 2, 3, 3), "b": floats(3), "w": floats(6, 3 * 4 * 5) / 8, "v": floats(6), "u": floats(6, 4),
        "t": floats(4), "root": np.float32(np.sqrt(2)), "one": np.float32(1), "half": np.float32(0.5),
    }  # fmt: skip
    path = saved(tmp_path / "model.onnx", nodes, (2, 8, 10), constants)
    images = floats(7, 8, 10, 2)
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": np.ascontiguousarray(np.moveaxis(images, -1, 1))})
    model = from_onnx(path)
    assert model.layers == [Conv2D(3, 3, padding="same"), MaxPooling2D(), Flatten(), Dense(6, "gelu")]
    np.testing.assert_allclose(model.predict_proba(images), expected, atol=1e-5)


def test_older_opsets(tmp_path):
    """The axes of Squeeze were an attribute, and constants were nodes."""
    kernel = numpy_helper.from_array(floats(5, 2), "value")
    nodes = [
        helper.make_node("Constant", [], ["k"], value=kernel),
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[2], keepdims=0),
        helper.make_node("MatMul", ["m", "k"], ["out"]),
    ]
    with pytest.raises(ValueError, match="must be over all positions"):  # as x is (n, steps, channels)
        from_onnx(saved(tmp_path / "model.onnx", nodes, (4, 5), opset=11))
    nodes[1] = helper.make_node("ReduceMean", ["x"], ["m"], axes=[1], keepdims=0)
    model = from_onnx(saved(tmp_path / "model.onnx", nodes, (4, 5), opset=11))
    samples = floats(3, 4, 5)
    np.testing.assert_allclose(model.predict(samples), samples.mean(1) @ numpy_helper.to_array(kernel), atol=1e-5)


# -- what is refused ---------------------------------------------------------------------------------------------------


def refused(path, message):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message) as caught:
            from_onnx(path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
    assert str(caught.value).startswith(f"{path} cannot be taken over: ")


def tensor(dims, data, **settings):
    made = TensorProto(name="k", data_type=TensorProto.FLOAT, raw_data=data, **settings)
    made.dims.extend(dims)
    return made


def with_kernel(path, kernel, shape=(5,)):
    saved(path, [helper.make_node("MatMul", ["x", "k"], ["out"])], shape)
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer.append(kernel)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("dims", [[5, 3], [2**40, 2**40], [5, -2], [2**62, 2], [0], [5, 2, 1]], ids=str)
def test_lying_shapes(dims, tmp_path):
    refused(with_kernel(tmp_path / "model.onnx", tensor(dims, floats(5, 2).tobytes())), "must")


@pytest.mark.parametrize("shape", [(2**40,), (2**20, 2**20, 8), (2**31 - 1, 2)], ids=str)
def test_gigabytes_of_samples(shape, tmp_path):
    """A file of a few bytes that claims large samples: nothing is allocated for them."""
    path = with_kernel(tmp_path / "model.onnx", tensor([5, 2], floats(5, 2).tobytes()), shape)
    refused(path, "must")
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("MatMul", ["f", "k"], ["out"])]
    refused(saved(path, nodes, shape, {"k": floats(5, 2)}), "must")
    if len(shape) == 3:
        nodes.insert(0, helper.make_node("GlobalMaxPool", ["x"], ["p"]))
        nodes[1] = helper.make_node("Flatten", ["p"], ["f"])
        refused(saved(path, nodes, shape, {"k": floats(5, 2)}), "must")


def external(location, **settings):
    kernel = TensorProto(name="k", data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    kernel.dims.extend([5, 2])
    for key, value in {"location": location, **settings}.items():
        kernel.external_data.add(key=key, value=str(value))
    return kernel


def test_data_in_the_folder(tmp_path):
    kernel = floats(5, 2)
    (tmp_path / "data").write_bytes(b"----" + kernel.tobytes())
    model = from_onnx(with_kernel(tmp_path / "model.onnx", external("data", offset=4, length=40)))
    np.testing.assert_allclose(model.predict(X), X @ kernel, atol=1e-5)


@pytest.mark.parametrize(
    "entries",
    [
        {"location": "../data"}, {"location": ""}, {"location": "lacking"}, {"location": "link"}, {"location": "."},
        {"location": "{outside}/data"}, {"location": "data", "offset": 1}, {"location": "data", "length": 10**12},
        {"location": "data", "offset": -4}, {"location": "data", "offset": "x"}, {"location": "a\0b"},
        {"location": "data", "offset": 10**30},
    ],
    ids=str,
)  # fmt: skip
def test_data_elsewhere(entries, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for path in tmp_path / "data", folder / "data":
        path.write_bytes(floats(5, 2).tobytes())
    os.symlink(tmp_path / "data", folder / "link")
    entries = entries | {"location": entries["location"].format(outside=tmp_path)}
    refused(with_kernel(folder / "model.onnx", external(**entries)), "cannot be taken over")


def test_unknown_operators(tmp_path):
    path = tmp_path / "model.onnx"
    refused(
        saved(path, [helper.make_node("Sin", ["x"], ["out"], name="wave")], (5,)), "the operator 'wave' must be one of"
    )
    loop = helper.make_node("Loop", ["x"], ["out"], name="loop")
    refused(saved(path, [loop], (5,)), "the operator 'loop' must be one of .*, got Loop")
    other = helper.make_node("Relu", ["x"], ["out"], name="relu", domain="com.microsoft")
    refused(saved(path, [other], (5,)), "the operator 'relu' must be one of")
    two = [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Tanh", ["x"], ["out"])]
    refused(saved(path, two, (5,)), "must be one after the other, got .*'Relu', 'Tanh'")
    beside = [helper.make_node("MatMul", ["x", "k"], ["out"]), helper.make_node("Relu", ["y"], ["z"])]
    refused(saved(path, beside, (5,), {"k": floats(5, 2)}), "got Relu '' besides")


def test_what_is_no_model(tmp_path):
    path = tmp_path / "model.onnx"
    for data in b"", b"\0" * 100, b"GIF89a", b"\x08\x08":
        path.write_bytes(data)
        refused(path, "is not a model of ONNX")
    with pytest.raises(FileNotFoundError):
        from_onnx(tmp_path / "lacking.onnx")
    with path.open("wb") as file:
        file.truncate(2**33)  # gigabytes of zeros that take no room on the disk
    refused(path, "at most 2147483647 bytes, got 8589934592")


MODELS = {
    "mlp": lambda: MLPClassifier((4, 3), ["gelu", "tanh"], max_iter=1).fit(X, NAMES),
    "images": lambda: SequentialRegressor([Conv2D(2, 2), MaxPooling2D(2), Dense(3)], max_iter=1, dtype="float32").fit(
        rng.normal(size=(40, 5, 5, 2)), X[:, 0]
    ),
    "sequences": lambda: SequentialClassifier(
        [Bidirectional(GRU(2, return_sequences=True), "ave"), LSTM(2)], max_iter=1
    ).fit([rng.normal(size=(n, 2)) for n in rng.integers(2, 5, 40)], NAMES),
    "tokens": lambda: SequentialRegressor([Embedding(5, 2), GRU(2)], max_iter=1).fit(
        rng.integers(0, 5, (40, 4)), X[:, 0]
    ),
}


@pytest.fixture(params=MODELS)
def model(request):
    return to_onnx(MODELS[request.param]())


def check_refused_or_sound(path):
    """Whether a file is refused; a network that is made of it must have finite weights, and train or refuse to."""
    try:
        made = from_onnx(path, max_iter=1)
    except ValueError as error:
        assert type(error) is ValueError
        assert str(error).startswith(f"{path} cannot be taken over: ")
        return True
    assert all(np.isfinite(array).all() for of_layer in made.weights_ for array in of_layer.values())
    return False


def test_cut_and_damaged_bytes(model, tmp_path):
    path, data = tmp_path / "model.onnx", model.SerializeToString()
    path.write_bytes(data)
    assert not check_refused_or_sound(path)
    for n in range(0, len(data) - 1, max(1, len(data) // 200)):
        path.write_bytes(data[:n])
        check_refused_or_sound(path)
    of_mutants = np.random.default_rng(1)
    for _ in range(N_MUTANTS):
        mutant = bytearray(data)
        for _ in range(of_mutants.integers(1, 4)):
            i = int(of_mutants.integers(len(mutant)))
            kind = of_mutants.integers(3)
            if kind == 0:
                mutant[i] = int(of_mutants.integers(256))
            elif kind == 1:
                mutant[i:i] = of_mutants.bytes(int(of_mutants.integers(1, 9)))
            else:
                del mutant[i : i + int(of_mutants.integers(1, 9))]
        path.write_bytes(bytes(mutant))
        check_refused_or_sound(path)


NUMBERS = [0, 1, -1, 2, 3, 7, 2**31, 2**40, 2**62, -(2**62)]


def damage(of_mutants, graph):
    """Change something that a graph says."""
    nodes, node = graph.node, graph.node[of_mutants.integers(len(graph.node))]
    constant = graph.initializer[of_mutants.integers(len(graph.initializer))]
    number = int(of_mutants.choice(NUMBERS))
    kind = of_mutants.integers(11)
    if kind == 0 and node.input:
        names = [name for each in nodes for name in (*each.input, *each.output)]
        node.input[of_mutants.integers(len(node.input))] = str(of_mutants.choice(names))
    elif kind == 1:
        node.op_type = str(of_mutants.choice([each.op_type for each in nodes]))
    elif kind == 2 and node.attribute:
        attribute = node.attribute[of_mutants.integers(len(node.attribute))]
        attribute.i = number
        attribute.ints.append(number)
    elif kind == 3 and node.attribute:
        attribute = node.attribute[of_mutants.integers(len(node.attribute))]
        attribute.type = int(of_mutants.integers(1, 15))
    elif kind == 4 and constant.dims:
        constant.dims[of_mutants.integers(len(constant.dims))] = number
    elif kind == 5:
        constant.data_type = int(of_mutants.integers(0, 20))
    elif kind == 6:
        constant.raw_data = of_mutants.bytes(int(of_mutants.integers(0, 99)))
    elif kind == 7:
        dims = graph.input[0].type.tensor_type.shape.dim
        dims[of_mutants.integers(len(dims))].dim_value = number
    elif kind == 8:
        del nodes[of_mutants.integers(len(nodes))]
    elif kind == 9 and node.input:
        del node.input[of_mutants.integers(len(node.input)) :]
    elif node.output:
        node.output[of_mutants.integers(len(node.output))] = nodes[of_mutants.integers(len(nodes))].output[0]


def test_damaged_graphs(model, tmp_path):
    path, of_mutants, n_sound = tmp_path / "model.onnx", np.random.default_rng(2), 0
    tracemalloc.start()
    try:
        for _ in range(N_MUTANTS):
            mutant = copy.deepcopy(model)
            for _ in range(of_mutants.integers(1, 3)):
                if mutant.graph.node:
                    damage(of_mutants, mutant.graph)
            path.write_bytes(mutant.SerializeToString())
            n_sound += not check_refused_or_sound(path)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
    assert n_sound < N_MUTANTS / 2
