"""What holds for every input: Hypothesis makes inputs up, and makes those that break it small.

tests/support/fuzz.py has more.
"""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn.linear_model import Perceptron as SklearnPerceptron
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier

from fastnn import MLPClassifier, MLPRegressor, Perceptron
from fastnn.engine.arrays import source_dtypes

N_FEATURES = 5
rng = np.random.default_rng(0)
X, y = rng.integers(0, 9, (40, N_FEATURES)).astype(float), rng.integers(0, 3, 40)
every_input = settings(max_examples=200, deadline=None, derandomize=True)


@pytest.fixture(scope="module")
def fitted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [estimator(hidden_layer_sizes=(6,), max_iter=3).fit(X, y) for estimator in (MLPClassifier, MLPRegressor)]


# -- samples in any shape ----------------------------------------------------------------------------------------------

dtypes = st.sampled_from([np.dtype(bool), *source_dtypes]).flatmap(
    lambda dtype: st.sampled_from([dtype, dtype.newbyteorder()])
)
steps = st.integers(-3, 3).filter(bool)


@st.composite
def laid_out(draw):
    """Small whole numbers of any type, in memory of any kind."""
    n, dtype = draw(st.integers(2, 9)), draw(dtypes)
    values = draw(arrays.arrays(np.int8, (n, N_FEATURES), elements=st.integers(0, 8))).astype(dtype)
    row_step, col_step, offset = draw(steps), draw(steps), draw(st.integers(0, 3))
    shape = n * abs(row_step), N_FEATURES * abs(col_step)
    buffer = np.zeros(offset + shape[0] * shape[1] * dtype.itemsize, np.uint8)
    memory = buffer[offset:].view(dtype).reshape(shape, order=draw(st.sampled_from("CF")))
    samples = memory[::row_step, ::col_step]
    samples[...] = values
    samples.flags.writeable = draw(st.booleans())
    return samples


@every_input
@given(laid_out())
def test_predictions_are_of_the_numbers_not_of_their_layout(fitted, samples):
    for model in fitted:
        np.testing.assert_array_equal(model.predict(samples), model.predict(samples.astype(float)))


@every_input
@given(laid_out(), st.sampled_from([MLPClassifier, MLPRegressor]))
def test_so_is_what_is_learnt(samples, estimator):
    labels = np.arange(len(samples)) % 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models = [
            estimator(hidden_layer_sizes=(4,), max_iter=2, dtype="float64", random_state=0).fit(given, labels)
            for given in (samples, samples.astype(float))
        ]
    assert models[0].loss_curve_ == models[1].loss_curve_


# -- sparse samples ----------------------------------------------------------------------------------------------------

index = st.one_of(st.integers(-1, 9), st.sampled_from([2**31 - 1, -(2**31)]))


@every_input
@given(st.lists(index, max_size=9), st.lists(index, max_size=5), st.integers(0, 9), st.sampled_from(["i4", "i8"]))
@example([0, 2, 1, 3], [0, 2, 2, 4], 4, "i4")
@example([0, 5], [0, 1, 2, 2], 2, "i4")
def test_sparse_samples_are_right_or_refused(fitted, columns, starts, n_stored, dtype):
    samples = sp.csr_array((3, N_FEATURES))
    samples.data = np.arange(1.0, n_stored + 1)
    samples.indices, samples.indptr = np.array(columns, dtype), np.array(starts, dtype)
    known = min(len(columns), n_stored)
    fits = len(starts) == 4 and starts[0] >= 0 and starts == sorted(starts) and starts[3] <= known
    fits = fits and all(0 <= column < N_FEATURES for column in columns)
    for model in fitted:
        if not fits:
            with pytest.raises(ValueError, match="X"):
                model.predict(samples)
            continue
        dense = np.zeros((3, N_FEATURES))
        for row in range(3):
            for k in range(starts[row], starts[row + 1]):
                dense[row, columns[k]] += samples.data[k]
        np.testing.assert_allclose(model.predict(samples), model.predict(dense), rtol=1e-12)


# -- labels ------------------------------------------------------------------------------------------------------------

label = st.one_of(
    st.integers(-(2**62), 2**62), st.booleans(), st.text(max_size=3), st.floats(allow_nan=True), st.none(), st.binary()
)
labels = st.one_of(
    st.lists(st.integers(-3, 3), min_size=2, max_size=9),
    st.lists(st.text("abc", max_size=2), min_size=2, max_size=9),
    st.lists(st.booleans(), min_size=2, max_size=9),
    st.lists(label, min_size=2, max_size=9),
)


def outcome(model, samples, targets):
    """The classes, or that it refused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(samples, targets)
    except (ValueError, TypeError) as error:
        assert len(str(error)) > 11, error
        return None
    assert set(model.predict(samples)) <= set(model.classes_)
    return model.classes_.tolist()


@every_input
@given(labels, st.booleans())
def test_labels_mean_what_they_mean_to_scikit_learn(targets, as_objects):
    targets = np.array(targets, dtype=object) if as_objects else targets
    samples = X[: len(targets)]
    for ours, theirs in [
        (MLPClassifier((3,), max_iter=1), SklearnMLPClassifier((3,), max_iter=1)),
        (Perceptron(max_iter=1), SklearnPerceptron(max_iter=1)),
    ]:
        assert outcome(ours, samples, targets) == outcome(theirs, samples, targets)


# -- parameters --------------------------------------------------------------------------------------------------------

value = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 4),
    st.floats(-2, 2),
    st.sampled_from([np.nan, np.inf, 2**70, -1e300]),
    st.sampled_from(["relu", "adam", "auto", "", "balanced", "float64", "nope"]),
    st.lists(st.integers(-1, 3), max_size=3),
    st.lists(st.sampled_from(["relu", "gelu", "x"]), max_size=2),
    st.dictionaries(st.integers(0, 3), st.floats(-1, 2), max_size=3),
)


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor, Perceptron])
@every_input
@given(st.data())
def test_parameters_work_or_are_refused_by_name(estimator, data):
    names = sorted(estimator().get_params())
    chosen = data.draw(st.dictionaries(st.sampled_from(names), value, min_size=1, max_size=1))
    ((name, given_value),) = chosen.items()
    small = {"max_iter": 2} if estimator is Perceptron else {"max_iter": 2, "hidden_layer_sizes": (3,)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            estimator(**small | chosen).fit(X, y).predict(X)
        except (ValueError, TypeError) as error:
            assert name in str(error) or "diverged" in str(error), (name, given_value, error)
