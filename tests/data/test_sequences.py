"""The public functions for sequences."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.metrics import f1_score, fbeta_score
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import get_tags

from fastnn.data.ragged import as_objects
from fastnn.sequences import PerStep, from_frame, from_padded, make_scorer

pl = pytest.importorskip("polars")
pd = pytest.importorskip("pandas")

LENGTHS = 2, 3, 1, 4


@pytest.fixture
def X(rng):
    return [rng.normal(size=(length, 2)) for length in LENGTHS]


def check_equal(own, other):
    assert len(own) == len(other)
    for one, two in zip(own, other, strict=True):
        np.testing.assert_array_equal(one, two)


# -- padding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("padding_value", [np.nan, 0, -1.0])
@pytest.mark.parametrize("padding", ["post", "pre"])
def test_padding_is_removed(X, padding_value, padding):
    for sequences in (X, [each[:, 0] for each in X]):
        padded = np.full((4, 5, *sequences[0].shape[1:]), padding_value, dtype=float)
        for row, each in zip(padded, sequences, strict=True):
            row[: len(each)] = each
        padded = padded if padding == "post" else padded[:, ::-1]
        expected = sequences if padding == "post" else [each[::-1] for each in sequences]
        made = from_padded(padded, padding_value=padding_value, padding=padding)
        check_equal(made, expected)
        assert np.shares_memory(made[0], padded)
        check_equal(from_padded(padded, LENGTHS, padding=padding), expected)


def test_padding_within_a_sequence_is_kept():
    check_equal(from_padded([[0, 1, 0, 2, 0]], padding_value=0), [[0, 1, 0, 2]])
    check_equal(from_padded([[0, 1, 0, 2, 0]], padding_value=0, padding="pre"), [[1, 0, 2, 0]])
    check_equal(from_padded(np.array([[[np.nan, 1], [2, np.nan]]])), [[[np.nan, 1], [2, np.nan]]])
    check_equal(from_padded(np.ones((2, 3), int)), np.ones((2, 3)))


@pytest.mark.parametrize(
    ("X", "settings", "message"),
    [
        (np.ones(3), {}, r"X must have shape .*, got \(3,\)"),
        ([[1.0], [np.nan]], {}, r"X\[1\] must have 1 to 1 steps that are not padding, got 0"),
        ([[1.0, 2.0]], {"lengths": [3]}, r"X\[0\] must have 1 to 2 steps that are not padding, got 3"),
        ([[1.0, 2.0]], {"lengths": [1, 2]}, r"lengths must be 1 integers, one for each sequence, got \[1, 2\]"),
        ([[1.0, 2.0]], {"lengths": [1.0]}, r"lengths must be 1 integers, one for each sequence, got \[1.0\]"),
        ([[1.0, 2.0]], {"padding": "left"}, "padding must be 'post' or 'pre', got 'left'"),
    ],
)
def test_padding_that_is_refused(X, settings, message):
    with pytest.raises(ValueError, match=message):
        from_padded(X, **settings)


# -- frames -----------------------------------------------------------------------------------------------------------

ROWS = {"id": ["b", "b", "a", "b", "a"], "day": [1, 1, 1, 2, 1], "x": [1, 2, 3, 4, 5], "z": [0.5, 1, 1.5, 2, 2.5]}


@pytest.mark.parametrize(
    "frame", [pd.DataFrame(ROWS, index=range(5, 10)), pl.DataFrame(ROWS)], ids=["pandas", "polars"]
)
def test_sequences_of_a_frame(frame):
    made = from_frame(frame, by="id", columns=["x", "z"])
    check_equal(made, [[[1, 0.5], [2, 1], [4, 2]], [[3, 1.5], [5, 2.5]]])
    check_equal(from_frame(frame, by="id", columns="x"), [[1, 2, 4], [3, 5]])
    check_equal(from_frame(frame, by=["id", "day"], columns="x"), [[1, 2], [3, 5], [4]])
    check_equal(from_frame(frame, by=["id", "day"]), [[[1, 0.5], [2, 1]], [[3, 1.5], [5, 2.5]], [[4, 2]]])
    check_equal(from_frame(frame, by="day", columns="id"), [["b", "b", "a", "a"], ["b"]])
    for settings, message in (
        ({"by": "who"}, r"by must be names of columns of the frame, .*, got \['who'\]"),
        ({"by": "id", "columns": ["x", "y"]}, r"columns must be names of columns of the frame, .*, got \['x', 'y'\]"),
        ({"by": "id", "columns": []}, r"columns must be names of columns of the frame, .*, got \[\]"),
        ({"by": "day"}, r"columns must be numbers, unless it is one name, got \['id', 'x', 'z'\]"),
    ):
        with pytest.raises(ValueError, match=message):
            from_frame(frame, **settings)
    with pytest.raises(ValueError, match="frame must have at least 1 row, got 0"):
        from_frame(frame[:0], by="id")


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"id": ["a", None], "x": [1, 2]}),
        pd.DataFrame({"id": [1.0, np.nan], "x": [1, 2]}, index=[7, 8]),
        pl.DataFrame({"id": ["a", None], "x": [1, 2]}),
    ],
)
def test_missing_groups_are_refused(frame):
    with pytest.raises(ValueError, match=r"frame\['id'\] must say which sequence each row is of, got .* in row 1"):
        from_frame(frame, by="id")


# -- transformers -----------------------------------------------------------------------------------------------------


def test_a_scaler_over_steps(X):
    expected = StandardScaler().fit(np.concatenate(X))
    for form in (X, tuple(X), as_objects(X), [each.tolist() for each in X]):
        scaler = PerStep(StandardScaler())
        assert scaler.fit(form) is scaler
        made = scaler.transform(form)
        check_equal(made, [expected.transform(each) for each in X])
        check_equal(scaler.fit_transform(form), made)
        assert type(made) is (np.ndarray if isinstance(form, np.ndarray) else list)
        back = scaler.inverse_transform(made)
        np.testing.assert_allclose(np.concatenate(list(back)), np.concatenate(X))
    assert scaler.n_features_in_ == 2
    assert scaler.get_feature_names_out().tolist() == ["x0", "x1"]
    check_equal(pickle.loads(pickle.dumps(scaler)).transform(X), made)


def test_arrays_stay_arrays(rng):
    for X, shape in ((rng.normal(size=(4, 3, 2)), (4, 3, 1)), (rng.normal(size=(4, 3)), (4, 3))):
        assert PerStep(PCA(1)).fit_transform(X).shape == shape
    made = PerStep(StandardScaler()).fit_transform(X)
    np.testing.assert_allclose([made.mean(), made.std()], [0, 1], atol=1e-12)


def test_series_stay_series():
    X = [np.array([1.0, 2.0]), np.array([3.0])]
    made = PerStep(StandardScaler()).fit_transform(X)
    assert [each.shape for each in made] == [(2,), (1,)]
    assert [each.shape for each in PerStep(PCA(1)).fit_transform([x[:, None] for x in X])] == [(2, 1), (1, 1)]


def test_targets_reach_the_transformer(X):
    signal = [(each[:, 1] > 0).astype(int) for each in X]
    made = PerStep(SelectKBest(k=1)).fit(X, signal).transform(X)
    check_equal(made, [each[:, 1:] for each in X])
    assert PerStep(SelectKBest(k=1)).fit_transform(X, [0, 1, 0, 1])[3].shape == (4, 1)
    with pytest.raises(ValueError, match="y must have 4 targets, one for each sequence, got 3"):
        PerStep(SelectKBest(k=1)).fit(X, [0, 1, 0])


def test_what_only_the_transformer_knows():
    X = [[["a", "x"]], [["b", "x"], ["a", "y"]]]
    made = PerStep(OneHotEncoder(sparse_output=False)).fit_transform(X)
    check_equal(made, [[[1, 0, 1, 0]], [[0, 1, 1, 0], [1, 0, 0, 1]]])
    holes = [[[1.0, np.nan]], [[3.0, 4.0], [np.nan, 6.0]]]
    check_equal(PerStep(SimpleImputer()).fit_transform(holes), [[[1, 5]], [[3, 4], [2, 6]]])
    assert get_tags(PerStep(SimpleImputer())).input_tags.allow_nan
    with pytest.raises(ValueError, match=r"transformer must give dense arrays, such as .*, got csr_matrix"):
        PerStep(OneHotEncoder()).fit_transform(X)


def test_parameters_of_the_transformer():
    scaler = PerStep(StandardScaler())
    scaler.set_params(transformer__with_mean=False)
    assert clone(scaler).get_params()["transformer__with_mean"] is False
    assert not scaler.transformer.with_mean
    assert hasattr(scaler, "inverse_transform")
    assert not hasattr(PerStep(OneHotEncoderWithoutInverse()), "inverse_transform")
    tags = get_tags(scaler)
    assert tags.input_tags.three_d_array
    assert tags.transformer_tags.preserves_dtype == get_tags(StandardScaler()).transformer_tags.preserves_dtype


class OneHotEncoderWithoutInverse(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X[:-1]


def test_transformers_keep_the_steps(X):
    with pytest.raises(ValueError, match="transformer must give a row for each of 10 steps, got 9"):
        PerStep(OneHotEncoderWithoutInverse()).fit_transform(X)
    for wrong in (np.ones(3), np.ones((0, 2)), sp.csr_array(np.eye(2))):
        with pytest.raises(ValueError, match="X must be a list of arrays, or an array of shape"):
            PerStep(StandardScaler()).fit(wrong)


# -- scores -----------------------------------------------------------------------------------------------------------


class Signs(ClassifierMixin, BaseEstimator):
    """Predicts the sign of each step's first feature."""

    def __init__(self, threshold=0.0):
        self.threshold = threshold

    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, X):
        return [(each[:, 0] > self.threshold).astype(int) for each in X]

    def predict_proba(self, X):
        return [np.stack([-each[:, 0], each[:, 0]], axis=1) for each in X]


@pytest.fixture
def y(X):
    return [(each[:, 0] + 0.5 * each[:, 1] > 0).astype(int) for each in X]


def test_scorers_concatenate(X, y):
    model = Signs().fit(X, y)
    flat, predicted = np.concatenate(y), np.concatenate(model.predict(X))
    weights, of_steps = np.array([1, 2, 3, 4.0]), np.repeat([1, 2, 3, 4.0], LENGTHS)
    for scoring in ("f1_macro", "accuracy", "roc_auc"):
        assert 0 <= make_scorer(scoring)(model, X, y) <= 1
    for own in (y, as_objects(y), [each.tolist() for each in y]):
        assert make_scorer("f1_macro")(model, X, own) == f1_score(flat, predicted, average="macro")
    expected = fbeta_score(flat, predicted, beta=2, sample_weight=of_steps)
    scorer = make_scorer(fbeta_score, beta=2)
    assert scorer(model, X, y, sample_weight=weights) == expected
    assert scorer(model, X, y, sample_weight=np.split(of_steps, np.cumsum(LENGTHS)[:-1])) == expected
    assert repr(pickle.loads(pickle.dumps(scorer))) == "make_scorer(fbeta_score)"


def test_scorers_of_arrays_and_of_sequences(rng):
    class Constant(RegressorMixin, BaseEstimator):
        def predict(self, X):
            return X[:, :, 0]

    X = rng.normal(size=(4, 3, 1))
    assert make_scorer("r2")(Constant(), X, X[..., 0]) == 1
    assert make_scorer("r2")(Constant(), X, X) == 1


def test_searches_and_splits_take_sequences(X, y):
    X, y = X * 5, y * 5
    parts = train_test_split(X, y, random_state=0)
    assert all(isinstance(part, list) for part in parts)
    assert cross_val_score(Signs(), X, y, scoring=make_scorer("accuracy"), cv=3).shape == (3,)
    pipeline = make_pipeline(PerStep(StandardScaler()), Signs())
    grid = {"signs__threshold": [0, 100], "perstep__transformer__with_mean": [True, False]}
    search = GridSearchCV(pipeline, grid, scoring=make_scorer("accuracy"), cv=3).fit(X, y)
    assert search.best_params_["signs__threshold"] == 0
    assert search.score(X, y) > 0.5


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: make_scorer("f1", beta=2), TypeError, r"settings must be empty beside the name 'f1', got \['beta'\]"),
        (lambda: make_scorer(3), TypeError, "scoring must be the name of a scorer or a metric, got 3"),
    ],
)
def test_scorers_that_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
