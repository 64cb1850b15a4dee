"""Layers as parameters: set_params, get_params, clones, searches, pipelines; and scikit-learn's checks."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_digits
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastnn import MLPClassifier, MLPRegressor, SequentialClassifier, SequentialRegressor
from fastnn.layers import GRU, LSTM, Bidirectional, Conv1D, Conv2D, Dense, Dropout, Flatten, SimpleRNN

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@parametrize_with_checks(
    [
        estimator([Dense(20)], learning_rate_init=0.01, max_iter=80)
        for estimator in (SequentialClassifier, SequentialRegressor)
    ]
    + [
        SequentialClassifier([Flatten(), Dense(20, None), None], learning_rate_init=0.01, max_iter=80),
        SequentialRegressor([Dense(20, "tanh", use_bias=False)], solver="lbfgs", max_iter=20),
        SequentialClassifier([Conv1D(8, 2, padding="same"), Flatten()], learning_rate_init=0.02, max_iter=80),
        SequentialRegressor([Conv1D(8, 1), Dense(4), Flatten()], learning_rate_init=0.02, max_iter=80),
    ]
    + [
        estimator([layer], learning_rate_init=0.03, max_iter=80)
        for layer in (GRU(8), LSTM(8), SimpleRNN(8), Bidirectional(GRU(6)))
        for estimator in (SequentialClassifier, SequentialRegressor)
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_the_tags_are_those_of_mlps():
    assert get_tags(SequentialClassifier()) == get_tags(MLPClassifier())
    assert get_tags(SequentialRegressor()) == get_tags(MLPRegressor())


@pytest.fixture
def model():
    return SequentialClassifier([Conv2D(4, 3), Dropout(0.2), Dense(10)])


def test_they_are_listed(model):
    assert not any(name.startswith("layers__") for name in model.get_params(deep=False))
    parameters = model.get_params()
    assert parameters["layers"] is model.layers
    assert parameters["layers__0"] == Conv2D(4, 3)
    assert parameters["layers__1__rate"] == 0.2
    assert parameters["layers__0__kernel_size"] == 3
    assert SequentialClassifier(None).get_params()["layers"] is None


def test_settings(model):
    given = model.layers
    assert model.set_params(layers__0__filters=np.int64(8), layers__2__units=5, alpha=2.0) is model
    assert model.layers == [Conv2D(8, 3), Dropout(0.2), Dense(5)]
    assert model.alpha == 2
    assert given == [Conv2D(4, 3), Dropout(0.2), Dense(10)]


def test_whole_layers(model):
    model.set_params(layers__1=None)
    assert model.layers == [Conv2D(4, 3), None, Dense(10)]
    assert model.get_params()["layers__1"] is None
    assert model.set_params(layers__1=Dropout(0.5)).layers[1] == Dropout(0.5)


def test_the_order_is_from_the_whole_to_the_part(model):
    model.set_params(layers__0__units=7, layers__0=Dense(6, "tanh"), layers=[Dense(5), Dense(4)])
    assert model.layers == [Dense(7, "tanh"), Dense(4)]


def test_a_layer_in_a_layer():
    model = SequentialClassifier([Bidirectional(GRU(4)), Dense(3)])
    parameters = model.get_params()
    assert parameters["layers__0__layer"] == GRU(4)
    assert parameters["layers__0__layer__units"] == 4
    model.set_params(layers__0__layer__units=6, layers__0__layer__dropout=0.1, layers__0__merge_mode="sum")
    assert model.layers == [Bidirectional(GRU(6, dropout=0.1), "sum"), Dense(3)]
    model.set_params(layers__0__layer__units=5, layers__0__layer=LSTM(2))
    assert model.layers[0] == Bidirectional(LSTM(5), "sum")
    message = r"layers__0__layer__filters must name one of units, .* of LSTM\(5\), got 'filters'"
    with pytest.raises(ValueError, match=message):
        model.set_params(layers__0__layer__filters=3)
    assert clone(model).layers == model.layers


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"layers__3": None}, "layers__3 must begin with layers__0 to layers__2, got '3'"),
        ({"layers__-1": None}, "layers__-1 must begin with layers__0 to layers__2, got '-1'"),
        ({"layers__x__units": 1}, "layers__x__units must begin with layers__0"),
        ({"layers__0__units": 1}, r"layers__0__units must name one of filters, .* of Conv2D\(4, 3\), got 'units'"),
        ({"layers__0__filters__x": 1}, "layers__0__filters__x must name one of filters, .*, got 'filters__x'"),
        ({"layers__1": None, "layers__1__rate": 0.1}, "layers__1__rate must name a setting, which None lacks, got"),
        ({"layers": 5, "layers__1": None}, "layers must be a list of layers to set layers__1, got 5"),
        ({"layers__0__filters": 2, "alphas": 1}, "Invalid parameter 'alphas'"),
    ],
)  # fmt: skip
def test_what_is_refused(model, parameters, message):
    before = model.layers
    with pytest.raises(ValueError, match=message):
        model.set_params(**parameters)
    assert model.layers is before


def test_clone(model):
    copied = clone(model)
    assert copied.layers == model.layers
    assert copied.layers is not model.layers
    assert copied.get_params() == model.get_params()
    assert repr(clone(SequentialClassifier())) == "SequentialClassifier()"
    assert repr(model) == "SequentialClassifier(layers=[Conv2D(4, 3), Dropout(0.2), Dense(10)])"


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:300] / 16, y[:300]


def test_searches(digits):
    model = SequentialClassifier([Dense(4), Dropout(0.2)], max_iter=40, learning_rate_init=0.01, random_state=0)
    grid = [{"layers__0__units": [2, 30], "layers__1": [Dropout(0.1), None]}, {"layers": [[Dense(3)], [Flatten()]]}]
    search = GridSearchCV(model, grid, cv=2).fit(*digits)
    assert len(search.cv_results_["params"]) == 6
    assert search.best_params_["layers__0__units"] == 30
    assert search.best_estimator_.layers[0] == Dense(30)
    assert model.layers == [Dense(4), Dropout(0.2)]


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_a_wrong_setting_is_a_failed_fit(digits):
    search = GridSearchCV(SequentialClassifier(max_iter=2), {"layers__0__units": [3, 0]}, cv=2, error_score=np.nan)
    with pytest.warns(Warning, match=r"layers\[0\].units must be an integer from 1 to 2\*\*31 - 1, got 0"):
        search.fit(*digits)
    assert np.isnan(search.cv_results_["mean_test_score"]).tolist() == [False, True]


def test_nested_in_others(digits):
    X, y = digits
    model = SequentialClassifier([Dense(20)], max_iter=5, random_state=0)
    pipeline = make_pipeline(StandardScaler(), clone(model)).set_params(sequentialclassifier__layers__0__units=9)
    assert pipeline.fit(X, y)[-1].weights_[0]["kernel"].shape == (64, 9)
    assert len(cross_val_score(pipeline, X, y, cv=2)) == 2
    assert CalibratedClassifierCV(model, cv=2).fit(X, y).predict_proba(X).shape == (300, 10)
    bagging = BaggingClassifier(model, n_estimators=2).set_params(estimator__layers__0__activation="tanh")
    assert bagging.fit(X, y).estimators_[0].layers == [Dense(20, "tanh")]
    regressor = SequentialRegressor([Dense(5)], max_iter=2)
    assert MultiOutputRegressor(regressor).fit(X, X[:, :2]).predict(X).shape == (300, 2)
    assert TransformedTargetRegressor(regressor).fit(X, y).predict(X).shape == (300,)
    images = X.reshape(-1, 8, 8)
    assert len(cross_val_score(model, images, y, cv=2)) == 2
    assert GridSearchCV(model, {"layers__0__units": [3, 4]}, cv=2).fit(images, y).predict(images).shape == (300,)
