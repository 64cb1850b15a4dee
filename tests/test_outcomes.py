"""How a fit can end, and that whatever is said of it is said of a fitted model."""

import copy
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from fastnn import MLPClassifier, MLPRegressor, Perceptron

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = RNG.integers(0, 2, 60)


def interrupt(model):
    raise KeyboardInterrupt


# -- warnings that are errors ------------------------------------------------------------------------------------------

PLAIN = {"hidden_layer_sizes": (3,), "random_state": 0, "max_iter": 3}
OUTCOMES = {
    "perceptron": (Perceptron(max_iter=2), ConvergenceWarning),
    "classifier": (MLPClassifier(**PLAIN), ConvergenceWarning),
    "regressor": (MLPRegressor(**PLAIN), ConvergenceWarning),
    "early stopping": (MLPClassifier(**PLAIN, early_stopping=True), ConvergenceWarning),
    "lbfgs": (MLPClassifier(**PLAIN, solver="lbfgs"), ConvergenceWarning),
    "Ctrl-C": (MLPClassifier(**PLAIN, callback=interrupt), UserWarning),
    "lbfgs, Ctrl-C": (MLPClassifier(**PLAIN, solver="lbfgs", callback=interrupt), UserWarning),
    "scores": (MLPClassifier(**PLAIN, early_stopping=True, scoring=lambda *_: np.nan), UserWarning),
}


@pytest.mark.parametrize(("model", "category"), OUTCOMES.values(), ids=OUTCOMES)
@pytest.mark.parametrize("warm_start", [False, True])
def test_a_warning_that_is_an_error_finds_the_model_fitted(model, category, warm_start):
    twin = copy.deepcopy(model)
    for _ in range(2):
        with warnings.catch_warnings(), pytest.raises(category):
            warnings.simplefilter("error")
            model.set_params(warm_start=warm_start).fit(X, Y)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            twin.set_params(warm_start=warm_start).fit(X, Y)
        np.testing.assert_array_equal(model.predict(X), twin.predict(X))
        assert model.n_iter_ == twin.n_iter_
        assert model.t_ == twin.t_


def test_the_schedules_end():
    model = MLPClassifier((3,), max_iter=2, learning_rate="cosine", random_state=0)
    model.partial_fit(X, Y, classes=[0, 1], epochs=2)
    with warnings.catch_warnings(), pytest.raises(UserWarning, match="'cosine' has come to its end"):
        warnings.simplefilter("error")
        model.partial_fit(X, Y)
    assert len(model.loss_curve_) == 3
