"""What scikit-learn has from which version on: comparisons with it are left out where it has not."""

import pytest
import sklearn
from sklearn.neural_network import MLPRegressor
from sklearn.utils.fixes import parse_version

VERSION = parse_version(sklearn.__version__)
networks_take_weights = parse_version("1.7") <= VERSION
balanced_takes_weights = parse_version("1.7") <= VERSION  # LogisticRegression's: compute_class_weight counts weights
objective_ends_fits = parse_version("1.8") <= VERSION  # those of SGDClassifier and Perceptron, which print it too
pipelines_route_to_scores = parse_version("1.8") <= VERSION


def scikit_learns_regressor(loss, **parameters):
    """Its MLPRegressor, which has losses from 1.7 on."""
    if parse_version("1.7") <= VERSION:
        return MLPRegressor(loss, **parameters)
    if loss != "squared_error":
        pytest.skip(f"this scikit-learn has no loss {loss}")
    return MLPRegressor(**parameters)
