"""Modular networks: each module is its estimator alone, and the answers are those of scikit-learn's ensembles."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from modular_networks import ALL, SHORT, halves, network, weights_of
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from fastnn import (
    MLPClassifier,
    ModularClassifier,
    ModularRegressor,
    Perceptron,
    SequentialClassifier,
    SequentialRegressor,
)
from fastnn.layers import GRU, Conv2D, Dense

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:batch_size=32 is larger:UserWarning"
)


# -- each module is its estimator alone -------------------------------------------------------------------------------

#: What a module may read of a frame with columns a, b, c, d, and the same as numbers.
COLUMNS = {
    "a name": (["b"], [1]),
    "names": (["d", "a"], [3, 0]),
    "a slice of names": (slice("b", "c"), slice(1, 3)),
    "numbers": ([2, -1], [2, 3]),
    "a slice": (slice(1, None), slice(1, 4)),
    "a mask": ([True, False, True, False], [0, 2]),
    "a function": (lambda X: ["a", "c"], [0, 2]),
    "all": (ALL, ALL),
}


@pytest.mark.parametrize("threads", [1, 2, None])
def test_a_module_is_its_estimator_alone(digits, threads):
    X, y = digits
    model = ModularClassifier(halves(), n_threads=threads).fit(X, y)
    for name, estimator, columns in model.modules:
        alone = clone(estimator).fit(X[:, columns], y)
        assert weights_of(model.named_modules_[name]) == weights_of(alone)
        assert not hasattr(estimator, "n_iter_")  # the user's stays unfitted
    assert model.named_modules_.lower is model.named_modules_["lower"]


@pytest.mark.parametrize("kind", [pd.DataFrame, pytest.param("polars", id="polars")])
@pytest.mark.parametrize(("columns", "numbers"), COLUMNS.values(), ids=COLUMNS)
def test_columns_as_in_column_transformer(digits, kind, columns, numbers):
    X, y = digits[0][:100, 18:22], digits[1][:100] % 3
    names = dict(zip("abcd", X.T, strict=True))
    frame = pytest.importorskip("polars").DataFrame(names) if kind == "polars" else kind(names)
    model = ModularClassifier([("one", network(), columns)]).fit(frame, y)
    assert weights_of(model.named_modules_.one) == weights_of(network().fit(X[:, numbers], y))
    assert_array_equal(model.feature_names_in_, list("abcd"))
    assert_array_equal(model.predict(frame), model.named_modules_.one.predict(frame[:, numbers] if kind == "polars"
                                                                             else frame.iloc[:, numbers]))  # fmt: skip


def test_folds_of_a_polars_frame(digits):
    X, y = digits[0][:100, 18:22], digits[1][:100] % 3
    frame = pytest.importorskip("polars").DataFrame(dict(zip("abcd", X.T, strict=True)))
    modules = [("one", network(), ["a", "c"]), ("two", network(), slice(1, 3))]
    model = ModularClassifier(modules, combine=LogisticRegression(), cv=2, passthrough=True)
    expected = clone(model).set_params(modules=[("one", network(), [0, 2]), modules[1]]).fit(X, y).predict_proba(X)
    assert_array_equal(model.fit(frame, y, sample_weight=np.ones(100)).predict_proba(frame), expected)


def test_one_column_may_be_a_vector():
    """As in ColumnTransformer: a vectorizer of texts needs it."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.pipeline import make_pipeline

    frame = pd.DataFrame({"text": ["good film", "dull film", "good", "dull"] * 10, "stars": [5.0, 1.0, 4.0, 2.0] * 10})
    y = [1, 0, 1, 0] * 10
    words = make_pipeline(CountVectorizer(), LogisticRegression())
    model = ModularClassifier([("words", words, "text"), ("stars", LogisticRegression(), ["stars"])]).fit(frame, y)
    assert model.score(frame, y) == 1


def test_modules_may_share_columns_and_sparse_X(digits):
    X, y = digits
    modules = [("left", network(), [0, 1, 2, 9, 10, 11]), ("right", network(), slice(8, 30))]
    dense = ModularClassifier(modules).fit(X, y)
    for sparse in sp.csr_matrix(X), sp.csc_array(X), sp.coo_matrix(X):
        model = ModularClassifier(modules).fit(sparse, y)
        assert weights_of(model.named_modules_.left) == weights_of(dense.named_modules_.left)
        assert_array_equal(model.predict_proba(sparse), model.predict_proba(X))


def test_sparse_X_whose_rows_begin_late(digits):
    """SciPy selects columns of it, and would write beyond what it selects."""
    X = sp.csr_matrix(digits[0])
    X.indptr[0] = 3
    with pytest.raises(ValueError, match=r"X\.indptr must begin with 0, got 3"):
        ModularClassifier([("one", network(), [0, 4])]).fit(X, digits[1])


def test_networks_of_every_kind_in_one_table(rng):
    image, table, series = rng.uniform(size=(120, 6, 6)), rng.normal(size=(120, 3)), rng.normal(size=(120, 7))
    y = np.array(["down", "up"])[(image[:, :3].mean((1, 2)) + table[:, 0] + series.sum(axis=1) > 0.5).astype(int)]
    X = np.hstack([image.reshape(120, -1), table, series])
    modules = [
        ("image", SequentialClassifier([Conv2D(4, 3), Dense(8)], input_shape=(6, 6), **SHORT), slice(0, 36)),
        ("table", MLPClassifier((8,), **SHORT), slice(36, 39)),
        ("series", SequentialClassifier([GRU(6)], input_shape=(7, 1), **SHORT), slice(39, 46)),
        ("line", Perceptron(max_iter=3, tol=None), slice(36, 46)),
    ]
    model = ModularClassifier(modules, combine=LogisticRegression()).fit(X, y)
    alone = SequentialClassifier([Conv2D(4, 3), Dense(8)], **SHORT).fit(image, y)
    assert weights_of(model.named_modules_.image) == weights_of(alone)
    assert model.transform(X).shape == (120, 4)  # one probability each; the perceptron's decision function
    assert set(model.predict(X)) <= {"down", "up"}


@pytest.mark.parametrize("combine", ["mean", LogisticRegression()], ids=["mean", "model"])
def test_X_of_other_shapes_that_all_modules_read(combine, rng):
    sequences = [rng.normal(size=(n, 2)) for n in rng.integers(3, 9, 60)]
    y = [int(each[:, 0].mean() > 0) for each in sequences]
    modules = [
        ("one", SequentialClassifier([GRU(4)], **SHORT), ALL),
        ("two", SequentialClassifier([GRU(5)], **SHORT), ALL),
    ]
    model = ModularClassifier(modules, combine=combine, cv=2).fit(sequences, y)
    assert not hasattr(model, "n_features_in_")
    assert len(model.predict(sequences)) == 60
    images = rng.uniform(size=(60, 5, 5))
    modules = [("one", SequentialClassifier([Conv2D(3, 2)], **SHORT), ALL)]
    model.set_params(modules=modules).fit(images, y)
    assert model.predict_proba(images).shape == (60, 2)
    assert model.get_feature_names_out().tolist()[0].startswith("modularclassifier_one")


# -- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, [1, 3]])
def test_means_and_votes_are_those_of_voting_classifier(digits, weights):
    X, y = digits
    labels = np.array(list("abcdefghij"))[y]
    both = [("one", network()), ("two", GaussianNB())]
    for combine, voting in ("mean", "soft"), ("vote", "hard"):
        theirs = VotingClassifier(both, voting=voting, weights=weights).fit(X, labels)
        ours = ModularClassifier([(*each, ALL) for each in both], combine=combine, weights=weights).fit(X, labels)
        assert_array_equal(ours.predict(X), theirs.predict(X))
        if combine == "mean":
            assert_array_equal(ours.predict_proba(X), theirs.predict_proba(X))
            assert_array_equal(ours.transform(X), theirs.transform(X))
            assert ours.get_feature_names_out().tolist() == [
                name.replace("voting", "modular") for name in theirs.get_feature_names_out()
            ]
        else:
            assert not hasattr(ours, "predict_proba")
            assert_array_equal(ours.transform(X)[:, 1], ours.named_modules_.two.predict(X))


def test_equal_votes_go_to_the_first_class(digits):
    X, y = digits
    model = ModularClassifier(halves(), combine="vote").fit(X, y)
    votes = model.transform(X)
    assert (votes[:, 0] != votes[:, 1]).any()
    assert_array_equal(model.predict(X), votes.min(axis=1))


def test_product_of_probabilities(digits):
    X, y = digits
    model = ModularClassifier(halves(), combine="product", weights=[1, 2]).fit(X, y)
    upper, lower = (model.named_modules_[name].predict_proba(X[:, part]) for name, _, part in model.modules)
    expected = upper.astype(float) * lower.astype(float) ** 2
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-5, atol=1e-7)
    assert_array_equal(model.predict(X), expected.argmax(axis=1))


def test_probabilities_of_zero_make_no_nan():
    X = np.repeat([[0.0], [1.0]], 10, axis=0)
    y = np.repeat([0, 1], 10)
    wrong = KNeighborsClassifier(1).fit(X, y)
    modules = [("one", wrong, ALL), ("two", wrong, ALL)]
    model = ModularClassifier(modules, combine="product", targets={"two": lambda y: 1 - y}).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), np.eye(2)[y], atol=1e-300)


def test_functions_of_the_class_combine_to_it(digits):
    X, y = digits
    modules = [("fives", network(32, max_iter=30), ALL), ("rest", network(32, max_iter=30), ALL)]
    targets = {"fives": lambda y: y // 5, "rest": lambda y: np.array(list("vwxyz"))[y % 5]}
    model = ModularClassifier(modules, targets=targets, combine="product").fit(X[:400], y[:400])
    p, q = (each.predict_proba(X) for each in model.named_modules_.values())
    expected = p[:, np.arange(10) // 5] * q[:, np.arange(10) % 5]
    np.testing.assert_allclose(model.predict_proba(X), expected / expected.sum(axis=1, keepdims=True), rtol=1e-4)
    assert model.score(X[400:], y[400:]) > 0.75
    scores = model.score_modules(X[400:], y[400:])
    assert scores["fives"] == network(32, max_iter=30).fit(X[:400], y[:400] // 5).score(X[400:], y[400:] // 5)
    assert model.transform(X).shape == (500, 7)
    modules.append(("digit", network(), slice(0, 32)))  # whose target is the class itself
    assert model.set_params(modules=modules).fit(X, y).predict_proba(X).shape == (500, 10)


def test_a_stranger_module_spoils_little(digits):
    """One of eight modules answers at random: the vote loses less than 0.01 (mean of ten seeds)."""
    X, y = load_digits(return_X_y=True)
    X = X / 16

    class Stranger(GaussianNB):
        def predict(self, X):
            return np.random.default_rng(len(X)).integers(0, 10, len(X))

    whole, spoilt = [], []
    for seed in range(10):
        modules = [(f"m{i}", network(random_state=8 * seed + i, max_iter=15), slice(i % 2, None)) for i in range(8)]
        model = ModularClassifier(modules, combine="vote").fit(X[:1200], y[:1200])
        whole.append(model.score(X[1200:], y[1200:]))
        model.set_params(m3=Stranger()).refit("m3", X[:1200], y[:1200])
        spoilt.append(model.score(X[1200:], y[1200:]))
    assert np.mean(whole) - np.mean(spoilt) < 0.01


# -- scikit-learn's conventions ---------------------------------------------------------------------------------------


def test_nested_parameters(digits):
    model = ModularClassifier(halves(), combine=LogisticRegression())
    assert model.set_params(upper__alpha=0.5, combine__C=3, cv=2) is model
    assert model.get_params()["upper__alpha"] == model.modules[0][1].alpha == 0.5
    assert model.combine.C == 3
    other = GaussianNB()
    model.set_params(upper=other)
    assert model.modules[0] == ("upper", other, slice(0, 32))
    model.set_params(modules=[("new", network(), ALL)], new__alpha=2)
    assert [name for name, _, _ in model.modules] == ["new"] and model.get_params()["new__alpha"] == 2
    with pytest.raises(ValueError, match=r"Use n_threads instead of n_jobs\.$"):
        model.set_params(n_jobs=2)


def test_a_module_may_be_dropped(digits):
    X, y = digits
    model = ModularClassifier(halves(), combine="vote", weights=[0, 1]).set_params(upper="drop").fit(X, y)
    assert list(model.named_modules_) == ["lower"]
    assert_array_equal(model.predict(X), model.named_modules_.lower.predict(X[:, 32:]))
    search = GridSearchCV(ModularClassifier(halves()), {"upper": ["drop", network(4)], "lower__alpha": [1e-4]}, cv=2)
    assert len(search.fit(X, y).best_estimator_.named_modules_) in (1, 2)


def test_sample_weight(digits):
    X, y = digits
    weight = np.random.default_rng(0).uniform(size=len(y))
    model = ModularClassifier(halves(), combine=LogisticRegression(), cv=2).fit(X, y, sample_weight=weight)
    assert weights_of(model.named_modules_.upper) == weights_of(network().fit(X[:, :32], y, sample_weight=weight))
    theirs = StackingClassifier([("one", network())], LogisticRegression(), cv=2).fit(X, y, sample_weight=weight)
    ours = ModularClassifier([("one", network(), ALL)], combine=LogisticRegression(), cv=2)
    ours.fit(X, y, sample_weight=weight)
    assert_array_equal(ours.combiner_.coef_, theirs.final_estimator_.coef_)
    ours.refit("one", X, y, refit_combiner=True, sample_weight=weight)
    assert_array_equal(ours.combiner_.coef_, theirs.final_estimator_.coef_)
    with pytest.raises(TypeError, match="sample_weight must be None, since the fit of 'two' does not take it"):
        ModularClassifier([("one", network(), ALL), ("two", KNeighborsClassifier(), ALL)]).fit(
            X, y, sample_weight=weight
        )
    nested = ModularClassifier([("model", ModularClassifier(halves()), ALL)]).fit(X, y, sample_weight=weight)
    assert nested.named_modules_.model.named_modules_.upper.n_iter_ > 0


def test_metadata_routing(digits):
    import sklearn

    X, y = digits
    weight = np.random.default_rng(0).uniform(size=len(y))
    with sklearn.config_context(enable_metadata_routing=True):
        modules = [
            ("one", network().set_fit_request(sample_weight=True), ALL),
            ("two", network().set_fit_request(sample_weight=False), ALL),
        ]
        combine = LogisticRegression().set_fit_request(sample_weight=True)
        model = ModularClassifier(modules, combine=combine, cv=2).fit(X, y, sample_weight=weight)
        assert model.get_metadata_routing()
    assert weights_of(model.named_modules_.one) == weights_of(network().fit(X, y, sample_weight=weight))
    assert weights_of(model.named_modules_.two) == weights_of(network().fit(X, y))


def test_settings_of_scikit_learn_reach_the_modules(digits):
    import sklearn

    class Noting(GaussianNB):
        def fit(self, X, y, sample_weight=None):
            self.noted_ = sklearn.get_config()["working_memory"]
            return super().fit(X, y)

    with sklearn.config_context(working_memory=123):
        model = ModularClassifier([("one", Noting(), ALL), ("two", Noting(), ALL)], n_threads=2).fit(*digits)
    assert [each.noted_ for each in model.named_modules_.values()] == [123, 123]


def test_diagrams_show_modules_side_by_side(digits):
    model = ModularClassifier(halves(), combine=LogisticRegression())
    for html in model._repr_html_(), model.set_params(combine="mean")._repr_html_():
        assert "sk-parallel" in html and "upper" in html and "slice(0, 32, None)" in html
    assert "LogisticRegression" not in html
    for modules in [], 3, [("one",)], [("one", "drop", ALL)]:
        assert "ModularClassifier" in ModularClassifier(modules)._repr_html_()


def test_pickles_and_frames(digits):
    X, y = digits
    model = ModularClassifier(halves(), combine=LogisticRegression(), cv=2).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    frame = again.set_output(transform="pandas").transform(X)
    assert list(frame.columns) == again.get_feature_names_out().tolist()
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    with pytest.raises(ValueError, match="X has 63 features, but ModularClassifier is expecting 64"):
        model.predict(X[:, 1:])
    assert not hasattr(model.set_params(combine="mean").fit(X, y), "combiner_")


def test_fitted_parameters_change_with_the_next_fit(digits):
    X, y = digits
    model = ModularClassifier(halves()).fit(X, y)
    expected = model.predict(X)
    model.set_params(combine="vote", weights=[0, 1], passthrough=True, modules=3)
    assert_array_equal(model.predict(X), expected)
    assert model.predict_proba(X).shape == (500, 10)


def test_sequences_with_a_number_each(rng):
    X = [rng.normal(size=(n, 2)) for n in rng.integers(3, 9, 40)]
    y = [each.sum() for each in X]
    model = ModularRegressor([("gru", SequentialRegressor([GRU(4)], **SHORT), ALL)], combine=Ridge(), cv=2).fit(X, y)
    assert model.predict(X).shape == (40,)
    with pytest.raises(ValueError, match="y must have one target for each sample, got one for each step"):
        model.fit(X, [each[:, 0] for each in X])
