"""A module of a modular network: an estimator, the columns that it reads, and the target that it learns."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import clone, is_classifier

from fastnn._sklearn import _safe_indexing
from fastnn.data.inputs import refusing
from fastnn.data.quoted import quoted


@dataclass(frozen=True, eq=False)
class Module:
    """A module, fitted or not.

    Parameters
    ----------
    name : str
    estimator : estimator
    columns : int, slice or list of int, default=None
        The columns of X that it reads; an integer is one column as a vector. None: all of X, as it is.
    task : int or callable, default=None
        Its target: the number of a column of y, or a function of y. None: y itself.
    method : str, default="predict"
        The method that makes its outputs.
    classes : ndarray, or a list of such, default=None
        The classes of its target, or of each column of that. None: its target is numbers.
    """

    name: str
    estimator: object
    columns: object = None
    task: object = None
    method: str = "predict"
    classes: object = None

    def inputs(self, X):
        """What it reads of X: a copy where that is a list of columns, else X or a view of it."""
        if self.columns is None:
            return X
        if isinstance(X, np.ndarray) and isinstance(self.columns, list):
            return X.take(self.columns, axis=1)  # by rows, which take half as long to train on as those of X[:, [...]]
        return _safe_indexing(X, self.columns, axis=1)

    def target(self, y):
        """What it learns of y.

        Raises
        ------
        ValueError
            When a function of y returns something else than a target for each sample.
        """
        if self.task is None:
            return y
        if not callable(self.task):
            column = y[:, self.task]
            return np.asarray(column.tolist()) if column.dtype == object else column  # of a frame of several types
        target = np.asarray(self.task(y))
        if target.ndim == 0 or len(target) != len(y):
            raise ValueError(
                f"targets[{quoted(self.name)}] must return one target for each of {len(y)} samples, got shape "
                f"{target.shape}"
            )
        return target

    def check_classes(self, target):
        """Refuse a target with other classes than those that the module's outputs are of.

        Raises
        ------
        ValueError
        """
        if self.classes is not None and not isinstance(self.classes, list):
            others = np.setdiff1d(target, self.classes)
            if len(others):
                raise ValueError(
                    f"y must have classes that `fit` has met, for the module {quoted(self.name)} "
                    f"{quoted(self.classes, str)}, got {quoted(others.tolist())} besides"
                )

    def fitted(self, inputs, target, parameters):
        """This module with a clone of its estimator, fitted to what it reads and to its target."""
        return replace(self, estimator=clone(self.estimator).fit(inputs, target, **parameters))

    def outputs(self, inputs):
        """Its outputs for what it reads; probabilities have a column for each of `classes`."""
        outputs = getattr(self.estimator, self.method)(inputs)
        if self.classes is None or self.method == "predict":
            return outputs
        return self._aligned(outputs, self.estimator.classes_, self.classes)

    def _aligned(self, outputs, own, classes):
        """Outputs of an estimator that has met only its `own` of the classes, with columns for the others, too."""
        if isinstance(outputs, list):
            return [self._aligned(*each) for each in zip(outputs, own, classes, strict=True)]
        if isinstance(classes, list) or np.array_equal(own, classes):  # an array for several columns: of labels
            return outputs
        if not np.isin(own, classes).all() or outputs.ndim != 2 or outputs.shape[1] != len(own):
            raise ValueError(
                f"{self.method} of the module {quoted(self.name)} must have a column for each of its classes, which "
                f"are among {quoted(classes, str)}, got shape {outputs.shape} for {quoted(own, str)}"
            )
        lacking = 0 if self.method == "predict_proba" else np.finfo(outputs.dtype).min
        aligned = np.full((len(outputs), len(classes)), lacking, outputs.dtype)
        aligned[:, np.searchsorted(classes, own)] = outputs
        return aligned


def classes_of(target):
    """The classes in a target, sorted; a list of such for several columns.

    Raises
    ------
    ValueError
    """
    with refusing("y must be labels of one type, such as numbers or texts"):
        return np.unique(target) if target.ndim == 1 else [np.unique(column) for column in target.T]


def score(estimator, X, y):
    """The score of an estimator: scikit-learn's classifiers have none for several columns of classes."""
    if y.ndim == 2 and is_classifier(estimator):
        return float((estimator.predict(X) == y).all(axis=1).mean())
    return estimator.score(X, y)
