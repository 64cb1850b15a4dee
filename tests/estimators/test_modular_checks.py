"""scikit-learn's own checks of modular classifiers and regressors."""

import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.estimator_checks import parametrize_with_checks

from fastnn import MLPClassifier, MLPRegressor, ModularClassifier, ModularRegressor

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:The least populated class:UserWarning",
    "ignore:batch_size=:UserWarning",
)

SMALL = {"hidden_layer_sizes": (3,), "solver": "lbfgs", "max_iter": 30, "random_state": 0, "n_threads": 1}
CLASSIFIERS = [("first", MLPClassifier(**SMALL), [0]), ("all", MLPClassifier(**SMALL), slice(None))]
REGRESSORS = [("first", MLPRegressor(**SMALL), [0]), ("all", MLPRegressor(**SMALL), slice(None))]
ESTIMATORS = [
    ModularClassifier(CLASSIFIERS),
    ModularClassifier(CLASSIFIERS, combine="vote", weights=[1, 2], n_threads=1),
    ModularClassifier(CLASSIFIERS, combine=LogisticRegression(), cv=2, passthrough=True),
    ModularClassifier([("all", LogisticRegression(), slice(None))], combine=MLPClassifier(**SMALL), cv=2),
    ModularRegressor(REGRESSORS),
    ModularRegressor(REGRESSORS, combine=Ridge(), cv=2),
]


@parametrize_with_checks(ESTIMATORS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
