"""What scikit-learn's checks ask of every estimator, asked of X with 3 or 4 axes, which they do not make.

A check takes an unfitted model with a random state, X and y. Samples are images (height, width, channels) or sequences
(steps, channels).
"""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError


def outputs(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def same(one, other, X):
    assert outputs(one, X).tobytes() == outputs(other, X).tobytes()


def fit_is_repeatable_and_leaves_all_as_it_was(model, X, y):
    before, parameters = X.copy(), model.get_params()
    attributes = vars(model).copy()
    first = model.fit(X, y)
    assert first is model
    np.testing.assert_array_equal(X, before)
    assert model.get_params() == parameters
    assert all(name in attributes or name.endswith("_") or name.startswith("_") for name in vars(model))
    probabilities = outputs(model, X)
    assert outputs(model.fit(X, y), X).tobytes() == probabilities.tobytes()
    same(clone(model).fit(X, y), model, X)


def predictions_leave_the_model_as_it_was(model, X, y):
    before = vars(model.fit(X, y)).copy()
    outputs(model, X), model.predict(X), model.score(X, y)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())


def pickles_predict_the_same(model, X, y):
    same(pickle.loads(pickle.dumps(model.fit(X, y))), model, X)


def a_sample_is_predicted_alone(model, X, y):
    expected = outputs(model.fit(X, y), X)
    order = np.random.default_rng(0).permutation(len(X))
    assert outputs(model, X[order]).tobytes() == expected[order].tobytes()
    for i in range(0, len(X), 7):
        assert outputs(model, X[i : i + 1]).tobytes() == expected[i : i + 1].tobytes()


def memory_of_any_layout_has_the_same_numbers(model, X, y):
    expected = outputs(model.fit(X, y), X)
    doubled = np.repeat(X, 2, axis=2)
    read_only = X.copy()
    read_only.flags.writeable = False
    for other in (
        np.asfortranarray(X),
        X[::-1].copy()[::-1],
        doubled[:, :, ::2],
        read_only,
        X.astype(">f8"),
        X.tolist(),
    ):
        same(clone(model).fit(other, y), model, X)
        assert outputs(model, other).tobytes() == expected.tobytes()


def numbers_of_any_type_are_taken(model, X, y):
    whole = np.round(10 * X).clip(0, 100)
    expected = outputs(clone(model).set_params(dtype="float64").fit(whole, y), whole)
    for dtype in ("i1", "u1", "u2", "i4", "i8", "f4", "f8", "g", "O"):
        got = outputs(clone(model).set_params(dtype="float64").fit(whole.astype(dtype), y), whole.astype(dtype))
        assert got.tobytes() == expected.tobytes()


def what_is_no_number_is_refused(model, X, y):
    for wrong in (np.nan, np.inf, -np.inf):
        damaged = X.copy()
        damaged[3, 0, 0] = wrong
        with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
            clone(model).fit(damaged, y)
        with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
            clone(model).fit(X, y).predict(damaged)
    with pytest.raises(ValueError, match="Complex data not supported"):
        model.fit(X + 1j, y)
    with pytest.raises((ValueError, TypeError), match=r"numbers|numeric|could not convert"):
        model.fit(np.full(X.shape, "a"), y)


def other_shapes_are_refused(model, X, y):
    rule = r"X must have shape \(n_samples, .*\), as in fit, got \(n_samples, "
    model.fit(X, y)
    for other in (X[:, 1:], X[:, :, 1:], X.reshape(len(X), -1)):
        with pytest.raises(ValueError, match=rule):
            model.predict(other)
        with pytest.raises(ValueError, match=rule):
            model.partial_fit(other, y)
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array instead"):
        model.predict(X[0, 0, ..., 0].ravel())
    with pytest.raises(ValueError, match="X must have 2 to 4 axes"):
        model.predict(X.reshape(*X.shape, 1, 1))
    with pytest.raises(ValueError, match="0 sample"):
        model.fit(X[:0], y[:0])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X[:-1], y)


def it_has_to_be_fitted(model, X, y):
    with pytest.raises(NotFittedError):
        model.predict(X)


def weights_of_samples_are_repetitions(model, X, y):
    model.set_params(solver="lbfgs", max_iter=3, dtype="float64")
    counts = np.random.default_rng(0).integers(0, 3, len(X))
    repeated = clone(model).fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    weighted = model.fit(X, y, sample_weight=counts)
    np.testing.assert_allclose(outputs(weighted, X), outputs(repeated, X), rtol=1e-6, atol=1e-9)


def training_resumes(model, X, y):
    model.set_params(max_iter=2, warm_start=True)
    whole = clone(model).set_params(max_iter=4).fit(X, y)
    again = pickle.loads(pickle.dumps(model.fit(X, y)))
    same(model.fit(X, y), whole, X)
    same(again.fit(X, y), whole, X)


def threads_change_no_bit(model, X, y):
    alone = clone(model).set_params(n_threads=1).fit(X, y)
    same(model.set_params(n_threads=3).fit(X, y), alone, X)


def the_shape_of_a_sample_is_known(model, X, y):
    model.fit(X, y)
    assert model.input_shape_ == X.shape[1:]
    assert not hasattr(model, "n_features_in_")
    rows = clone(model).set_params(input_shape=X.shape[1:]).fit(X.reshape(len(X), -1), y)
    assert rows.n_features_in_ == X[0].size
    assert outputs(rows, X.reshape(len(X), -1)).tobytes() == outputs(model, X).tobytes()


def each_layer_has_outputs(model, X, y):
    model.fit(X, y)
    for i, layer in enumerate(model.layers):
        made = model.hidden_activations(X, i)
        assert made.shape == (len(X), *model._chain.links[i].output_shape), layer
        assert np.isfinite(made).all()


CHECKS = [
    fit_is_repeatable_and_leaves_all_as_it_was,
    predictions_leave_the_model_as_it_was,
    pickles_predict_the_same,
    a_sample_is_predicted_alone,
    memory_of_any_layout_has_the_same_numbers,
    numbers_of_any_type_are_taken,
    what_is_no_number_is_refused,
    other_shapes_are_refused,
    it_has_to_be_fitted,
    weights_of_samples_are_repetitions,
    training_resumes,
    threads_change_no_bit,
    the_shape_of_a_sample_is_known,
    each_layer_has_outputs,
]
