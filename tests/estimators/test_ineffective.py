"""Parameters that have no effect as the others are set are named once; scikit-learn's own, as there, never."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.neural_network import MLPRegressor as SklearnMLPRegressor

from fastnn import MLPClassifier, MLPRegressor, Perceptron
from fastnn.estimators import ineffective

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(40, 3))
y = (X[:, 0] > 0).astype(int)
BOTH, REGRESSOR = (MLPClassifier, MLPRegressor), (MLPRegressor,)
# Of each parameter: the estimators that have it, a setting without effect, what it needs, and one with effect.
CASES = {
    "quantile": (REGRESSOR, {"quantile": 0.9}, "loss='quantile'", {"loss": "quantile"}),
    "quantiles": (REGRESSOR, {"quantile": np.array([0.1, 0.9])}, "loss='quantile'", {"loss": "quantile"}),
    "huber_delta": (REGRESSOR, {"huber_delta": 2}, "loss='huber'", {"loss": "huber"}),
    "rho": (BOTH, {"rho": 0.5}, "solver='rmsprop'", {"solver": "rmsprop"}),
    "cosine": (BOTH, {"learning_rate": "cosine", "solver": "lbfgs"}, "a stochastic solver", {"solver": "sgd"}),
    "a rate": (BOTH, {"learning_rate": lambda epoch: 0.1, "solver": "lbfgs"}, "a stochastic solver", {"solver": "sgd"}),
    "warm-up": (BOTH, {"warmup_fraction": 0.1, "solver": "lbfgs"}, "a stochastic solver", {"solver": "adam"}),
    "scoring": (BOTH, {"scoring": "r2"}, "early_stopping=True, or X_val and y_val", {"early_stopping": True}),
    "activation": (BOTH, {"activation": "gelu", "hidden_layer_sizes": ()}, "a hidden layer", {"hidden_layer_sizes": 2}),
    "dropout": (BOTH, {"dropout": 0.5, "hidden_layer_sizes": ()}, "a hidden layer", {"hidden_layer_sizes": (2,)}),
}
SILENT = [
    *({name: value} for name, value in {"rho": np.float64(0.9), "dropout": 0, "scoring": None}.items()),
    {"warmup_fraction": 0, "solver": "lbfgs"},
    {"dropout": [], "activation": [], "hidden_layer_sizes": ()},
    {"dropout": 0, "activation": "tanh", "hidden_layer_sizes": []},
    # These are silent in scikit-learn as well.
    {"momentum": 0.1, "nesterovs_momentum": False, "power_t": 0.1, "validation_fraction": 0.2, "max_fun": 1},
    {"solver": "lbfgs", "learning_rate": "adaptive", "beta_1": 0.1, "beta_2": 0.1, "epsilon": 1.0, "batch_size": 3},
    {"solver": "lbfgs", "learning_rate": "invscaling", "shuffle": False, "learning_rate_init": 0.1},
]


@pytest.fixture(autouse=True)
def nothing_named():
    ineffective._named.clear()
    yield
    ineffective._named.clear()


def new(cls, parameters):
    return cls(**{"hidden_layer_sizes": (2,), "max_iter": 2, "random_state": 0} | parameters)


@pytest.mark.parametrize(
    ("cls", "parameters", "needed", "effective"),
    [(cls, *case) for classes, *case in CASES.values() for cls in classes],
    ids=[f"{cls.__name__}, {name}" for name, (classes, *_) in CASES.items() for cls in classes],
)
def test_named_once_for_each_class(cls, parameters, needed, effective):
    class Other(cls):
        pass

    name = next(iter(parameters))
    for each in (cls, Other):
        with pytest.warns(UserWarning, match=rf"^{name}=.* has no effect without {needed}") as caught:
            new(each, parameters).fit(X, y)
        (warning,) = [each for each in caught if each.category is not ConvergenceWarning]
        assert warning.filename == __file__
        new(each, parameters).fit(X, y)  # warnings are errors here
    ineffective._named.clear()
    new(cls, parameters | effective).fit(X, y)


@pytest.mark.parametrize("cls", BOTH)
@pytest.mark.parametrize("parameters", SILENT, ids=str)
def test_what_is_not_named(cls, parameters):
    model = new(cls, parameters)
    model.fit(X, y)
    if model.solver != "lbfgs":
        pickle.loads(pickle.dumps(copy.deepcopy(model))).partial_fit(X, y)


@pytest.mark.parametrize("theirs", [SklearnMLPClassifier, SklearnMLPRegressor])
def test_scikit_learns_own_parameters_are_silent_there_too(theirs):
    for parameters in SILENT:
        known = {name: value for name, value in parameters.items() if name in theirs().get_params()}
        new(theirs, {**known, "activation": "relu"}).fit(X, y)


def test_every_parameter_of_the_table_is_tested_and_there():
    assert set(ineffective.NEEDS) == {next(iter(parameters)) for _, parameters, *_ in CASES.values()}
    assert set(ineffective.NEEDS) <= {*MLPClassifier().get_params(), *MLPRegressor().get_params()}


def test_in_partial_fit_too():
    model = new(MLPClassifier, {}).partial_fit(X, y, classes=[0, 1])
    with pytest.warns(UserWarning, match=r"^rho=0\.5 has no effect without solver='rmsprop'"):
        model.set_params(rho=0.5).partial_fit(X, y)
    model.partial_fit(X, y)


def test_scoring_is_for_what_is_held_out():
    scored = {"scoring": "r2"}
    with pytest.warns(UserWarning, match="^scoring='r2' has no effect"):
        new(MLPRegressor, scored).partial_fit(X, y)
    ineffective._named.clear()
    new(MLPRegressor, scored).fit(X, y, X_val=X, y_val=y).partial_fit(X, y)
    new(MLPRegressor, scored | {"early_stopping": True}).partial_fit(X, y)


def test_in_from_weights_too():
    weights, biases = [np.ones((3, 2))], [np.zeros(2)]
    with pytest.warns(UserWarning, match=r"^quantile=\[0\.1, 0\.9\] has no effect without loss='quantile'") as caught:
        MLPRegressor.from_weights(weights, biases, quantile=[0.1, 0.9], scoring="r2")
    assert len(caught) == 1
    MLPRegressor.from_weights(weights, biases, loss="quantile", quantile=[0.1, 0.9])


def test_a_warning_that_is_an_error_is_one_in_each_fit():
    model = new(MLPRegressor, {"quantile": 0.9})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            with pytest.raises(UserWarning, match=r"quantile=0\.9 has no effect"):
                model.fit(X, y)
    assert vars(model) == model.get_params()


def test_perceptrons_are_as_silent_as_scikit_learns():
    Perceptron(l1_ratio=0.5, alpha=1, validation_fraction=0.5, n_jobs=2).fit(X, y)
