"""The table of a network's layers, in text and in notebooks."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.exceptions import NotFittedError

from fastnn import SequentialClassifier
from fastnn.estimators.summary import as_text, rows_of
from fastnn.layers import BatchNormalization, Conv2D, Dense, Dropout, MaxPooling2D
from fastnn.layers.chain import Chain


@pytest.fixture
def model(rng):
    layers = [Dense(4), None, Dropout(0.1), Dense(5, use_bias=False, trainable=False)]
    model = SequentialClassifier(layers, max_iter=1, n_iter_no_change=1, tol=1e9)
    with pytest.warns(Warning, match="Maximum iterations"):
        return model.fit(rng.normal(size=(20, 3)), np.arange(20) % 3)


def test_it_is_printed(model, capsys):
    model.summary()
    assert capsys.readouterr().out == (
        "Layer                                      Output Shape  Param #\n"
        "----------------------------------------------------------------\n"
        "Dense(4)                                   (4,)               16\n"
        "Dropout(0.1)                               (4,)                0\n"
        "Dense(5, use_bias=False, trainable=False)  (5,)               20\n"
        "output, softmax                            (3,)               18\n"
        "----------------------------------------------------------------\n"
        "Total params: 54\n"
        "Trainable params: 34\n"
        "Non-trainable params: 20\n"
    )
    with pytest.raises(NotFittedError):
        SequentialClassifier().summary()


def test_keras_example():
    """The numbers are those of keras.io's example of a convolutional network, but for Flatten, which is implied."""
    layers = [Conv2D(32, 3), MaxPooling2D(), Conv2D(64, 3), MaxPooling2D(), Dropout(0.5)]
    rows, totals = rows_of(Chain(layers, (28, 28, 1), 10), "softmax")
    assert [count for _, _, count in rows] == ["320", "0", "18,496", "0", "0", "16,010"]
    assert [shape for _, shape, _ in rows[:2]] == ["(26, 26, 32)", "(13, 13, 32)"]
    assert totals == {"Total params": 34826, "Trainable params": 34826, "Non-trainable params": 0}


def test_moving_averages_are_not_trained():
    _, totals = rows_of(Chain([BatchNormalization()], (7,), 1), "identity")
    assert list(totals.values()) == [28 + 8, 14 + 8, 14]
    _, totals = rows_of(Chain([BatchNormalization(trainable=False)], (7,), 1), "identity")
    assert list(totals.values()) == [28 + 8, 8, 28]
    assert as_text(*rows_of(Chain([], (7,), 1), "identity")).count("\n") == 6


def test_in_notebooks(model):
    table = "<tr><td>Dense(4)</td><td>(4,)</td><td>16</td></tr>"
    for html in (model._repr_html_(), model._repr_mimebundle_()["text/html"]):
        assert table in html
        assert "Total params: 54" in html
    assert "<table><thead>" not in SequentialClassifier(model.layers)._summary_html()
    with config_context(display="text"):
        assert "text/html" not in model._repr_mimebundle_()
        assert not hasattr(model, "_repr_html_")
