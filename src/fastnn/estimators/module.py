"""A module of a modular network: an estimator, the columns that it reads, and the target that it learns."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.utils.multiclass import check_classification_targets

from fastnn._sklearn import _safe_indexing
from fastnn.data.inputs import refusing
from fastnn.data.quoted import quoted

# Bytes of a slice of X up to which it is copied: its rows then lie together, in fewer lines of memory, and training on
# ten of eighty columns takes 4 % less.
MOST_COPIED = 2**26


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

    def inputs(self, X, rows=None):
        """What it reads of X, or of some rows: a copy where that is a list of columns or few numbers, else a view."""
        if self.columns is None:
            part = X
        elif isinstance(X, np.ndarray) and isinstance(self.columns, list):
            part = X.take(self.columns, axis=1)  # by rows, which take half as long to train on as those of X[:, [...]]
        else:
            part = _safe_indexing(X, self.columns, axis=1)
        if rows is not None:
            return _safe_indexing(part, rows)
        if isinstance(part, np.ndarray) and part is not X and part.nbytes <= MOST_COPIED:
            part = np.ascontiguousarray(part)
        return part

    def target(self, y):
        """What it learns of y.

        Raises
        ------
        ValueError
            When a function of y returns something else than a target for each sample.
        Exception
            What the function raises, with a note that names the module.
        """
        if self.task is None:
            return y
        if not callable(self.task):
            column = y[:, self.task]
            return np.asarray(column.tolist()) if column.dtype == object else column  # of a frame of several types
        try:
            target = self.task(y.copy())  # which it may change
        except Exception as error:
            error.add_note(f"It is the function targets[{quoted(self.name)}] that failed.")
            raise
        target = target.toarray() if sp.issparse(target) else np.asarray(target)
        target = target[:, 0] if target.shape[1:] == (1,) else target
        if target.ndim not in (1, 2) or len(target) != len(y) or target.size == 0:
            raise ValueError(
                f"targets[{quoted(self.name)}] must return one target for each of {len(y)} samples, got shape "
                f"{target.shape}"
            )
        return target

    def check_target(self, target):
        """Refuse a target of numbers for a classifier, or of anything else for a regressor.

        Raises
        ------
        ValueError
        """
        if not _is_sound(target, self.estimator):
            kind, values = ("classifier", "classes") if is_classifier(self.estimator) else ("regressor", "numbers")
            raise ValueError(
                f"the target of the module {quoted(self.name)}, a {kind}, must be {values}, got {quoted(target)}"
            )

    def check_classes(self, target):
        """Refuse a target with other classes than those that the module's outputs are of.

        Raises
        ------
        ValueError
        """
        if self.classes is None:
            return
        columns, classes = ([target], [self.classes]) if target.ndim == 1 else (target.T, self.classes)
        for column, known in zip(columns, classes, strict=True):
            others = np.setdiff1d(column, known)
            if len(others):
                raise ValueError(
                    f"y must have classes that `fit` has met, for the module {quoted(self.name)} "
                    f"{quoted(known, str)}, got {quoted(others.tolist())} besides"
                )

    def fitted(self, inputs, target, parameters):
        """This module with a clone of its estimator, fitted to what it reads and to its target.

        Raises
        ------
        ValueError
            When the estimator then has other classes than the target, or lacks one of which its outputs must tell.
        """
        estimator = clone(self.estimator)
        estimator.fit(inputs, target, **parameters)  # some return something else than themselves
        own = getattr(estimator, "classes_", None)
        if own is not None and isinstance(own, list) == isinstance(self.classes, list):
            pairs = zip(own, self.classes, strict=True) if isinstance(own, list) else [(own, self.classes)]
            needs_all = self.method == "decision_function"  # which has no number for a class that the fit has not met
            for mine, known in pairs:
                if not np.isin(mine, known).all() or (needs_all and len(mine) < len(known)):
                    raise ValueError(
                        f"classes_ of the module {quoted(self.name)} must be {'all ' * needs_all}classes of its target "
                        f"for {self.method}, {quoted(known, str)}, got {quoted(mine, str)}"
                    )
        return replace(self, estimator=estimator)

    def outputs(self, inputs):
        """Its outputs for what it reads; probabilities have a column for each of `classes`."""
        outputs = getattr(self.estimator, self.method)(inputs)
        if self.classes is None or self.method == "predict":
            return outputs
        return self._aligned(outputs, getattr(self.estimator, "classes_", self.classes), self.classes)

    def _aligned(self, outputs, own, classes):
        """Outputs of an estimator that has met only its `own` of the classes, with columns for the others, too."""
        if isinstance(outputs, list):
            return [self._aligned(*each) for each in zip(outputs, own, classes, strict=True)]
        if isinstance(classes, list) or np.array_equal(own, classes):  # an array for several columns: of labels
            return outputs
        aligned = np.zeros((len(outputs), len(classes)), outputs.dtype)
        aligned[:, np.searchsorted(classes, own)] = outputs
        return aligned


def _is_sound(target, estimator):
    """Whether a target is classes, for a classifier, or finite numbers, for a regressor."""
    if target.dtype.kind == "f" and not np.isfinite(target).all():
        return False
    try:
        if is_classifier(estimator):
            check_classification_targets(target)
        elif is_regressor(estimator) and target.dtype.kind == "O":
            target.astype(np.float64)
    except (ValueError, TypeError):
        return False
    return target.dtype.kind not in "US" or not is_regressor(estimator)


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
