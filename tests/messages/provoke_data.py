"""X, y and weights that are refused."""

import numpy as np
import scipy.sparse as sp
from provoke_estimators import COLUMNS, LABELS, MANY, NUMBERS, Thing, X, classifier, perceptron, regressor

INDICATORS = np.eye(30)[:, :3].astype(int)
WARM = {"warm_start": True}


def matrix(format, **parts):
    """A sparse matrix some of whose arrays are replaced, which SciPy does not check."""
    made = sp.csr_array(np.arange(1.0, 13).reshape(3, 4)).asformat(format)
    for name, value in parts.items():
        setattr(made, name, value)
    return made


def fit_on(made):
    return classifier().fit(made, [0, 1, 2])


def objects(*values):
    """A vector of these objects, even if they are lists."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def dok(key):
    made = matrix("dok")
    dict.__setitem__(made._dict, key, 1.0)
    return made


def one_row(bad, name):
    """LIL's rows or data, the first of which is another one."""
    rows = getattr(matrix("lil"), name).copy()
    rows[0] = bad
    return matrix("lil", **{name: rows})


OF_LABELS = {
    "a class that partial_fit does not know": lambda: classifier().fit(X, LABELS).partial_fit(X, LABELS + 1),
    "many classes that partial_fit does not know": lambda: perceptron().partial_fit(
        np.ones((5000, 4)), np.arange(5000), classes=[0, 1]
    ),
    "a class among many": lambda: perceptron().partial_fit(X, LABELS - 1, classes=MANY),
    "labels of another type": lambda: classifier().fit(X, LABELS).partial_fit(X, LABELS.astype(str)),
    "labels of mixed types, of a perceptron": lambda: perceptron().fit(X, objects(*[1, "a", 2] * 10)),
    "partial_fit without classes": lambda: classifier().partial_fit(X, LABELS),
    "other classes": lambda: classifier().fit(X, LABELS).partial_fit(X, LABELS, classes=[0, 1]),
    "many other classes": lambda: classifier().fit(X, LABELS).partial_fit(X, LABELS, classes=MANY),
    "other classes, of a perceptron": lambda: perceptron().fit(X, LABELS).partial_fit(X, LABELS, classes=[0, 1]),
    "columns after one column": lambda: classifier(**WARM).fit(X, LABELS).fit(X, COLUMNS),
    "other classes after a fit": lambda: classifier(**WARM).fit(X, LABELS).fit(X, LABELS % 2),
    "many other classes after a fit": lambda: (
        classifier(**WARM).fit(X, LABELS).fit(np.ones((5000, 4)), np.repeat(MANY[:2500], 2))
    ),
    "one column after indicators": lambda: classifier().fit(X, INDICATORS).partial_fit(X, LABELS),
    "numbers after indicators": lambda: classifier().fit(X, INDICATORS).partial_fit(X, 2 * INDICATORS),
    "one column after columns": lambda: classifier().fit(X, COLUMNS).partial_fit(X, LABELS),
    "columns after one column, in partial_fit": lambda: classifier().fit(X, LABELS).partial_fit(X, COLUMNS),
    "a list of class weights for one column": lambda: classifier(class_weight=[{0: 1}]).fit(X, LABELS),
    "many class weights for one column": lambda: classifier(class_weight=[{0: 1}] * 5000).fit(X, LABELS),
    "one dict of class weights for columns": lambda: classifier(class_weight={0: 1}).fit(X, COLUMNS),
    "a long dict of class weights for columns": lambda: classifier(class_weight=dict.fromkeys(MANY, 1)).fit(X, COLUMNS),
    "class weights for other columns": lambda: classifier(class_weight=[None]).fit(X, COLUMNS),
    "a number as class weight of a column": lambda: classifier(class_weight=[1, None]).fit(X, COLUMNS),
    "an object as class weight of a column": lambda: classifier(class_weight=[Thing(), None]).fit(X, COLUMNS),
    "a class weight of NaN": lambda: classifier(class_weight={0: np.nan}).fit(X, LABELS),
    "a class weight of an object": lambda: perceptron(class_weight={0: Thing()}).fit(X, LABELS),
    "a class weight of a long text": lambda: perceptron(class_weight={"a" * 5000: "b" * 5000}).fit(X, LABELS),
    "a class that is misspelt": lambda: classifier(class_weight={0: 1, 1: 1, 7: 1}).fit(X, LABELS),
    "many classes that are misspelt": lambda: classifier(class_weight=dict.fromkeys(MANY[3:], 1)).fit(X, LABELS),
    "balanced in partial_fit": lambda: classifier(class_weight="balanced").partial_fit(X, LABELS, classes=[0, 1, 2]),
    "balanced and more in partial_fit": lambda: classifier(
        class_weight=["balanced", dict.fromkeys(MANY, 1)]
    ).partial_fit(X, COLUMNS, classes=[[0, 1, 2], [0, 1]]),
    "no epochs": lambda: classifier().partial_fit(X, LABELS, classes=[0, 1, 2], epochs=0),
    "epochs of an object": lambda: classifier().partial_fit(X, LABELS, classes=[0, 1, 2], epochs=Thing()),
    "sparse numbers": lambda: regressor().fit(X, sp.csr_array(X)),
    "other columns of numbers": lambda: regressor().fit(X, X[:, :2], X_val=X, y_val=X[:, :3]),
    "counts below 0": lambda: regressor(loss="poisson").fit(X, NUMBERS),
}

OF_NUMBERS = {
    "times": lambda: classifier().fit(np.full((30, 4), "2020", "M8[D]"), LABELS),
    "a long text": lambda: classifier().fit(np.full((30, 4), "a" * 5000, object), LABELS),
    "integers beyond floats": lambda: classifier().fit(np.full((30, 4), 10**400, object), LABELS),
    "numbers beyond float32": lambda: classifier(dtype="float32").fit(X, LABELS).predict(1e300 * np.ones((30, 4))),
    "a negative sample weight": lambda: classifier().fit(X, LABELS, sample_weight=-np.ones(30)),
    "sample weights of texts": lambda: classifier().fit(X, LABELS, sample_weight=["a"] * 30),
    "sample weights of objects": lambda: classifier().fit(X, LABELS, sample_weight=[Thing()] * 30),
    "sample weights below normal numbers": lambda: classifier().fit(X, LABELS, sample_weight=np.full(30, 1e-310)),
    "sample weights of 0 for all held out": lambda: perceptron(early_stopping=True).fit(
        X, LABELS, sample_weight=np.eye(30)[0]
    ),
}

OF_SPARSE = {
    "one axis": lambda: fit_on(sp.coo_array(np.ones(3))),
    "indices of floats": lambda: fit_on(matrix("csr", indices=np.zeros(12))),
    "indices of a list": lambda: fit_on(matrix("csr", indices=[0] * 12)),
    "indices of two axes": lambda: fit_on(matrix("csr", indices=np.zeros((3, 4), int))),
    "indices out of range": lambda: fit_on(matrix("csr", indices=np.full(12, 4))),
    "starts out of range": lambda: fit_on(matrix("csr", indptr=np.array([0, 4, 8, 13]))),
    "starts that do not ascend": lambda: fit_on(matrix("csr", indptr=np.array([0, 8, 4, 12]))),
    "starts that begin late": lambda: fit_on(matrix("csr", indptr=np.array([1, 4, 8, 12]))),
    "blocks that do not divide": lambda: fit_on(matrix("bsr", data=np.ones((12, 2, 3)))),
    "blocks that are missing": lambda: fit_on(lacking_blocks()),
    "coords of one axis": lambda: fit_on(matrix("coo", coords=(np.zeros(12, int),))),
    "coords out of range": lambda: fit_on(matrix("coo", coords=(np.zeros(12, int), np.full(12, 4)))),
    "coords of floats": lambda: fit_on(matrix("coo", coords=(np.zeros(12, int), np.zeros(12)))),
    "diagonals without offsets": lambda: fit_on(matrix("dia", offsets=np.array([0]))),
    "offsets out of range": lambda: fit_on(sp.dia_array((np.ones((1, 4)), [9]), shape=(3, 4))),
    "many offsets out of range": lambda: fit_on(sp.dia_array((np.ones((5000, 4)), MANY), shape=(3, 4))),
    "a key of one index": lambda: fit_on(dok(7)),
    "a long key": lambda: fit_on(dok("a" * 5000)),
    "a key out of range": lambda: fit_on(dok((0, 9))),
    "a key of texts": lambda: fit_on(dok((0, "a" * 5000))),
    "rows of tuples": lambda: fit_on(one_row((0, 1), "rows")),
    "rows of other lengths": lambda: fit_on(one_row([0], "rows")),
    "data of texts": lambda: fit_on(one_row(["a"] * 4, "data")),
    "row indices out of range": lambda: fit_on(one_row([0, 1, 2, 9], "rows")),
    "row indices of long texts": lambda: fit_on(one_row([0, 1, 2, "a" * 5000], "rows")),
}


def lacking_blocks():
    """A BSR matrix with a block more in its data than its starts count."""
    made = sp.bsr_array((np.ones((2, 3, 2)), [0, 1], [0, 2]), shape=(3, 4))
    made.data = np.ones((3, 3, 2))
    return made


PROVOCATIONS = OF_LABELS | OF_NUMBERS | OF_SPARSE
