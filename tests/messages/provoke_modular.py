"""Modular networks that are refused."""

import numpy as np
import pandas as pd
from provoke_estimators import COLUMNS, LABELS, MANY, NUMBERS, Thing, X, classifier, regressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import ShuffleSplit
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.svm import LinearSVC

from fastnn import ModularClassifier, ModularRegressor

ALL = slice(None)
FRAME = pd.DataFrame(X, columns=list("abcd"))
COUNTS = pd.DataFrame({"digit": LABELS, "odd": LABELS % 2})
LONG = "x" * 5000


def modular(modules=None, **parameters):
    modules = [("one", classifier(), [0, 1]), ("two", classifier(), ALL)] if modules is None else modules
    return ModularClassifier(modules, **{"cv": 2} | parameters)


def fit(modules=None, X=X, y=LABELS, **parameters):
    return modular(modules, **parameters).fit(X, y)


def learnt(**parameters):
    return fit(**parameters)


def model(**parameters):
    return fit(combine=LogisticRegression(), **parameters)


def one(estimator=None, columns=ALL, name="one"):
    return [(name, estimator or classifier(), columns)]


OF_MODULES = {
    "labels of several types": lambda: fit(y=np.array([[0, "b"], [1, None], [2, 3]] * 10, object)),
    "no modules": lambda: fit([]),
    "modules that are all left out": lambda: fit([("one", "drop", ALL)]),
    "a pair": lambda: fit([("one", classifier())]),
    "a name twice": lambda: fit(one() * 2),
    "a name with two underscores": lambda: fit(one(name="a__b")),
    "the name of a parameter": lambda: fit(one(name="weights")),
    "a number for a name": lambda: fit(one(name=3)),
    "a class": lambda: fit(one(LogisticRegression)),
    "an object": lambda: fit(one(Thing())),
    "what does not predict": lambda: fit(one(NearestNeighbors())),
    "a column that X does not have": lambda: fit(one(columns=[4])),
    "a name that X does not have": lambda: fit(one(columns=[LONG]), X=FRAME),
    "names of an array": lambda: fit(one(columns=["a"])),
    "no columns": lambda: fit(one(columns=[])),
    "objects for columns": lambda: fit(one(columns=[Thing()])),
    "columns of images": lambda: fit(X=np.ones((30, 2, 2))),
    "columns of sequences": lambda: fit(X=[[1], [2, 3]], y=[0, 1]),
    "columns of a table without any": lambda: fit(X=X[:, :0]),
}
OF_TARGETS = {
    "a target of no module": lambda: fit(targets={LONG: 0}),
    "a column of a vector": lambda: fit(targets={"one": 0}, combine=classifier()),
    "a column that y does not have": lambda: fit(y=COLUMNS, targets={"one": 2}, combine=classifier()),
    "a name that y does not have": lambda: fit(y=COUNTS, targets={"one": LONG}, combine=classifier()),
    "a function that returns fewer": lambda: fit(targets={"one": lambda y: y[1:]}, combine=classifier()),
    "a function that returns a number": lambda: fit(targets={"one": np.mean}, combine=classifier()),
    "numbers for a classifier": lambda: fit(targets={"one": lambda y: y / 3}, combine=classifier()),
    "functions and a mean": lambda: fit(targets={"one": lambda y: y > 1}),
    "columns and a product": lambda: fit(y=COLUMNS, targets={"one": 1}, combine="product"),
    "columns and a mean": lambda: ModularRegressor(one(regressor()), targets={"one": 0}).fit(X, COLUMNS),
    "a function of the sample": lambda: fit(targets={"one": lambda y: np.arange(len(y)) % 2}, combine="product"),
    "classes alike": lambda: fit(one(), targets={"one": lambda y: y > 1}, combine="product"),
    "several columns of classes and a vote": lambda: fit(y=COLUMNS, combine="vote"),
    "targets of steps": lambda: fit(y=[[1], [1, 2]]),
}
OF_COMBINATIONS = {
    "a combination that there is not": lambda: fit(combine="soft"),
    "a regressor for classes": lambda: fit(combine=Ridge()),
    "a classifier for numbers": lambda: ModularRegressor(one(regressor()), combine=classifier()).fit(X, NUMBERS),
    "a class that combines": lambda: fit(combine=LogisticRegression),
    "a regressor among classifiers": lambda: fit(one(regressor()), combine="vote"),
    "no probabilities for a mean": lambda: fit(one(LinearSVC())),
    "a classifier among regressors": lambda: ModularRegressor(one()).fit(X, NUMBERS),
    "weights of others": lambda: fit(weights=MANY),
    "texts for weights": lambda: fit(weights=["a", LONG]),
    "a negative weight": lambda: fit(weights=[1, -1]),
    "weights of zero": lambda: fit(weights=[0, 0]),
    "weights for a model": lambda: model(weights=[1, 2]),
    "X beside a mean": lambda: fit(passthrough=True),
    "images beside outputs": lambda: model(modules=one(), X=np.ones((30, 2, 2)), passthrough=True),
    "folds that overlap": lambda: model(cv=ShuffleSplit(3, random_state=0)),
    "weights for what takes none": lambda: modular(one(KNeighborsClassifier(2))).fit(X, LABELS, sample_weight=NUMBERS),
    "a class that a decision function lacks": lambda: model(
        modules=one(LinearSVC()), cv=[(np.arange(30)[LABELS > 0], np.arange(30)[LABELS == 0]),
                              (np.arange(30)[LABELS == 0], np.arange(30)[LABELS > 0])]
    ),
}  # fmt: skip
OF_FITTED = {
    "a module that there is not": lambda: learnt().refit(LONG, X, LABELS),
    "a module that is left out now": lambda: learnt().set_params(one="drop").refit("one", X, LABELS),
    "a combiner that there is not": lambda: learnt().refit("one", X, LABELS, refit_combiner=True),
    "a combiner perhaps": lambda: learnt().refit("one", X, LABELS, refit_combiner=LONG),
    "a combiner of fewer classes": lambda: model().refit("one", X, LABELS * 0, refit_combiner=True),
    "a module of another kind now": lambda: learnt().set_params(one=regressor()).refit("one", X, LABELS),
    "a class that is new": lambda: learnt().refit("one", X, np.arange(30)),
    "another number of columns": lambda: learnt().refit("one", X, COLUMNS),
}
PROVOCATIONS = OF_MODULES | OF_TARGETS | OF_COMBINATIONS | OF_FITTED
