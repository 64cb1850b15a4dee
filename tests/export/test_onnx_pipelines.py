"""Pipelines of scikit-learn's with networks of fastnn's, converted by skl2onnx."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

skl2onnx = pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from fastnn import (  # noqa: E402
    MLPClassifier,
    MLPRegressor,
    ModularClassifier,
    ModularRegressor,
    Perceptron,
    SequentialClassifier,
    SequentialRegressor,
)
from fastnn.export import register_skl2onnx  # noqa: E402
from fastnn.layers import Conv1D, Embedding, Flatten  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

rng = np.random.default_rng(0)
X = rng.normal(3, 2, size=(60, 8))
Y = np.array(["a", "b", "c"])[rng.integers(0, 3, 60)]
SHORT = {"max_iter": 2, "random_state": 0}
CLASSIFIERS = {
    "mlp": MLPClassifier((5,), **SHORT),
    "convolution": SequentialClassifier([Conv1D(3, 3), Flatten()], input_shape=(8, 1), **SHORT),
    "perceptron": Perceptron(),
    "modular": ModularClassifier(
        [(n, MLPClassifier((3,), **SHORT), columns) for n, columns in zip("ab", ([1, 2], [3]), strict=False)]
    ),
}
NETWORK = MLPRegressor(hidden_layer_sizes=(5,), **SHORT)
REGRESSORS = {
    "mlp": (NETWORK, X[:, 0]),
    "three numbers": (NETWORK, X[:, :3]),
    "convolution": (SequentialRegressor([Conv1D(3, 3), Flatten()], input_shape=(8, 1), **SHORT), X[:, 0]),
    "modular": (ModularRegressor([("a", NETWORK, [1, 2])]), X[:, 0]),
}


@pytest.fixture(autouse=True, scope="module")
def registered():
    register_skl2onnx()
    register_skl2onnx()  # a second time does no harm


def converted(pipeline, X, **settings):
    made = skl2onnx.to_onnx(pipeline, X[:1], target_opset=18, **settings)
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"X": X})


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("y", [Y, Y == "a"], ids=["multiclass", "binary"])
def test_classifiers(name, y):
    pipeline = make_pipeline(StandardScaler(), CLASSIFIERS[name]).fit(X, y)
    label, scores = converted(pipeline, X.astype(np.float32), options={"zipmap": False})
    assert (label == pipeline.predict(X)).all()
    expected = pipeline.predict_proba(X) if hasattr(pipeline, "predict_proba") else pipeline.decision_function(X)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
    if np.ndim(expected) == 2:
        _, by_label = converted(pipeline, X.astype(np.float32))
        assert by_label[3].keys() == set(pipeline.classes_)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors(name, dtype):
    if (name, dtype) == ("convolution", "float64"):
        pytest.skip("onnxruntime has no Conv of float64")
    model, y = REGRESSORS[name]
    pipeline = make_pipeline(StandardScaler(), model).fit(X, y)
    (got,) = converted(pipeline, X.astype(dtype))
    assert got.dtype == dtype
    np.testing.assert_allclose(got, pipeline.predict(X).reshape(got.shape), atol=1e-5 if dtype == "float32" else 1e-12)


def test_tokens_are_whole_numbers():
    tokens = rng.integers(0, 9, (60, 4))
    model = SequentialClassifier([Embedding(9, 2), Flatten()], **SHORT).fit(tokens, Y)
    for given in tokens, tokens.astype(np.float32):
        label, _ = converted(model, given, options={"zipmap": False})
        assert (label == model.predict(tokens)).all()


def test_what_a_pipeline_cannot_have():
    columns = MLPClassifier((3,), **SHORT).fit(X, np.stack([Y, Y], axis=1))
    with pytest.raises(ValueError, match="must have one column of targets in a pipeline, got 2"):
        skl2onnx.to_onnx(columns, X[:1], target_opset=18, options={"zipmap": False})
    with pytest.raises(ValueError, match="target_opset must be at least 18 for fastnn, got 15"):
        skl2onnx.to_onnx(CLASSIFIERS["mlp"].fit(X, Y), X[:1], target_opset=15)
