"""What scikit-learn's checks ask of every estimator, asked of sequences that differ in their lengths.

A check takes an unfitted model with a random state, X, an object array of sequences (steps, channels), and y, an array
of targets, or an object array with an array of targets for the steps of each sequence.
"""

import pickle
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastnn import load, save
from fastnn.data.ragged import as_objects
from fastnn.sequences import PerStep


def outputs(model, X):
    """What the model makes of each sequence."""
    return list(model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X))


def bits(made):
    return [np.asarray(each).tobytes() for each in made]


def same(one, other, X):
    assert bits(outputs(one, X)) == bits(outputs(other, X))


def same_training(one, other, X):
    same(one, other, X)
    assert one.loss_curve_ == other.loss_curve_
    assert one._network.parameters.tobytes() == other._network.parameters.tobytes()


def saved(model):
    with TemporaryDirectory() as folder:
        save(model, Path(folder) / "model")
        return load(Path(folder) / "model")


def per_step(y):
    return y.dtype == object


def first_fit(model, X, y, **arguments):
    """The first call of partial_fit."""
    if is_classifier(model):
        arguments["classes"] = np.unique(np.concatenate(y) if per_step(y) else y)
    return model.partial_fit(X, y, **arguments)


def fit_is_repeatable_and_leaves_all_as_it_was(model, X, y):
    before, parameters, attributes = [each.copy() for each in X], model.get_params(), vars(model).copy()
    assert model.fit(X, y) is model
    for each, its in zip(X, before, strict=True):
        np.testing.assert_array_equal(each, its)
    assert model.get_params() == parameters
    assert all(name in attributes or name.endswith("_") or name.startswith("_") for name in vars(model))
    made = bits(outputs(model, X))
    assert bits(outputs(model.fit(X, y), X)) == made
    same_training(clone(model).fit(X, y), model, X)


def predictions_leave_the_model_as_it_was(model, X, y):
    before = vars(model.fit(X, y)).copy()
    outputs(model, X), model.predict(X), model.score(X, y)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())


def pickles_and_files_predict_the_same(model, X, y):
    model.fit(X, y)
    for other in (pickle.loads(pickle.dumps(model)), saved(model)):
        same_training(other, model, X)
        assert other.get_params() == model.get_params()
        assert other.score(X, y) == model.score(X, y)


def a_sequence_is_predicted_alone(model, X, y):
    expected = bits(outputs(model.fit(X, y), X))
    order = np.random.default_rng(0).permutation(len(X))
    assert bits(outputs(model, X[order])) == [expected[i] for i in order]
    for i in range(0, len(X), 7):
        assert bits(outputs(model, X[i : i + 1])) == expected[i : i + 1]


def memory_of_any_layout_has_the_same_numbers(model, X, y):
    model.fit(X, y)
    for change in (
        np.asfortranarray,
        lambda each: each[::-1].copy()[::-1],
        lambda each: np.repeat(each, 2, axis=1)[:, ::2],
        lambda each: each.astype(">f8"),
        lambda each: each.tolist(),
        lambda each: np.frombuffer(each.tobytes(), each.dtype).reshape(each.shape),  # which cannot be written
    ):
        other = [change(each) for each in X]
        same_training(clone(model).fit(other, y), model, X)
        assert bits(outputs(model, other)) == bits(outputs(model, X))


def targets_of_any_form_are_the_same(model, X, y):
    model.fit(X, y)
    forms = [list(y), tuple(y), [each.tolist() for each in y]]
    if per_step(y):
        forms += [[each[:, None] for each in y], [each.astype(each.dtype.newbyteorder(">")) for each in y]]
    for form in forms:
        same_training(clone(model).fit(X, form), model, X)
        assert model.score(X, form) == model.score(X, y)


def numbers_of_any_type_are_taken(model, X, y):
    whole = as_objects([np.round(10 * each).clip(0, 100) for each in X])
    model.set_params(dtype="float64").fit(whole, y)
    for dtype in ("i1", "u1", "u2", "i4", ">i4", "i8", "f4", "f8", "g", "O"):
        same_training(clone(model).fit([each.astype(dtype) for each in whole], y), model, whole)


def what_is_no_number_is_refused(model, X, y):
    fitted = clone(model).fit(X, y)
    for wrong in (np.nan, np.inf, -np.inf):
        damaged = as_objects([each.copy() for each in X])
        damaged[3][2, 0] = wrong
        message = r"X\[3\] must have finite numbers, got -?(nan|inf) in step 2"
        for call in (clone(model).fit, fitted.fit, fitted.partial_fit, fitted.score):
            with pytest.raises(ValueError, match=message):
                call(damaged, y)
        with pytest.raises(ValueError, match=message):
            fitted.predict(damaged)
    for wrong in (1j, "a", None):
        with pytest.raises(ValueError, match=r"X\[0\] must be numbers, got"):
            model.fit([np.full(each.shape, wrong) for each in X], y)
    same(fitted, clone(model).fit(X, y), X)


def other_shapes_are_refused(model, X, y):
    model.fit(X, y)
    for call in (model.predict, lambda other: model.partial_fit(other, y)):
        with pytest.raises(ValueError, match=r"X must have shape \(n_samples, n_steps, .*\), as in fit, got"):
            call([each[:, 1:] for each in X])
    for other, message in (
        (X[:-1], "inconsistent numbers of samples|as X has"),
        (as_objects([X[0][:0], *X[1:]]), r"X\[0\] must have at least 1 step, got 0"),
        (as_objects([X[0][None], *X[1:]]), r"X\[0\] must be an array of shape"),
        (as_objects([*X[:-1], X[-1][:, 1:]]), r"must have .* features?, as X\[0\] has"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(other, y)


def it_has_to_be_fitted(model, X, y):
    with pytest.raises(NotFittedError):
        model.predict(X)


def weights_of_sequences_are_repetitions(model, X, y):
    model.set_params(solver="lbfgs", max_iter=3, dtype="float64")
    counts = np.random.default_rng(0).integers(0, 3, len(X))
    repeated = clone(model).fit(np.repeat(X, counts), np.repeat(y, counts))
    weighted = model.fit(X, y, sample_weight=counts)
    for one, other in zip(outputs(weighted, X), outputs(repeated, X), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-9)


def weights_of_classes_are_weights_of_targets(model, X, y):
    if not is_classifier(model):
        return
    factors = {0: 0.5, 1: 3.0, 2: 2.0}
    by_class = clone(model).set_params(class_weight=factors).fit(X, y)
    weights = np.vectorize(factors.get, otypes=[float])
    by_hand = model.fit(X, y, sample_weight=[weights(each) for each in y] if per_step(y) else weights(y))
    same_training(by_class, by_hand, X)


def training_resumes(model, X, y):
    model.set_params(max_iter=2, warm_start=True)
    whole = clone(model).set_params(max_iter=4).fit(X, y)
    model.fit(X, y)
    for again in (pickle.loads(pickle.dumps(model)), saved(model), model):
        same_training(again.fit(X, y), whole, X)


def parts_resume(model, X, y):
    """Of which each has sequences of other lengths, the second one longer ones."""
    order = np.argsort([len(each) for each in X], kind="stable")
    parts = [order[: len(X) // 2], order[len(X) // 2 :], order[:16]]
    whole = first_fit(clone(model), X[order], y[order])
    model = first_fit(model, X[order], y[order])
    for part in parts:
        whole.partial_fit(X[part], y[part])
        model = saved(pickle.loads(pickle.dumps(model))).partial_fit(X[part], y[part])
        same_training(model, whole, X)


def threads_change_no_bit(model, X, y):
    alone = clone(model).set_params(n_threads=1).fit(X, y)
    for n_threads in (2, 3, 8):
        same_training(clone(model).set_params(n_threads=n_threads).fit(X, y), alone, X)


def what_is_held_out_is_sequences(model, X, y):
    model.set_params(early_stopping=True, validation_fraction=0.25).fit(X, y)
    assert len(model.validation_scores_) == model.n_iter_
    model.set_params(early_stopping=False).fit(X, y, X_val=X[:9], y_val=y[:9])
    assert model.validation_scores_[-1] == pytest.approx(model.score(X[:9], y[:9]))
    weights = np.arange(9.0)
    model.fit(X, y, X_val=X[:9], y_val=y[:9], sample_weight_val=weights)
    assert model.validation_scores_[-1] == pytest.approx(model.score(X[:9], y[:9], weights))


def searches_take_sequences(model, X, y):
    for form in (X, list(X)):
        assert np.isfinite(cross_val_score(model, form, y, cv=3)).all()
    pipeline = make_pipeline(PerStep(StandardScaler()), model)
    search = GridSearchCV(pipeline, {f"{type(model).__name__.lower()}__batch_size": [8, 16]}, cv=3).fit(X, y)
    assert len(search.predict(X)) == len(X)
    assert search.score(X, y) == search.best_estimator_.score(X, y)
    assert len(cross_val_predict(model, X, y, cv=3)) == len(X)


def calibration_takes_sequences(model, X, y):
    if not is_classifier(model) or per_step(y):  # which scikit-learn's calibration does not know
        return
    calibrated = CalibratedClassifierCV(model, cv=3).fit(X, y)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)


def settings_of_layers_are_parameters(model, X, y):
    changed = clone(model).set_params(layers__0=model.layers[0], alpha=0.5).fit(X, y)
    assert changed.layers == model.layers
    assert bits(outputs(changed, X)) != bits(outputs(clone(model).fit(X, y), X))


def each_layer_has_outputs(model, X, y):
    model.fit(X, y)
    for i, layer in enumerate(model.layers):
        made = model.hidden_activations(X, i)
        assert len(made) == len(X), layer
        shape = model._chain.links[i].output_shape
        for each, its in zip(X, made, strict=True):
            assert np.isfinite(its).all()
            assert its.shape == tuple(len(each) if size is None else size for size in shape), layer


CHECKS = [
    fit_is_repeatable_and_leaves_all_as_it_was,
    predictions_leave_the_model_as_it_was,
    pickles_and_files_predict_the_same,
    a_sequence_is_predicted_alone,
    memory_of_any_layout_has_the_same_numbers,
    targets_of_any_form_are_the_same,
    numbers_of_any_type_are_taken,
    what_is_no_number_is_refused,
    other_shapes_are_refused,
    it_has_to_be_fitted,
    weights_of_sequences_are_repetitions,
    weights_of_classes_are_weights_of_targets,
    training_resumes,
    parts_resume,
    threads_change_no_bit,
    what_is_held_out_is_sequences,
    searches_take_sequences,
    calibration_takes_sequences,
    settings_of_layers_are_parameters,
    each_layer_has_outputs,
]
