"""What notebooks show of an estimator: links to its documentation, and a tooltip for each of its parameters."""

import re

import pytest
import sklearn
from sklearn.preprocessing import StandardScaler

from fastnn import (
    MLPClassifier,
    MLPRegressor,
    ModularClassifier,
    ModularRegressor,
    Perceptron,
    SequentialClassifier,
    SequentialRegressor,
)
from fastnn.runtime.installation import DOCUMENTATION
from fastnn.sequences import PerStep

ESTIMATORS = {
    "fastnn.MLPClassifier": MLPClassifier(),
    "fastnn.MLPRegressor": MLPRegressor(),
    "fastnn.SequentialClassifier": SequentialClassifier(),
    "fastnn.SequentialRegressor": SequentialRegressor(),
    "fastnn.Perceptron": Perceptron(),
    "fastnn.ModularClassifier": ModularClassifier([("one", MLPClassifier(), [0])]),
    "fastnn.ModularRegressor": ModularRegressor([("one", MLPRegressor(), [0])]),
    "fastnn.sequences.PerStep": PerStep(StandardScaler()),
}
# scikit-learn has links on the diagram before it has them on parameters.
HAS_TOOLTIPS = tuple(map(int, re.findall(r"\d+", sklearn.__version__)[:2])) >= (1, 8)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_diagram_links_to_the_documentation(name):
    page = f"{DOCUMENTATION}/api/{name}.html"
    for html in (ESTIMATORS[name]._repr_html_(), ESTIMATORS[name]._repr_mimebundle_()["text/html"]):
        assert f'href="{page}"' in html
        assert f"Documentation for {name.rpartition('.')[2]}" in html


@pytest.mark.skipif(not HAS_TOOLTIPS, reason="parameters have tooltips from scikit-learn 1.8 on")
@pytest.mark.parametrize("name", ESTIMATORS)
def test_each_parameter_has_a_link_and_a_tooltip(name):
    html = ESTIMATORS[name]._repr_html_()
    for parameter in ESTIMATORS[name].get_params(deep=False):
        assert f"{DOCUMENTATION}/api/{name}.html#:~:text={parameter},-" in html
        assert re.search(rf'<span class="param-doc-description"[^>]*>\s*{parameter}: \S', html)


def test_a_class_of_the_users_has_no_link():
    class Mine(MLPClassifier):
        """It has no page."""

    assert DOCUMENTATION not in Mine()._repr_html_()
