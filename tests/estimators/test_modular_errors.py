"""Modular networks whose modules, functions or parameters are at fault: what is said, when, and what is kept."""

import gc
import weakref
from contextlib import suppress

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.naive_bayes import GaussianNB

from fastnn import ModularClassifier, ModularRegressor

ALL = slice(None)
X, Y = load_digits(return_X_y=True)
X, Y = X[:300] / 16, Y[:300]
LETTERS = np.array(list("abcdefghij"))[Y]
WEIGHT = np.ones(len(Y))


class Failing(GaussianNB):
    error = ZeroDivisionError("it had to fail")

    def fit(self, X, y, sample_weight=None):
        raise type(self.error)(*self.error.args)


class Untrainable(GaussianNB):
    def fit(self, X, y, sample_weight=None):
        raise AssertionError("it was trained")


def modular(estimator=None, **parameters):
    modules = [("one", GaussianNB(), slice(0, 32)), ("two", estimator or GaussianNB(), slice(32, 64))]
    return ModularClassifier(modules, **{"cv": 3} | parameters)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("call", ["fit", "skip", "refit", "combiner"])
def test_an_error_does_not_keep_the_data(call, n_threads):
    class Data(np.ndarray):
        pass

    model = modular(n_threads=n_threads, on_error="skip" if call == "skip" else "raise").fit(X, Y)
    model.set_params(**{"combine" if call == "combiner" else "two": Failing()})
    data = X.copy().view(Data)
    kept = weakref.ref(data)
    gc.collect()
    gc.disable()
    try:
        with suppress(ZeroDivisionError), pytest.warns(UserWarning) if call == "skip" else suppress():
            model.refit("two", data, Y) if call == "refit" else model.fit(data, Y)
        del data
        assert kept() is None
    finally:
        gc.enable()


def test_what_ends_a_program_is_not_skipped():
    class Ending(Failing):
        error = SystemExit(3)

    model = modular(Ending(), on_error="skip")
    model.set_params(one=Failing())  # whose error comes first, but ends nothing
    for on_error in "skip", "raise":
        with pytest.raises(SystemExit):
            model.set_params(on_error=on_error).fit(X, Y)
