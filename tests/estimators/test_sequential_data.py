"""X of networks of layers: what has several axes is its rows, and what is sparse has the bits of a dense one."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

from fastnn import SequentialClassifier, SequentialRegressor
from fastnn.layers import (
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling1D,
    LayerNormalization,
    Rescaling,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N, N_FEATURES = 120, 12


@pytest.fixture
def X(rng):
    return rng.normal(size=(N, N_FEATURES))


@pytest.fixture
def y(X):
    return np.digitize(X[:, 0] + X[:, 1] * X[:, 2], [-1, 0, 1])


class TestSeveralAxes:
    @pytest.mark.parametrize("shape", [(3, 4), (2, 2, 3)])
    def test_without_a_layer_that_says_what_X_is_samples_are_flattened(self, shape, X, y):
        images = X.reshape(N, *shape)
        model = SequentialClassifier([Dense(9)], max_iter=4, random_state=0, early_stopping=True).fit(images, y)
        other = SequentialClassifier([Dense(9)], max_iter=4, random_state=0, early_stopping=True).fit(X, y)
        assert model.predict_proba(images).tobytes() == other.predict_proba(X).tobytes()
        assert model.input_shape_ == shape
        assert not hasattr(model, "n_features_in_")
        assert other.input_shape_ == (N_FEATURES,)
        assert other.n_features_in_ == N_FEATURES
        with pytest.raises(ValueError, match=rf"X must have shape \(n_samples, {str(shape)[1:-1]}\), as in fit, got"):
            model.predict(X)
        with pytest.raises(ValueError, match=r"X must have shape \(n_samples, 12\), as in fit, got \(n_samples, "):
            other.predict(images)

    def test_a_scorer_gets_the_shape_of_X(self, X, y):
        shapes = set()

        def scorer(model, X, y):
            shapes.add(X.shape[1:])
            return model.score(X, y)

        settings = {"max_iter": 2, "early_stopping": True, "scoring": scorer}
        SequentialClassifier([Dense(9)], **settings).fit(X.reshape(N, 3, 4), y)
        SequentialClassifier([Dense(9)], **settings).fit(X, y)
        assert shapes == {(3, 4), (12,)}

    def test_input_shape(self, X, y):
        model = SequentialClassifier([Dense(9)], input_shape=[3, 4], max_iter=2, random_state=0).fit(X, y)
        assert model.input_shape_ == (3, 4)
        assert model.n_features_in_ == N_FEATURES
        assert (model.predict(X.reshape(N, 3, 4)) == model.predict(X)).all()
        with pytest.raises(ValueError, match=r"input_shape must have 12 numbers, as X has columns, got \(3, 5\)"):
            model.set_params(input_shape=(3, 5)).fit(X, y)
        with pytest.raises(ValueError, match=r"X must have shape \(n_samples, 3, 5\), as input_shape says, got"):
            model.fit(X.reshape(N, 3, 4), y)
        with pytest.raises(ValueError, match=r"input_shape must be a tuple of 1 to 3 integers .*, got \(3, -4\)"):
            model.set_params(input_shape=(3, -4)).fit(X, y)

    def test_lists_and_whole_numbers(self, X, y):
        images = (10 * X).astype(np.int8).reshape(N, 3, 4)
        models = [
            SequentialClassifier([Dense(9)], max_iter=2, random_state=0).fit(Z, y) for Z in (images, images.tolist())
        ]
        assert (models[0].predict(images) == models[1].predict(images.tolist())).all()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda X: X.reshape(N, 3, 2, 2, 1), r"X must have 2 to 4 axes, got shape \(120, 3, 2, 2, 1\)"),
            (lambda X: np.where(X > 2, np.nan, X).reshape(N, 3, 4), "Input X contains NaN"),
            (lambda X: sp.coo_array(X.reshape(N, 3, 4)), "X must have 2 axes, got 3"),
            (lambda X: X.reshape(N, 3, 4)[:0], "Found array with 0 sample"),
            (lambda X: X[0], "Expected 2D array, got 1D array instead"),
            (lambda X: X.reshape(N, 3, 4)[:9], "inconsistent numbers of samples"),
        ],
    )
    def test_what_is_refused(self, change, message, X, y):
        with pytest.raises(ValueError, match=message):
            SequentialClassifier().fit(change(X), y)

    def test_one_sample_needs_an_axis_more(self, X, y):
        model = SequentialClassifier([Dense(9)], max_iter=2).fit(X.reshape(N, 3, 4), y)
        for sample in (X[0].reshape(3, 4), X[0].reshape(3, 4, 1)):
            with pytest.raises(ValueError, match=r"as in fit, got \(n_samples, 4.*\): pass X\[None\] if this is one"):
                model.predict(sample)

    def test_partial_fit(self, X, y):
        model = SequentialRegressor([Dense(5)], random_state=0)
        model.partial_fit(X.reshape(N, 3, 4), y).partial_fit(X.reshape(N, 3, 4, 1), y)
        with pytest.raises(
            ValueError, match=r"X must have shape \(n_samples, 3, 4\), as in fit, got \(n_samples, 4, 3\)"
        ):
            model.partial_fit(X.reshape(N, 4, 3), y)


class TestSparse:
    """A sparse X has the same bits as a dense one, where the first layer reads no entries."""

    @pytest.mark.parametrize(
        ("layers", "input_shape"),
        [
            ([Conv1D(4, 3), Flatten(), Dense(5)], None),
            ([Conv2D(4, 2), Flatten()], (3, 4)),
            ([Rescaling(0.5, -1.0), Dense(9)], None),
            ([Rescaling(2.0, 1.0), Conv1D(4, 3), GlobalAveragePooling1D()], (6, 2)),
            ([Dropout(0.2), Dense(9)], None),
            ([LayerNormalization(), Dense(9)], None),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("settings", [{}, {"early_stopping": True}, {"dtype": "float32"}], ids=str)
    def test_same_bits_as_dense(self, layers, input_shape, settings, X, y):
        settings = {"input_shape": input_shape, "max_iter": 3, "random_state": 0, "batch_size": 50} | settings
        dense = np.where(X > 0, X, 0)
        for form in (sp.csr_array, sp.coo_array):
            for estimator in (SequentialClassifier, SequentialRegressor):
                one = estimator(layers, **settings).fit(form(dense), y)
                other = estimator(layers, **settings).fit(dense, y)
                assert one._network.parameters.tobytes() == other._network.parameters.tobytes()
                assert one.loss_curve_ == other.loss_curve_
                assert one.predict(form(dense)).tobytes() == other.predict(dense).tobytes()
                for i in range(len(layers)):
                    got, expected = one.hidden_activations(form(dense), i), other.hidden_activations(dense, i)
                    assert got.tobytes() == expected.tobytes()

    def test_X_is_not_made_dense_as_a_whole(self):
        X = sp.random(3000, 20_000, 1e-4, "csr", random_state=0)  # 480 MB
        model = SequentialRegressor([Conv1D(2, 3, strides=50), Flatten()], max_iter=1, batch_size=10, n_threads=2)
        tracemalloc.start()
        model.fit(X, np.ones(3000)).predict(X)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 100e6

    def test_it_has_two_axes(self, X, y):
        model, stack = SequentialClassifier([Dense(3)], max_iter=2), sp.coo_array(X.reshape(N, 3, 4))
        with pytest.raises(ValueError, match="X must have 2 axes, got 3"):
            model.fit(stack, y)
        model.fit(X.reshape(N, 3, 4), y)
        with pytest.raises(ValueError, match="X must have 2 axes, got 3"):
            model.predict(stack)
        with pytest.raises(
            ValueError, match=r"X must have shape \(n_samples, 3, 4\), as in fit, got \(n_samples, 12\)"
        ):
            model.predict(sp.csr_array(X))
