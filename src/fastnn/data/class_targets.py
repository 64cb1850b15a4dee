"""Class labels as the numbers that a network learns, and its outputs as class labels."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from fastnn.data.inputs import class_weights, native, refusing
from fastnn.data.quoted import quoted
from fastnn.data.sparse import check_dense
from fastnn.engine.loss import Loss

# For fewer labels than this, NumPy's general functions are as fast as counting.
_MANY = 1000


def _can_be_counted(y, low, high):
    """Whether y holds whole numbers, and so many that a table from `low` to `high` costs little beside them."""
    return len(y) >= _MANY and np.can_cast(y.dtype, np.intp) and int(high) - int(low) < len(y)


def distinct(y):
    """The distinct labels, sorted, as `np.unique` finds them; of many whole numbers near each other in less time.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)

    Returns
    -------
    ndarray of shape (n_classes,)
    """
    if y.dtype.kind in "biu" and len(y):
        low = y.min()
        if _can_be_counted(y, low, y.max()):
            counts = np.bincount(y.astype(np.intp, copy=False) - int(low))
            return (np.flatnonzero(counts) + int(low)).astype(y.dtype)
    return np.unique(y)


def plain_classes(y):
    """The sorted classes in a column of labels that scikit-learn's checks would neither change nor refuse.

    They take longer than a small fit.

    Returns
    -------
    ndarray of shape (n_classes,), or None where y needs the checks
    """
    if type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "biuU":
        classes = distinct(y)
        # Where there are more, scikit-learn may warn that they are too many for classes.
        if len(classes) <= len(y) // 2:
            # Texts as wide as the longest one, as scikit-learn has them.
            return np.array(classes.tolist()) if y.dtype.kind == "U" else native(classes)
    return None


def class_numbers(classes, y):
    """The number of each label among the classes.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted.
    y : ndarray of shape (n_samples,)

    Returns
    -------
    ndarray of int32 of shape (n_samples,)

    Raises
    ------
    ValueError
        For labels that are not among the classes.
    """
    if len(classes) and np.can_cast(classes.dtype, np.intp) and _can_be_counted(y, classes[0], classes[-1]):
        codes = _looked_up(classes, y)
        if codes is not None:
            return codes
    if classes.dtype.kind + y.dtype.kind in ("iu", "ui"):
        classes, y = classes.astype(object), y.astype(object)  # NumPy would compare them as floating-point numbers
    with refusing("y must be labels that can be compared with the classes, {}", classes):
        codes = np.searchsorted(classes, y)
    known = classes[np.minimum(codes, len(classes) - 1)] == y
    if not np.all(known):
        raise ValueError(
            f"y must have no other classes than {quoted(classes, str)}, got {quoted(np.unique(y[~known]), str)}"
        )
    return codes.astype(np.int32)


def _looked_up(classes, y):
    """The number of each whole number among the classes, from a table; None if any is not among them."""
    low, high = int(classes[0]), int(classes[-1])
    if y.min() < low or y.max() > high:
        return None
    numbers = np.full(high - low + 1, -1, np.int32)
    numbers[classes.astype(np.intp, copy=False) - low] = np.arange(len(classes))
    codes = numbers[y.astype(np.intp, copy=False) - low]
    return None if codes.min() < 0 else codes


def are_same(classes, known):
    """Whether classes, in any order, are the known ones; for several columns, whether those of each column are."""
    if isinstance(known, list):
        return len(classes) == len(known) and all(map(are_same, classes, known))
    return np.array_equal(unique_labels(classes), known)


def check_classes(classes, known):
    """Refuse what `partial_fit` or `fit_stream` is given as `classes`, where it is not what the call needs.

    Parameters
    ----------
    classes : array-like, or None
    known : ndarray of shape (n_classes,), a list of such, or None
        The classes that the model has; None if this is the first call.

    Raises
    ------
    ValueError
    """
    if known is None and classes is None:
        raise ValueError("classes must be given in the first call to partial_fit, got None")
    if known is not None and classes is not None and not are_same(classes, known):
        raise ValueError(f"classes must be those that the model has, {quoted(known)}, got {quoted(classes)}")


def indicates(y):
    """Whether a matrix of two values in all, or a sparse one, holds zeros and ones only."""
    values = y.data if issparse(y) else np.asarray(y)
    return bool(((values == 0) | (values == 1)).all())


class Labels:
    """Class labels: their type, the classes there are, and the numbers that stand for them.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_columns)
        Every class there is, at least once; for multilabel targets any matrix of zeros and ones.

    Attributes
    ----------
    target_type : {"binary", "multiclass", "multilabel-indicator", "multiclass-multioutput"}
        The type, as scikit-learn's `type_of_target` calls it.
    classes : ndarray of shape (n_classes,), or a list of such
        The classes, sorted; for multilabel targets the numbers of the columns; for several columns of classes a list
        with the classes of each column.
    n_outputs : int
        The number of outputs of the network: one for one class or two, else one for each class or label.
    head : {"logistic", "softmax"}
        The activation that the network ends in.
    groups : list of int or None
        The number of classes of each column, for several columns of classes; else None.

    Raises
    ------
    ValueError
        When y holds continuous numbers, not classes.
    TypeError
        For columns of classes in a sparse matrix.
    """

    are_numbers = False

    def __init__(self, y):
        classes = plain_classes(y)
        if classes is not None:
            self._take("binary" if len(classes) <= 2 else "multiclass", classes)
            return
        with refusing("y must be labels of one type, such as numbers or texts"):
            target_type = type_of_target(y, input_name="y")
        # scikit-learn calls any two values in a matrix multilabel; but it predicts zeros and ones for them.
        if target_type == "multiclass-multioutput" or (target_type == "multilabel-indicator" and not indicates(y)):
            check_dense(y)
            self._take("multiclass-multioutput", [unique_labels(column) for column in np.asarray(y).T])
        else:
            check_classification_targets(y)
            self._take(target_type, unique_labels(y))

    @classmethod
    def of_type(cls, target_type, classes):
        """Labels of a known type, from the classes there are, or from a list of those of each column."""
        if target_type == "multiclass-multioutput":
            return cls.of_sorted(target_type, [unique_labels(column) for column in classes])
        return cls.of_sorted(target_type, unique_labels(classes))

    @classmethod
    def of_sorted(cls, target_type, classes):
        """Labels of a known type, from sorted arrays of classes, which are not copied."""
        labels = cls.__new__(cls)
        labels._take(target_type, classes)
        return labels

    def _take(self, target_type, classes):
        self.target_type = target_type
        columns = target_type == "multiclass-multioutput"
        self.classes = [native(column) for column in classes] if columns else native(classes)
        self.groups = [len(column) for column in self.classes] if columns else None
        self.head = "softmax" if self.target_type.startswith("multiclass") else "logistic"
        self.n_outputs = sum(self.groups) if self.groups else 1 if self.target_type == "binary" else len(self.classes)

    @property
    def has_single_class(self):
        """Whether there is one class, which is always predicted; as in scikit-learn, the network learns to output 0."""
        return self.target_type == "binary" and len(self.classes) == 1

    @property
    def of_columns(self):
        """list of ndarray: the classes of each column of y."""
        if self.target_type == "multilabel-indicator":
            return [np.arange(2)] * self.n_outputs
        return self.classes if self.groups else [self.classes]

    def check_same(self, y):
        """Refuse a y with other classes than there are, for a training that continues with them.

        Raises
        ------
        ValueError
        """
        if np.ndim(y) != (1 if self.target_type in ("binary", "multiclass") else 2):
            n_columns = len(self.groups or self.classes)
            columns = "one column" if self.target_type in ("binary", "multiclass") else f"{n_columns} columns"
            raise ValueError(
                f"y must have {columns}, as in the previous call to fit, with warm_start=True, got shape {np.shape(y)}"
            )
        if self.groups:
            check_dense(y)
        columns = zip(self.classes, np.asarray(y).T, strict=False) if self.groups else [(self.classes, y)]
        for classes, column in columns:
            labels = unique_labels(column)
            if set(labels) != set(classes):
                raise ValueError(
                    f"y must have the same classes as in the previous call to fit, {quoted(classes, str)}, with "
                    f"warm_start=True, got {quoted(labels, str)}"
                )

    def loss(self, label_smoothing):
        """The loss that goes with the head."""
        if self.has_single_class:  # which has no other to share its probability with
            label_smoothing = 0.0
        return Loss(self.head, self.head, self.n_outputs, label_smoothing, self.groups)

    def encode(self, y):
        """The targets as the engine reads them.

        Returns
        -------
        ndarray
            int32 class numbers of shape (n_samples,), or (n_samples, n_columns), for softmax; else zeros and ones,
            uint8, of shape (n_samples, n_outputs).

        Raises
        ------
        ValueError
            For labels that are not among the classes, or of another type.
        TypeError
            For columns of classes in a sparse matrix.
        """
        if self.target_type == "multilabel-indicator":
            y = y.toarray() if issparse(y) else np.asarray(y)
            if y.ndim != 2 or y.shape[1] != self.n_outputs:
                raise ValueError(
                    f"y must be an indicator matrix of {self.n_outputs} labels, as in the first fit, "
                    f"got shape {y.shape}"
                )
            if not indicates(y):
                raise ValueError(
                    f"y must be an indicator matrix of zeros and ones, got {y[(y != 0) & (y != 1)][0]}: "
                    "(y > 0).astype(int) makes one of -1 and 1, sklearn.preprocessing.MultiLabelBinarizer one of sets "
                    "of labels"
                )
            return np.ascontiguousarray(y != 0).view(np.uint8)
        if self.groups:
            check_dense(y)
            if y.ndim != 2 or y.shape[1] != len(self.groups):
                raise ValueError(
                    f"y must have {len(self.groups)} columns of classes, as in the first fit, got shape {y.shape}"
                )
            codes = [class_numbers(classes, column) for classes, column in zip(self.classes, y.T, strict=True)]
            return np.ascontiguousarray(np.stack(codes, axis=1))
        if y.ndim != 1:
            raise ValueError(f"y must be one column of classes, as in the first fit, got shape {y.shape}")
        codes = class_numbers(self.classes, y)
        return codes if self.target_type == "multiclass" else codes.astype(np.uint8).reshape(-1, 1)

    def strata(self, codes):
        """The classes of which the same part is held out each: of two classes only, as in scikit-learn; else None."""
        return codes[:, 0] if self.target_type == "binary" else None

    def weights(self, class_weight, codes, counted, sample_weight):
        """The weight that class weights give each sample, or each of its targets.

        Parameters
        ----------
        class_weight : dict, "balanced", a list of either with one for each column of y, or None
        codes : ndarray
            The targets, as `encode` returns them.
        counted : ndarray
            The targets that "balanced" counts: the same, or those of other samples.
        sample_weight : ndarray of shape (n_samples,) or (n_samples, n_columns), or None
            What "balanced" counts each of these samples for, or each of its targets.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_columns), or None

        Raises
        ------
        ValueError
            For a list of another length, and for what `class_weights` refuses.
        """
        if class_weight is None:
            return None
        if codes.ndim == 1 or self.target_type == "binary":
            if not isinstance(class_weight, (str, dict)):
                raise ValueError(
                    f"class_weight must be a dict, 'balanced' or None for a y of one column, got {quoted(class_weight)}"
                )
            return class_weights(class_weight, self.classes, counted.reshape(-1), sample_weight)[codes.reshape(-1)]
        n_columns = codes.shape[1]
        if isinstance(class_weight, dict) or not isinstance(class_weight, (str, list, tuple)):
            raise ValueError(
                f"class_weight must be 'balanced' or a list of {n_columns}, one for each column of y, "
                f"got {quoted(class_weight)}"
            )
        each = [class_weight] * n_columns if isinstance(class_weight, str) else list(class_weight)
        if len(each) != n_columns:
            raise ValueError(
                f"class_weight must be a list of {n_columns}, one for each column of y, got a list of {len(each)}"
            )
        for i, weight in enumerate(each):
            if not isinstance(weight, dict) and weight not in ("balanced", None):
                raise ValueError(f"class_weight[{i}] must be a dict, 'balanced' or None, got {quoted(weight)}")
        of_columns = sample_weight.T if np.ndim(sample_weight) == 2 else [sample_weight] * n_columns
        weights = list(map(class_weights, each, self.of_columns, counted.T, of_columns))
        return np.stack([column[own] for column, own in zip(weights, codes.T, strict=True)], axis=1)

    def codes(self, outputs):
        """The number of the likeliest class in each row of the network's outputs; for labels, whether each is likely.

        Returns
        -------
        ndarray
            It has the shape that `encode` returns.
        """
        if self.target_type == "multiclass":
            return outputs.argmax(axis=1)
        if self.groups:
            return np.stack([part.argmax(axis=1) for part in self.split(outputs)], axis=1)
        return np.zeros(outputs.shape, bool) if self.has_single_class else outputs > 0.5

    def decode(self, outputs):
        """The predictions from the network's outputs: classes, or an indicator matrix of labels."""
        return self.from_codes(self.codes(outputs))

    def from_codes(self, codes):
        """Likewise from the numbers of classes, as `codes` or `Network.labels` returns them."""
        if self.groups:
            return np.stack([classes[column] for classes, column in zip(self.classes, codes.T, strict=True)], axis=1)
        if self.target_type == "multilabel-indicator":
            return codes.astype(int, copy=False)
        codes = codes.reshape(len(codes))
        return self.classes.take(np.zeros_like(codes, int) if self.has_single_class else codes)

    def probabilities(self, outputs):
        """The probability of each class, from the network's outputs; for several columns of classes, a list of them."""
        if self.has_single_class:
            return np.ones_like(outputs)
        if self.target_type == "binary":
            return np.hstack([1 - outputs, outputs])
        return self.split(outputs) if self.groups else outputs

    def split(self, outputs):
        """The outputs of each column of classes."""
        return np.split(outputs, np.cumsum(self.groups)[:-1], axis=1)
