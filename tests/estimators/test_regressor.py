"""MLPRegressor: its losses' best answers, quantiles, several targets, and what it refuses."""

import numpy as np
import pytest
import scipy.sparse
from sklearn.metrics import d2_pinball_score, r2_score

from fastnn import MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def data(rng):
    X = rng.uniform(-1, 1, (300, 3))
    return X, X[:, 0] ** 2 - X[:, 1] + 0.1 * rng.normal(size=300)


def constant(loss, y, **parameters):
    """What a network of a single bias predicts when trained on y: the constant that makes the loss small."""
    model = MLPRegressor(
        loss, (), solver="sgd", momentum=0, learning_rate_init=0.5, learning_rate="adaptive", alpha=0, tol=1e-9,
        batch_size=len(y), max_iter=2000, random_state=0, **parameters,
    )  # fmt: skip
    return model.fit(np.zeros((len(y), 1)), y).predict([[0.0]])[0]


def test_each_losses_best_answer(rng):
    y = rng.exponential(2.0, 501)
    assert constant("squared_error", y) == pytest.approx(y.mean(), abs=1e-3)
    assert constant("absolute_error", y) == pytest.approx(np.median(y), abs=2e-2)
    assert constant("quantile", y, quantile=0.9) == pytest.approx(np.quantile(y, 0.9), abs=5e-2)
    assert constant("poisson", y) == pytest.approx(y.mean(), abs=1e-3)
    assert constant("huber", y, huber_delta=100.0) == pytest.approx(y.mean(), abs=1e-3)
    centre = constant("huber", y, huber_delta=0.5)
    assert np.clip(centre - y, -0.5, 0.5).mean() == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
@pytest.mark.parametrize("solver", ["sgd", "rmsprop", "adam", "adamw", "adagrad", "lbfgs"])
def test_it_learns(solver, loss, data):
    X, y = data
    rate = {"sgd": 0.05, "adagrad": 0.05}.get(solver, 0.01)
    model = MLPRegressor(loss, (32,), solver=solver, learning_rate_init=rate, max_iter=200, random_state=0)
    assert model.fit(X, y).score(X, y) > 0.9
    assert model.score(X, y) == r2_score(y, model.predict(X))


def test_several_quantiles_at_once(data):
    X, y = data
    quantiles = [0.1, 0.5, 0.9]
    model = MLPRegressor("quantile", (32,), quantile=quantiles, learning_rate_init=0.01, random_state=0).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == (300, 3)
    for i, quantile in enumerate(quantiles):
        assert np.mean(y < predicted[:, i]) == pytest.approx(quantile, abs=0.07)
    scores = [d2_pinball_score(y, predicted[:, i], alpha=q) for i, q in enumerate(quantiles)]
    assert model.score(X, y) == pytest.approx(np.mean(scores))
    both = MLPRegressor("quantile", (32,), quantile=quantiles, learning_rate_init=0.01, random_state=0)
    both.fit(X, np.stack([y, -y], axis=1))
    assert both.predict(X).shape == (300, 2, 3)
    assert both.score(X, np.stack([y, -y], axis=1)) > 0.5
    for i, quantile in enumerate(quantiles):
        assert np.mean(-y < both.predict(X)[:, 1, i]) == pytest.approx(quantile, abs=0.1)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "u1", "f2", ">f8", "?", "O"])
def test_targets_of_any_type(rng, dtype):
    X, y = rng.normal(size=(60, 3)), rng.integers(0, 2, 60)
    same = MLPRegressor(hidden_layer_sizes=(5,), max_iter=5, random_state=0).fit(X, y.astype(float))
    model = MLPRegressor(hidden_layer_sizes=(5,), max_iter=5, random_state=0).fit(X, y.astype(dtype))
    np.testing.assert_array_equal(model.predict(X), same.predict(X))


def test_shapes(data):
    X, y = data
    for targets, shape in ((y, (300,)), (np.stack([y, -y], axis=1), (300, 2))):
        model = MLPRegressor(hidden_layer_sizes=(5,), max_iter=2).fit(X, targets)
        assert model.predict(X).shape == shape
        assert model.n_outputs_ == len(np.atleast_1d(targets[0]))
    with pytest.warns(UserWarning, match="column-vector y"):
        assert model.set_params(warm_start=False).fit(X, y[:, None]).predict(X).shape == (300,)


@pytest.mark.parametrize(
    ("activation", "low", "high"), [("logistic", 0, 1), ("softplus", 0, np.inf), ("tanh", -1, 1), ("exp", 0, np.inf)]
)
@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_predictions_in_a_range(loss, activation, low, high, data):
    X, y = data
    y = 0.05 + 0.9 * (y - y.min()) / np.ptp(y)
    model = MLPRegressor(loss, (32,), output_activation=activation, learning_rate_init=0.02, random_state=0).fit(X, y)
    far = 100 * X
    assert ((model.predict(far) >= low) & (model.predict(far) <= high)).all()
    assert model.out_activation_ == activation
    assert model.score(X, y) > 0.7


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"loss": "hinge"},
            "'loss' parameter (?=.*'absolute_error')(?=.*'huber')(?=.*'poisson')(?=.*'quantile')(?=.*'squared_error')",
        ),
        ({"loss": "quantile", "quantile": [0.5, 1.0]}, r"quantile must be in \(0, 1\)"),
        ({"loss": "quantile", "quantile": 1.5}, "'quantile' parameter"),
        ({"huber_delta": 0}, "'huber_delta' parameter"),
        ({"output_activation": "softmax"}, "'output_activation' parameter"),
        (
            {"loss": "poisson", "output_activation": "softplus"},
            "output_activation must be None or 'exp' with loss='poisson', got 'softplus'",
        ),
    ],
)
def test_bad_parameters(parameters, message, data):
    with pytest.raises(ValueError, match=message):
        MLPRegressor(**parameters).fit(*data)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array(["a", "b"] * 150), "y must be numbers, got <U1"),
        (np.full(300, "2026-11-23", "M8[D]"), "y must be numbers, got datetime64"),
        (np.full(300, np.nan), "Input y contains NaN"),
        (np.full(300, 1j), "Complex data not supported"),
        (np.zeros((300, 2, 2)), "Found array with dim 3|y should be a 1d array|inconsistent|dim 3"),
        (np.zeros(299), "inconsistent numbers of samples"),
    ],
)
def test_bad_targets(y, message, data):
    with pytest.raises(ValueError, match=message):
        MLPRegressor(max_iter=2).fit(data[0], y)


def test_sparse_targets(data):
    """Of one column scikit-learn speaks, too."""
    X, y = data
    for wrong in (np.stack([y, -y], axis=1), y[:, None]):
        with pytest.raises(TypeError, match=r"toarray\(\)"):
            MLPRegressor(max_iter=2).fit(X, scipy.sparse.csr_array(wrong))


def test_poisson_is_for_counts(data):
    with pytest.raises(ValueError, match="y must be at least 0 with loss='poisson', which is for counts, got -"):
        MLPRegressor("poisson").fit(*data)


def test_going_on_needs_as_many_targets(data):
    X, y = data
    model = MLPRegressor(hidden_layer_sizes=(5,), max_iter=2).fit(X, y)
    for resuming in (model.partial_fit, model.set_params(warm_start=True).fit):
        with pytest.raises(ValueError, match="y must have 1 columns, as in the first fit, got 2"):
            resuming(X, np.stack([y, y], axis=1))


@pytest.mark.parametrize("changes", [{"quantile": [0.1, 0.5, 0.9]}, {"quantile": 0.5}, {"loss": "huber"}], ids=str)
def test_going_on_needs_as_many_quantiles(changes, data):
    model = MLPRegressor("quantile", (5,), quantile=[0.1, 0.9], max_iter=2).fit(*data)
    model.set_params(quantile=[0.2, 0.8]).partial_fit(*data)
    model.set_params(warm_start=True, **changes)
    for resuming in (model.partial_fit, model.fit):
        with pytest.raises(ValueError, match=r"loss and quantile must need 2 outputs .* got loss='\w+' and quantile="):
            resuming(*data)


@pytest.mark.parametrize(
    ("X_dtype", "y_dtype", "computed_in"),
    [
        ("u1", "i8", "f8"), ("u1", "f8", "f8"), ("f2", "f8", "f8"), ("?", "u4", "f8"),
        ("u1", "i2", "f4"), ("f2", "f4", "f4"), ("f4", "f8", "f4"), ("f8", "f4", "f8"),
    ],
)  # fmt: skip
def test_the_type_that_holds_x_and_y(X_dtype, y_dtype, computed_in, rng):
    X = rng.integers(0, 2, (60, 3)).astype(X_dtype)
    y = (100 + X @ np.array([1, 2, 5])).astype(y_dtype)
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=2).fit(X, y)
    assert model.predict(X).dtype == computed_in


def test_large_numbers_of_small_ones(rng):
    """Which float32 would round."""
    X = rng.integers(0, 2, (200, 3)).astype(bool)
    y = 20_000_000 + X @ np.array([1, 2, 5])
    model = MLPRegressor(hidden_layer_sizes=(), solver="lbfgs", alpha=0, max_iter=2000, tol=1e-10, random_state=0)
    assert model.fit(X, y).score(X, y) > 0.9999
