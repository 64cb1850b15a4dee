"""A fresh fit on float64 data gives scikit-learn's model: the same numbers to rounding, the same words and end."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier

from fastnn import MLPClassifier

N_SAMPLES, N_FEATURES, N_EPOCHS = 97, 6, 20

SOLVERS = {
    "plain sgd": {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.1},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05},
    "nesterov": {"solver": "sgd", "nesterovs_momentum": True, "learning_rate_init": 0.05},
    "adam": {"solver": "adam", "learning_rate_init": 0.01},
}
ATTRIBUTES = ("n_iter_", "t_", "n_outputs_", "out_activation_", "n_layers_", "n_features_in_")

ignore_convergence = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def problem(kind="multiclass"):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_SAMPLES, N_FEATURES))
    scores = X @ rng.normal(size=(N_FEATURES, 4)) + 0.5 * rng.normal(size=(N_SAMPLES, 4))
    if kind == "multilabel":
        return X, (scores > 0.5).astype(int)
    if kind == "binary":
        return X, np.array(["no", "yes"])[(scores[:, 0] > 0).astype(int)]
    return X, scores.argmax(axis=1) * 3 - 2


def both(**parameters):
    parameters = {"hidden_layer_sizes": (9,), "batch_size": 16, "random_state": 3, "max_iter": N_EPOCHS} | parameters
    return MLPClassifier(**parameters), SklearnMLPClassifier(**parameters)


def assert_close(ours, theirs):
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6 * np.abs(theirs).max() if theirs.size else 0)


def assert_same_model(ours, theirs, X):
    for name in ATTRIBUTES:
        assert getattr(ours, name) == getattr(theirs, name), name
    np.testing.assert_array_equal(ours.classes_, theirs.classes_, strict=True)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-6)
    np.testing.assert_allclose([ours.loss_, ours.best_loss_], [theirs.loss_, theirs.best_loss_], rtol=1e-6)
    assert len(ours.coefs_) == len(theirs.coefs_)
    for our_arrays, their_arrays in ((ours.coefs_, theirs.coefs_), (ours.intercepts_, theirs.intercepts_)):
        for one, other in zip(our_arrays, their_arrays, strict=True):
            assert_close(one, other)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X), strict=True)
    assert_close(ours.predict_proba(X), theirs.predict_proba(X))
    # Not the logarithms themselves: that of a binary 1 - p near zero is mostly rounding.
    assert_close(np.exp(ours.predict_log_proba(X)), np.exp(theirs.predict_log_proba(X)))


@ignore_convergence
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
def test_fit(solver, activation, kind):
    X, y = problem(kind)
    ours, theirs = both(activation=activation, **solver)
    assert_same_model(ours.fit(X, y), theirs.fit(X, y), X)


@ignore_convergence
@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": 7},
        {"hidden_layer_sizes": (20, 10)},
        {"hidden_layer_sizes": (1, 33, 2), "activation": "tanh"},
        {"alpha": 0},
        {"alpha": 3.0},
        {"batch_size": 1, "max_iter": 3},
        {"batch_size": 7},
        {"batch_size": N_SAMPLES - 1},
        {"batch_size": N_SAMPLES},
        {"batch_size": "auto"},
        {"shuffle": False},
        {"shuffle": False, "solver": "sgd", "batch_size": 10},
        {"solver": "sgd", "momentum": 1.0, "max_iter": 5},
        {"beta_1": 0, "beta_2": 0.5, "epsilon": 1e-3},
        {"random_state": np.random.RandomState(5).randint(2**31)},
    ],
    ids=str,
)
def test_parameters(parameters, kind):
    X, y = problem(kind)
    ours, theirs = both(**parameters)
    assert_same_model(ours.fit(X, y), theirs.fit(X, y), X)


@ignore_convergence
def test_a_random_state_is_drawn_from_alike():
    X, y = problem()
    our_numbers, their_numbers = np.random.RandomState(8), np.random.RandomState(8)
    ours, theirs = both(max_iter=3)
    ours.set_params(random_state=our_numbers).fit(X, y)
    theirs.set_params(random_state=their_numbers).fit(X, y)
    assert_same_model(ours, theirs, X)
    assert our_numbers.randint(2**31) == their_numbers.randint(2**31)


@ignore_convergence
@pytest.mark.parametrize("batch_size", [50, N_SAMPLES + 1])
def test_more_samples_in_a_batch_than_there_are(batch_size):
    X, y = problem()
    X, y = X[:40], y[:40]
    ours, theirs = both(batch_size=batch_size)
    with pytest.warns(UserWarning, match="larger than sample size. It is going to be clipped"):
        theirs.fit(X, y)
    with pytest.warns(UserWarning, match=f"batch_size={batch_size} is larger than n_samples=40: it is taken as 40"):
        ours.fit(X, y)
    assert_same_model(ours, theirs, X)


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
@pytest.mark.parametrize("verbose", [False, True])
def test_early_stop(solver, verbose, capsys):
    X, y = problem("binary")
    texts, models = [], both(tol=3e-3, n_iter_no_change=4, max_iter=400, verbose=verbose, **solver)
    for model in models:
        model.fit(X, y)
        texts.append(capsys.readouterr().out)
    assert_same_model(*models, X)
    assert 5 < models[0].n_iter_ < 400
    assert texts[0] == texts[1]
    assert bool(texts[0]) == verbose


def test_it_did_not_converge(capsys):
    X, y = problem()
    messages, texts = [], []
    for model in both(max_iter=5, verbose=True):
        with pytest.warns(ConvergenceWarning) as caught:
            model.fit(X, y)
        messages.append([str(warning.message) for warning in caught])
        texts.append(capsys.readouterr().out)
    assert messages[0] == messages[1]
    assert len(messages[0]) == 1
    assert texts[0] == texts[1]
    assert texts[0].count("\n") == 5


@pytest.mark.parametrize("message", ["optimization hasn't converged", "is larger than n_samples"])
def test_warnings_name_the_callers_line(message):
    X, y = problem()
    parameters = (
        {"max_iter": 1} if "converged" in message else {"batch_size": N_SAMPLES + 1, "tol": 1.0, "max_iter": 99}
    )
    with pytest.warns(UserWarning, match=message) as caught:
        both(**parameters)[0].fit(X, y)
    assert [warning.filename for warning in caught] == [__file__]


def test_a_stop_in_the_last_epoch_is_convergence():
    X, y = problem("binary")
    parameters = {"tol": 3e-3, "n_iter_no_change": 4, "learning_rate_init": 0.01}
    n_iter = both(max_iter=400, **parameters)[0].fit(X, y).n_iter_
    for model in both(max_iter=n_iter, **parameters):
        assert model.fit(X, y).n_iter_ == n_iter
    for model in both(max_iter=n_iter - 1, **parameters):
        with pytest.warns(ConvergenceWarning):
            model.fit(X, y)


@ignore_convergence
def test_never_stop_early():
    X, y = problem()
    ours, theirs = both(n_iter_no_change=np.inf, tol=100.0)
    assert_same_model(ours.fit(X, y), theirs.fit(X, y), X)
    assert ours.n_iter_ == N_EPOCHS


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
def test_first_partial_fit(solver, kind):
    X, y = problem(kind)
    classes = np.arange(y.shape[1]) if kind == "multilabel" else np.unique(y)
    ours, theirs = both(**solver)
    assert_same_model(ours.partial_fit(X, y, classes=classes), theirs.partial_fit(X, y, classes=classes), X)


@pytest.mark.parametrize("solver", SOLVERS.values(), ids=SOLVERS)
def test_partial_fits_in_a_given_order(solver):
    """With shuffle=True the second call already differs: scikit-learn starts its random numbers again, we go on."""
    X, y = problem()
    ours, theirs = both(shuffle=False, **solver)
    for i in range(6):
        chunk = slice(15 * i, 15 * i + 16 + i % 2)
        for model in (ours, theirs):
            model.set_params(batch_size=7 + i).partial_fit(X[chunk], y[chunk], classes=np.unique(y))
    assert_same_model(ours, theirs, X)
