"""A perceptron's fit to a stream has the bits of its fit to an array."""

import numpy as np
import pytest
import scipy.sparse as sp

from fastnn import Perceptron

RNG = np.random.default_rng(0)
N = 400
X = RNG.normal(size=(N, 6))
LABELS = np.array(["blue", "green", "red"])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0)]
LABELS[::7] = "red"
WEIGHTS = RNG.uniform(0.5, 2, N)
FORMS = {
    "arrays": X,
    "float32": X.astype(np.float32),
    "whole numbers": (10 * X).astype(int),
    "columns first": np.asfortranarray(X),
    "sparse": sp.csr_matrix(np.where(X > 0, X, 0)),
}
SETTINGS = {
    "plain": {},
    "l2": {"penalty": "l2"},
    "l1": {"penalty": "l1", "alpha": 0.01},
    "elasticnet, averaged": {"penalty": "elasticnet", "average": True},
    "averaged later": {"average": 500},
    "balanced": {"class_weight": "balanced"},
    "seven epochs": {"tol": None, "max_iter": 7},
    "threads": {"n_jobs": 2},
}


def cut(n_rows, X=X, *others):
    return [
        (X[i : i + n_rows], LABELS[i : i + n_rows], *(each[i : i + n_rows] for each in others))
        for i in range(0, X.shape[0], n_rows)
    ]


def assert_same(model, other):
    np.testing.assert_array_equal(model.coef_, other.coef_)
    np.testing.assert_array_equal(model.intercept_, other.intercept_)
    np.testing.assert_array_equal(model.n_mistakes_, other.n_mistakes_)
    assert (model.n_iter_, model.t_, model.separable_) == (other.n_iter_, other.t_, other.separable_)


@pytest.mark.filterwarnings("ignore:The perceptron could not separate")
@pytest.mark.parametrize("n_rows", [N, 150, 37])
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("form", FORMS)
def test_chunks_give_the_bits_of_fit(form, settings, n_rows):
    model, fitted = (Perceptron(shuffle=False, **{"max_iter": 20, **SETTINGS[settings]}) for _ in range(2))
    assert_same(model.fit_stream(cut(n_rows, FORMS[form])), fitted.fit(FORMS[form], LABELS))


def test_chunks_may_have_weights():
    model, fitted = (Perceptron(shuffle=False) for _ in range(2))
    assert_same(model.fit_stream(cut(33, X, WEIGHTS)), fitted.fit(X, LABELS, sample_weight=WEIGHTS))


def test_shuffled_fits_are_the_same_each_time():
    models = [
        Perceptron(random_state=3, n_jobs=n_jobs, average=True).fit_stream(cut(50), shuffle_buffer=120, n_samples=N)
        for n_jobs in (1, 2)
    ]
    assert_same(*models)
    assert models[0].score(X, LABELS) > 0.6


def test_a_later_fit_starts_from_the_weights():
    model, fitted = (Perceptron(shuffle=False, warm_start=True) for _ in range(2))
    for _ in range(2):
        model.fit_stream(cut(70))
        fitted.fit(X, LABELS)
    assert_same(model, fitted)


@pytest.mark.parametrize("form", ["arrays", "sparse"])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_early_stopping_is_by_the_samples_given(form, weights):
    model = Perceptron(early_stopping=True, average=True, n_iter_no_change=2)
    model.fit_stream(cut(70, FORMS[form]), X_val=X, y_val=LABELS, sample_weight_val=weights)
    assert model.n_iter_ < 100
    assert model.score(FORMS[form], LABELS) > 0.6


def test_early_stopping_needs_samples():
    with pytest.raises(ValueError, match="early_stopping must be False for fit_stream without X_val and y_val"):
        Perceptron(early_stopping=True).fit_stream(cut(70))
    with pytest.raises(ValueError, match="X_val, y_val and sample_weight_val must be None without early_stopping"):
        Perceptron().fit_stream(cut(70), X_val=X, y_val=LABELS)


def test_epochs_are_printed_as_in_fit(capsys):
    Perceptron(shuffle=False, verbose=1, max_iter=3, tol=None).fit_stream(cut(70))
    streamed = capsys.readouterr().out
    Perceptron(shuffle=False, verbose=1, max_iter=3, tol=None).fit(X, LABELS)
    fitted = capsys.readouterr().out

    def lines(text):
        return sorted(line for line in text.split("\n") if "time" not in line)

    assert lines(streamed) == lines(fitted)


def test_a_warning_says_that_mistakes_are_left():
    from sklearn.exceptions import ConvergenceWarning

    with pytest.warns(ConvergenceWarning, match="could not separate the data in max_iter=2 epochs"):
        Perceptron(max_iter=2).fit_stream(cut(70))
    Perceptron(max_iter=2).fit_stream(cut(70), epochs=2)
