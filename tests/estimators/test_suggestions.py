"""Errors about parameters and their values say what to do: in one order, with what is called otherwise elsewhere."""

import inspect
import os
import re
import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest
from sklearn.base import clone

from fastnn import (
    MLPClassifier,
    MLPRegressor,
    ModularClassifier,
    ModularRegressor,
    Perceptron,
    SequentialClassifier,
    SequentialRegressor,
    layers,
)
from fastnn._sklearn import StrOptions
from fastnn.engine.activation import activation_names
from fastnn.estimators.suggestions import ADVICE, PARAMETERS, SETTINGS, SETTINGS_ADVICE, VALUES, value_advice

ESTIMATORS = MLPClassifier, MLPRegressor, SequentialClassifier, SequentialRegressor, Perceptron
X, y = np.arange(40.0).reshape(-1, 2), np.arange(20) % 2


@pytest.mark.parametrize(
    ("cls", "name", "advice"),
    [
        (MLPClassifier, "epochs", "Use max_iter instead of epochs."),
        (MLPClassifier, "lr", "Use learning_rate_init instead of lr."),
        (MLPClassifier, "hidden_layers", "Use hidden_layer_sizes instead of hidden_layers."),
        (MLPClassifier, "optimizer", "Use solver instead of optimizer."),
        (MLPClassifier, "hiden_layer_sizes", "Use hidden_layer_sizes instead of hiden_layer_sizes."),
        (SequentialClassifier, "hidden_layer_sizes", "Use layers instead of hidden_layer_sizes."),
        (SequentialRegressor, "dropout", "Use layers instead of dropout."),
        (MLPClassifier, "loss", "The loss is fixed."),
        (MLPClassifier, "validation_data", "Pass X_val and y_val to fit."),
        (MLPClassifier, "n_jobs", "Use n_threads instead of n_jobs."),
        (MLPRegressor, "criterion", "Use loss instead of criterion."),
        (MLPRegressor, "patience", "Use n_iter_no_change instead of patience."),
        (Perceptron, "n_threads", "Use n_jobs instead of n_threads."),
        (Perceptron, "learning_rate", "Use eta0 instead of learning_rate."),
    ],
)
def test_parameters_known_elsewhere(cls, name, advice):
    advice = re.escape(advice)
    with pytest.raises(TypeError, match=rf"^{cls.__name__}.__init__\(\) got an unexpected .* '{name}'\. {advice}$"):
        cls(**{name: 1})
    with pytest.raises(ValueError, match=rf"^Invalid parameter '{name}' for estimator .*\]\. {advice}$"):
        cls().set_params(**{name: 1})


@pytest.mark.parametrize(
    ("cls", "name", "advice"),
    [
        (MLPClassifier, "epochs", "Set max_iter in the constructor."),
        (MLPClassifier, "batch_size", "Set batch_size in the constructor."),
        (MLPRegressor, "validation_data", "Pass X_val and y_val to fit."),
        (MLPRegressor, "sample_weights", "Use sample_weight instead of sample_weights."),
        (Perceptron, "max_iter", "Set max_iter in the constructor."),
    ],
)
def test_parameters_of_fit_known_elsewhere(cls, name, advice):
    with pytest.raises(TypeError, match=rf"^{cls.__name__}.fit\(\) got an unexpected .* '{name}'\. {advice}$"):
        cls().fit(X, y, **{name: 1})


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("sample_weights", "Use sample_weight instead of sample_weights."),
        ("n_threads", "Set n_(threads|jobs) in the constructor."),
        ("zzz", ""),
    ],
)
def test_names_in_partial_fit(cls, name, advice):
    message = rf"^{cls.__name__}.partial_fit\(\) got an unexpected keyword argument '{name}'"
    with pytest.raises(TypeError, match=message + (rf"\. {advice}$" if advice else "$")):
        cls().partial_fit(X, y, **{name: 1})
    assert hasattr(cls(), "partial_fit")
    assert list(inspect.signature(cls.partial_fit).parameters)[:3] == ["self", "X", "y"]


@pytest.mark.parametrize("cls", [ModularClassifier, ModularRegressor])
def test_names_in_ensembles_of_scikit_learn(cls):
    with pytest.raises(
        TypeError, match=r"Use modules instead of estimators\. Use combine instead of final_estimator\.$"
    ):
        cls(estimators=[], final_estimator=None)
    with pytest.raises(ValueError, match=r"Use n_threads instead of n_jobs\.$"):
        cls([]).set_params(n_jobs=2)
    with pytest.raises(ValueError, match=r"The 'combine' parameter of .* Use 'mean'\.$"):
        cls([], combine="soft").fit(X, y)


def test_several_at_once():
    with pytest.raises(TypeError, match=r"Use max_iter instead of epochs\. Use learning_rate_init instead of lr\.$"):
        MLPClassifier(epochs=3, zzz=1, alpha=1, lr=0.1)


def test_hidden_layers_in_the_place_of_the_loss():
    message = r"multiple values for argument 'loss'\. Use hidden_layer_sizes=\(64,\): the first parameter is loss\.$"
    with pytest.raises(TypeError, match=message):
        MLPRegressor((64,), loss="huber")


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_other_errors_stay_python_s_and_scikit_learns(cls):
    with pytest.raises(TypeError, match="unexpected keyword argument 'zzz'"):
        cls(zzz=1)
    with pytest.raises(TypeError, match="unexpected keyword argument 'zzz'"):
        cls().fit(X, y, zzz=1)
    with pytest.raises(ValueError, match="Invalid parameter 'zzz' for estimator"):
        cls().set_params(zzz=1)
    for method in ("fit", "partial_fit"):
        with pytest.raises(
            TypeError, match=rf"^{cls.__name__}.{method}\(\) missing 1 required positional argument: 'y'"
        ):
            getattr(cls(), method)(X)
    with pytest.raises(ValueError, match="0 feature"):
        cls().fit(X[:, :0], y=y)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_signatures_are_as_they_were(cls):
    assert list(inspect.signature(cls).parameters) == list(inspect.signature(cls.__init__).parameters)[1:]
    assert sorted(inspect.signature(cls).parameters) == sorted(cls().get_params(deep=False))
    assert list(inspect.signature(cls.fit).parameters)[:3] == ["self", "X", "y"]
    assert cls.fit.__doc__
    assert clone(cls(max_iter=7)).max_iter == 7


def test_a_subclass_has_its_own_parameters():
    class Wider(MLPClassifier):
        def __init__(self, width=3, **parameters):
            self.width = width
            super().__init__((width,), **parameters)

    assert Wider(4, alpha=1).hidden_layer_sizes == (4,)
    with pytest.raises(TypeError, match="Use learning_rate_init instead of lr"):
        Wider(4, lr=1)


@pytest.mark.parametrize(
    ("model", "advice"),
    [
        (MLPClassifier(learning_rate=0.01), r"Use learning_rate_init=0\.01\."),
        (MLPClassifier(learning_rate="cosine_annealing"), r"Use 'cosine'\."),
        (MLPClassifier(activation="sigmoid"), r"Use 'logistic'\."),
        (MLPClassifier(activation="relo"), r"Did you mean 'relu'\?"),
        (MLPClassifier(activation="LeakyReLU"), r"Use 'leaky_relu'\."),
        (MLPClassifier(solver="Adam"), r"Use 'adam'\."),
        (MLPClassifier(class_weight="balance"), r"Did you mean 'balanced'\?"),
        (MLPClassifier("relu"), r"Use activation='relu' if you mean the activation\."),
        (MLPRegressor((64,)), r"Use hidden_layer_sizes=\(64,\): the first parameter is loss\."),
        (MLPRegressor(64), r"Use hidden_layer_sizes=64: the first parameter is loss\."),
        (MLPRegressor("mse"), r"Use 'squared_error'\."),
        (MLPRegressor("MSELoss"), r"Use 'squared_error'\."),
        (MLPRegressor("l1"), r"Use 'absolute_error'\."),
        (MLPRegressor("mae"), r"Use 'absolute_error'\."),
        (MLPRegressor("SmoothL1Loss"), r"Use 'huber'\."),
        (MLPRegressor(output_activation="sigmoid"), r"Use 'logistic'\."),
        (MLPRegressor(dtype="double"), r"Use 'float64'\."),
        (Perceptron(penalty="L2"), r"Use 'l2'\."),
        (MLPClassifier(solver="nothing like it"), r"instead\."),
        (MLPClassifier(learning_rate=None), r"instead\."),
        (MLPClassifier(alpha=-1), r"instead\."),
    ],
    ids=str,
)
def test_values_known_elsewhere(model, advice):
    with pytest.raises(ValueError, match=rf"The '\w+' parameter of \w+ must be .* {advice}$"):
        model.fit(X, y)


@pytest.mark.parametrize(
    ("make", "advice"),
    [
        (lambda: layers.LSTM(hidden_size=64), r"'hidden_size'\. Use units instead of hidden_size\."),
        (lambda: layers.Embedding(9, embedding_dim=3), "Use output_dim instead of embedding_dim."),
        (lambda: layers.Dense(9, activations="relu"), "Use activation instead of activations."),
        (lambda: layers.Conv2D(8, 3, stride=2), "Use strides instead of stride."),
        (lambda: layers.Dropout(p=0.5), "Use rate instead of p."),
        (lambda: layers.GRU(3, return_sequnces=True), "Use return_sequences instead of return_sequnces."),
        (lambda: layers.GRU(3, num_layers=2), "Use a layer for each, with return_sequences=True for all but the last"),
        (lambda: layers.GRU(3, bidirectional=True), r"Use Bidirectional\(layer\) instead\."),
        (lambda: layers.Conv1D(8, 3, in_channels=2), "Leave it out: what a layer reads follows from X."),
    ],
)
def test_settings_known_elsewhere(make, advice):
    with pytest.raises(TypeError, match=rf"__init__\(\) got an unexpected keyword argument .*{advice}"):
        make()


def test_other_errors_of_layers_stay_python_s():
    for make, message in [(lambda: layers.GRU(zzz=1), "unexpected keyword argument 'zzz'$"), (layers.GRU, "missing 1")]:
        with pytest.raises(TypeError, match=message):
            make()
    assert [*inspect.signature(layers.Dense).parameters][:2] == ["units", "activation"]


def test_advice_names_settings_that_there_are():
    classes = [getattr(layers, name) for name in layers.__all__ if name != "Layer"]
    settings = {field.name for cls in classes for field in fields(cls)}
    assert set(SETTINGS) <= settings
    assert not {*SETTINGS_ADVICE} & settings


def test_activations_in_a_list():
    message = r"activation\[1\] must be one of identity, relu, .*, got 'sigmoid'\. Use 'logistic'\.$"
    with pytest.raises(ValueError, match=message):
        MLPClassifier((3, 3), ["relu", "sigmoid"]).fit(X, y)


def test_advice_names_what_there_is():
    parameters = {name for cls in ESTIMATORS for name in cls().get_params()} | {*ModularClassifier([]).get_params()}
    assert set(PARAMETERS) <= parameters
    for ours, others in PARAMETERS.items():
        assert ours not in others.split()
    for cls in ESTIMATORS:  # nothing is said of parameters that there are
        assert not {*ADVICE} & {*cls().get_params()} - {"loss", "output_activation"}
    for name, values in VALUES.items():
        for allowed, others in values.items():
            for value in (allowed, *others.split()):
                assert value_advice(name, value, list(values)) == f"Use {allowed!r}."


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_values_are_listed_in_one_order(cls):
    """In scikit-learn's sets it differs from process to process."""
    parts = [part for each in cls._parameter_constraints.values() for part in each]
    listed = [part for part in parts if isinstance(part, StrOptions)]
    assert all(isinstance(part.options, tuple) for part in listed)
    assert len(listed) >= 2


def test_values_are_listed_in_the_order_of_the_registry():
    with pytest.raises(ValueError, match="among {" + ", ".join(map(repr, activation_names)) + "}"):
        MLPClassifier(activation="?").fit(X, y)
    script = "import fastnn; fastnn.MLPRegressor('?').fit([[1], [2]], [1, 2])"
    last_lines = set()
    for seed in "123":
        environment = os.environ | {"PYTHONHASHSEED": seed}
        run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
        last_lines.add(run.stderr.splitlines()[-1])
    assert len(last_lines) == 1
