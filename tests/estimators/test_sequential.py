"""Networks of layers: a chain of dense layers is an MLP to the bit; training that resumes; weights and conversion."""

import itertools
import pickle

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from fastnn import MLPClassifier, MLPRegressor, SequentialClassifier, SequentialRegressor, load, save
from fastnn.layers import (
    Activation,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalMaxPooling1D,
    LayerNormalization,
    Reshape,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N, N_FEATURES = 120, 12
SOLVERS = {
    "sgd": {"solver": "sgd", "learning_rate_init": 0.05},
    "adam": {"solver": "adam", "clip_norm": 1.0},
    "adamw": {"solver": "adamw", "early_stopping": True},
    "rmsprop": {"solver": "rmsprop"},
}


@pytest.fixture
def X(rng):
    return rng.normal(size=(N, N_FEATURES))


@pytest.fixture
def y(X):
    return np.digitize(X[:, 0] + X[:, 1] * X[:, 2], [-1, 0, 1])


def same_bits(one, other, X):
    assert one._network.parameters.tobytes() == other._network.parameters.tobytes()
    assert one.loss_curve_ == other.loss_curve_
    predict = "predict_proba" if hasattr(one, "predict_proba") else "predict"
    assert getattr(one, predict)(X).tobytes() == getattr(other, predict)(X).tobytes()
    return True


@pytest.mark.parametrize("parameters", SOLVERS.values(), ids=SOLVERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dense_layers_with_dropout_are_an_mlp(parameters, dtype, X, y):
    parameters = {"max_iter": 6, "random_state": 3, "batch_size": 32, "dtype": dtype} | parameters
    for sequential, mlp in ((SequentialClassifier, MLPClassifier), (SequentialRegressor, MLPRegressor)):
        layers = [Dense(20), Dropout(0.2), Dense(10, "relu"), Dropout(0.5)]
        one = sequential(layers, **parameters).fit(X, y)
        other = mlp(hidden_layer_sizes=(20, 10), dropout=[0.2, 0.5], **parameters).fit(X, y)
        assert same_bits(one, other, X)
        for kernel, coef in zip([w["kernel"] for w in one.weights_ if w], other.coefs_, strict=True):
            assert kernel.tobytes() == coef.tobytes()


@pytest.mark.parametrize(
    ("layers", "parameters"),
    [
        ([Dense(100)], {"hidden_layer_sizes": (100,)}),
        ((), {"hidden_layer_sizes": ()}),
        ([Dense(9, "sigmoid"), Dense(8, "logistic")], {"hidden_layer_sizes": (9, 8), "activation": "logistic"}),
        ([Dense(9, None), Activation("tanh"), None], {"hidden_layer_sizes": (9,), "activation": "tanh"}),
        ([Flatten(), Dense(9, "swish"), Dropout(0)], {"hidden_layer_sizes": (9,), "activation": "silu"}),
    ],
    ids=str,
)
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_dense_layers_are_an_mlp(layers, parameters, solver, X, y):
    settings = {"solver": solver, "max_iter": 5, "random_state": 0}
    one = SequentialClassifier(layers, **settings).fit(X, y)
    assert same_bits(one, MLPClassifier(**parameters, **settings).fit(X, y), X)


def test_training_resumes(X, y):
    layers = [Dense(20, None), Activation("tanh"), Dropout(0.2)]
    model = SequentialClassifier(layers, max_iter=3, warm_start=True, random_state=0)
    whole = SequentialClassifier(layers, max_iter=6, warm_start=True, random_state=0).fit(X, y)
    part = pickle.loads(pickle.dumps(model.fit(X, y)))
    assert same_bits(model.fit(X, y), whole, X)
    assert same_bits(part.fit(X, y), whole, X)
    with pytest.raises(ValueError, match="the layers must be those of the fitted network to resume training"):
        model.set_params(layers=[Dense(21)]).fit(X, y)
    assert same_bits(model, whole, X)


class TestOtherLayersLearn:
    """As Keras's fine-tuning does: a part of the network is frozen or thawed between two fits."""

    LAYERS = ([Dense(20, "tanh"), Dropout(0.2), Dense(10)], [Conv1D(4, 3), LayerNormalization(), Flatten()])

    @pytest.mark.parametrize("layers", LAYERS, ids=str)
    @pytest.mark.parametrize(
        ("solver", "method"), [("sgd", "fit"), ("adam", "fit"), ("lbfgs", "fit"), ("adam", "partial_fit")]
    )
    def test_frozen_and_thawed(self, layers, solver, method, X, y):
        layers = [layer for layer in layers if solver != "lbfgs" or not isinstance(layer, Dropout)]
        model = SequentialRegressor(layers, warm_start=True, solver=solver, max_iter=3, random_state=0)
        weights = []
        for trainable in (True, False, True):
            model.set_params(layers__0__trainable=trainable)
            weights.append(getattr(model, method)(X, y).weights_)
        assert len(model.loss_curve_) == (3 if method == "partial_fit" else 9)
        for name in weights[0][0]:
            assert weights[0][0][name].tobytes() == weights[1][0][name].tobytes()
            assert not np.array_equal(weights[1][0][name], weights[2][0][name])
        for one, other in itertools.pairwise(weights):
            assert not np.array_equal(one[-1]["kernel"], other[-1]["kernel"])

    def test_the_optimizer_remembers_what_still_learns(self, X, y):
        model = SequentialRegressor([Dense(20), Dense(10, trainable=False)], random_state=0, shuffle=False)
        before = model.partial_fit(X, y)._trainer
        n_steps = before.optimizer.step_count
        other = SequentialRegressor([Dense(20, trainable=False), Dense(10)]).partial_fit(X, y)._network
        after = before.copy_for(other)
        assert after.optimizer.step_count == n_steps
        for old, new in zip(before.memories, after.memories, strict=True):
            old, new = before.network.unpack(old), after.network.unpack(new)
            assert old[0].any()
            assert not new[0].any()  # it learns no more
            assert not old[2].any()
            assert not new[2].any()  # it begins to learn
            assert new[4].tobytes() == old[4].tobytes() != bytes(old[4].nbytes)
        model.set_params(layers=[Dense(20, trainable=False), Dense(10)]).partial_fit(X, y)
        assert model._trainer.optimizer.step_count == 2 * n_steps
        assert before.optimizer.step_count == n_steps

    def test_a_fit_that_fails_leaves_the_model_as_it_was(self, X, y):
        layers = [Dense(20), Dense(10)]
        settings = {"warm_start": True, "max_iter": 3, "random_state": 0}
        model = SequentialClassifier(layers, **settings).fit(X, y)
        other = SequentialClassifier(layers, **settings).fit(X, y)
        model.set_params(layers__0__trainable=False)
        with pytest.raises(ValueError, match="Training diverged"):
            model.set_params(learning_rate_init=1e300).fit(X, y)
        assert same_bits(model, other, X)
        model.set_params(learning_rate_init=0.001, layers=layers)
        assert same_bits(model.fit(X, y), other.fit(X, y), X)

    def test_a_file_in_between(self, X, y, tmp_path):
        model = SequentialClassifier([Dense(20), Dense(10)], warm_start=True, max_iter=3, random_state=0).fit(X, y)
        save(model, tmp_path / "model.safetensors")
        loaded = load(tmp_path / "model.safetensors")
        for each in (model, loaded):
            each.set_params(layers__1__trainable=False).fit(X, y)
        assert same_bits(model, loaded, X)

    def test_other_changes_are_refused(self, X, y):
        model = SequentialClassifier([Dense(20)], warm_start=True, max_iter=3).fit(X, y)
        for layers in ([Dense(20, use_bias=False)], [Dense(20, "tanh", trainable=False)], [Dense(20), Dense(20)]):
            with pytest.raises(ValueError, match="the layers must be those of the fitted network to resume training"):
                model.set_params(layers=layers).fit(X, y)


class TestWeights:
    @pytest.fixture
    def model(self, X, y):
        layers = [Dense(9, use_bias=False), Dropout(0.1), Dense(5, trainable=False)]
        return SequentialClassifier(layers, max_iter=3, random_state=0).fit(X, y)

    def test_names_and_shapes(self, model):
        shapes = [{name: array.shape for name, array in weights.items()} for weights in model.weights_]
        assert shapes == [{"kernel": (12, 9)}, {}, {"kernel": (9, 5), "bias": (5,)}, {"kernel": (5, 4), "bias": (4,)}]

    def test_they_are_read_only_copies(self, model):
        with pytest.raises(ValueError, match="read-only"):
            model.weights_[0]["kernel"][:] = 0
        with pytest.raises(AttributeError, match="not fitted yet, so it has no weights"):
            SequentialClassifier().weights_  # noqa: B018

    def test_they_can_be_assigned(self, model, X):
        weights = [{name: 2 * array for name, array in layer.items()} for layer in model.weights_]
        before = model.predict_proba(X)
        model.weights_ = weights
        for ours, given in zip(model.weights_, weights, strict=True):
            for name in given:
                np.testing.assert_array_equal(ours[name], given[name])
        assert (model.predict_proba(X) != before).any()
        model.partial_fit(X, model.predict(X))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda w: w[:-1], "weights must be a list of 4 dicts, the output layer's last, got 3 of them"),
            (lambda w: 5, "weights must be a list of 4 dicts, the output layer's last, got 5"),
            (lambda w: [w[0], w[0], *w[2:]], r"weights\[1\] must be a dict with the names \[\], got \['kernel'\]"),
            (lambda w: [{"kernel": w[0]["kernel"].T}, *w[1:]], r"weights\[0\]\['kernel'\] must have shape \(12, 9\)"),
            (lambda w: [{"kernel": np.full((12, 9), np.nan)}, *w[1:]], r"weights\[0\]\['kernel'\] must be finite"),
        ],
    )  # fmt: skip
    def test_what_is_refused(self, model, change, message):
        before = model._network
        with pytest.raises(ValueError, match=message):
            model.weights_ = change(list(model.weights_))
        assert model._network is before

    def test_without_training_or_without_bias(self, model, X, y):
        start = SequentialClassifier(model.layers, random_state=0, learning_rate_init=1e-300, max_iter=1).fit(X, y)
        for name in ("kernel", "bias"):
            assert model.weights_[2][name].tobytes() == start.weights_[2][name].tobytes()
        assert model.weights_[0]["kernel"].tobytes() != start.weights_[0]["kernel"].tobytes()

    @pytest.mark.parametrize("solver", ["adam", "adamw", "sgd", "lbfgs"])
    def test_no_solver_changes_what_is_not_trained(self, solver, X, y):
        layers = [Dense(9), Dense(5, trainable=False)]
        models = [
            SequentialClassifier(layers, solver=solver, random_state=0, max_iter=n, alpha=0.5).fit(X, y) for n in (1, 5)
        ]
        one, other = (model.weights_ for model in models)
        assert all(one[1][name].tobytes() == other[1][name].tobytes() for name in ("kernel", "bias"))
        assert one[0]["kernel"].tobytes() != other[0]["kernel"].tobytes()

    def test_those_of_dense_layers_are_an_mlps_too(self, model, X, y):
        with pytest.raises(AttributeError, match=r"must be those of dense layers with biases, got .*: see weights_"):
            model.coefs_  # noqa: B018
        with pytest.raises(AttributeError, match="must be those of dense layers with biases"):
            model.intercepts_ = []
        dense = SequentialClassifier([Dense(4), Dropout(0.1)], max_iter=3).fit(X, y)
        mlp = MLPClassifier.from_weights(dense.coefs_, dense.intercepts_, classes=dense.classes_)
        assert mlp.predict_proba(X).tobytes() == dense.predict_proba(X).tobytes()
        dense.coefs_ = [2 * coef for coef in dense.coefs_]
        np.testing.assert_array_equal(dense.weights_[0]["kernel"], 2 * mlp.coefs_[0])
        with pytest.raises(ValueError, match=r"coefs\[0\] must have shape \(12, 4\), got \(4, 12\): it is transposed"):
            dense.coefs_ = [dense.coefs_[0].T, dense.coefs_[1]]

    def test_from_weights(self, model, X):
        again = SequentialClassifier.from_weights(model.layers, model.weights_, classes=model.classes_, random_state=0)
        assert again.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
        assert again.n_features_in_ == N_FEATURES
        with pytest.raises(ValueError, match=r"weights\[3\]\['bias'\] must have shape \(3,\) for the classes"):
            SequentialClassifier.from_weights(model.layers, model.weights_, classes=[1, 2, 3])
        with pytest.raises(ValueError, match="weights must be a list of dicts"):
            SequentialClassifier.from_weights(model.layers, [])
        with pytest.raises(ValueError, match=r"input_shape must be a tuple of integers for layers\[0\], Conv2D"):
            SequentialClassifier.from_weights([Conv2D(3, 3)], model.weights_)
        with pytest.raises(ValueError, match=r"weights\[1\] must be the output layer's, with the names .*, got \[\]"):
            SequentialClassifier.from_weights(model.layers, model.weights_[:2])
        for wrong in [("a", "b"), ([3], [2, 2])]:
            with pytest.raises(ValueError, match=r"input_shape must be a tuple of 1 to 3 integers .*, got \("):
                SequentialClassifier.from_weights(model.layers, model.weights_, input_shape=wrong)
        regressor = SequentialRegressor.from_weights(model.layers, model.weights_, input_shape=(3, 4))
        assert regressor.predict(X.reshape(N, 3, 4)).shape == (N, 4)

    def test_reshape_says_how_many_columns_there_are(self, X, y):
        layers = [None, Reshape((3, 4)), Conv1D(5, 2), GlobalMaxPooling1D()]
        model = SequentialClassifier(layers, max_iter=2, random_state=0).fit(X, y)
        again = SequentialClassifier.from_weights(layers, model.weights_)
        assert again.n_features_in_ == N_FEATURES
        assert again.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()


class TestHiddenActivations:
    def test_of_each_layer(self, X, y):
        layers = [Dense(9, None), Activation("tanh"), None, Dropout(0.4), Dense(6)]
        model = SequentialClassifier(layers, max_iter=3, random_state=0).fit(X, y)
        sums = X @ model.weights_[0]["kernel"] + model.weights_[0]["bias"]
        hidden = np.tanh(sums)
        last = np.maximum(hidden @ model.weights_[4]["kernel"] + model.weights_[4]["bias"], 0)
        for i, expected in [(1, hidden), (2, hidden), (3, hidden), (4, last), (-1, last), (-4, hidden)]:
            np.testing.assert_allclose(model.hidden_activations(X, i), expected, atol=1e-14)
        assert model.hidden_activations(X).shape == (N, 6)

    def test_what_is_refused(self, X, y):
        model = SequentialClassifier(max_iter=2).fit(X, y)
        with pytest.raises(ValueError, match=r"layer must be at least -1 and less than 1, .*, got 1"):
            model.hidden_activations(X, 1)
        with pytest.raises(TypeError, match="layer must be an integer"):
            model.hidden_activations(X, "0")
        with pytest.raises(ValueError, match="but the network has only the output layer, got -1"):
            SequentialClassifier([], max_iter=2).fit(X, y).hidden_activations(X)
        with pytest.raises(NotFittedError):
            SequentialClassifier().hidden_activations(X)


@pytest.mark.parametrize("layers", [[Dense(9), Dropout(0.2)], [BatchNormalization(), Dense(9)]], ids=str)
def test_lbfgs_needs_a_sum_over_samples(layers, X, y):
    i = next(i for i, layer in enumerate(layers) if not isinstance(layer, Dense))
    with pytest.raises(
        ValueError, match=rf"layers\[{i}\] must be a layer .* with solver='lbfgs', got {type(layers[i]).__name__}"
    ):
        SequentialClassifier(layers, solver="lbfgs").fit(X, y)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([Dense(3), 5], r"layers\[1\] must be a layer of fastnn.layers, such as Dense\(100\), or None, got 5"),
        ([Dense(0)], r"layers\[0\].units must be an integer from 1 to 2\*\*31 - 1, got 0"),
        ([Conv2D(3, 3)], r"X must have shape \(n_samples, height, width, channels\) for layers\[0\]"),
        ([Reshape((5, 5))], r"layers\[0\].target_shape must have 12 numbers"),
        (Dense(3), "The 'layers' parameter of SequentialClassifier must be an instance of"),
    ],
)
def test_wrong_layers_raise_in_fit(layers, message, X, y):
    model = SequentialClassifier(layers)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y)
    assert not hasattr(model, "classes_")


class TestConversion:
    @pytest.mark.parametrize("mlp", [MLPClassifier, MLPRegressor])
    def test_from_and_to_sklearn(self, mlp, X, y):
        sequential = SequentialClassifier if mlp is MLPClassifier else SequentialRegressor
        layers = [Dense(9, "tanh"), Dropout(0.1), Dense(8, "tanh")]
        model = sequential(layers, max_iter=3, random_state=0).fit(X, y)
        theirs = model.to_sklearn()
        assert theirs.hidden_layer_sizes == (9, 8)
        np.testing.assert_allclose(theirs.predict(X), model.predict(X))
        again = sequential.from_sklearn(theirs)
        assert again.layers == [Dense(9, "tanh"), Dense(8, "tanh")]
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        assert again.loss_curve_ == model.loss_curve_
        again.partial_fit(X, y)

    @pytest.mark.parametrize(
        ("layers", "message"),
        [
            ([Dense(3), Dense(3, use_bias=False)], r"layers\[1\] must be a Dense with biases, or a Dropout, "),
            ([Dense(3, "relu"), Dense(3, "tanh")], "activation must be one of identity, logistic, tanh, relu for all"),
            ([Flatten(), Dense(3)], r"layers\[0\] must be a Dense with biases, or a Dropout, .*, got Flatten\(\)"),
        ],
    )  # fmt: skip
    def test_what_scikit_learn_does_not_have(self, layers, message, X, y):
        model = SequentialClassifier(layers, max_iter=2).fit(X, y)
        with pytest.raises(ValueError, match=message):
            model.to_sklearn()
