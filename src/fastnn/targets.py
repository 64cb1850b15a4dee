"""Labels of any kind to the numbers a network learns, and back."""

import numpy as np
from sklearn.utils.multiclass import type_of_target, unique_labels


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
    codes = np.searchsorted(classes, y)
    known = classes[np.minimum(codes, len(classes) - 1)] == y
    if not np.all(known):
        raise ValueError(
            f"`y` has classes not in `self.classes_`. `self.classes_` has {classes}. 'y' has {np.unique(y[~known])}."
        )
    return codes.astype(np.int32)


class LabelEncoder:
    """Class labels as a network's targets: what kind they are, which there are, and how they are written as numbers.

    Parameters
    ----------
    y : array-like of shape (n_samples,) or (n_samples, n_labels)
        All labels there are, each at least once; for multilabel targets any indicator matrix.

    Attributes
    ----------
    kind : {"binary", "multiclass", "multilabel-indicator"}
    classes : ndarray of shape (n_classes,)
        Sorted; of multilabel targets the columns' numbers.
    n_outputs : int
        Outputs of the network: one for two classes, one per class or label otherwise.
    head : {"logistic", "softmax"}
        What the network ends in.

    Raises
    ------
    ValueError
        When y holds no classes (continuous numbers, several multiclass columns), or one only.
    """

    def __init__(self, y):
        self.kind = type_of_target(y, input_name="y")
        if self.kind == "multiclass-multioutput":
            raise ValueError(
                "Multioutput target data is not supported: y must have one column of classes, or be an "
                "indicator matrix of labels"
            )
        self.classes = unique_labels(y)
        if len(self.classes) == 1 and self.kind != "multilabel-indicator":
            raise ValueError(
                "This solver needs samples of at least 2 classes in the data, but the data contains only one class: "
                f"{self.classes[0]}"
            )
        self.head = "softmax" if self.kind == "multiclass" else "logistic"
        self.n_outputs = 1 if self.kind == "binary" else len(self.classes)

    def encode(self, y):
        """Targets as the engine takes them.

        Returns
        -------
        ndarray
            int32 class numbers of shape (n_samples,) for softmax; else zeros and ones, uint8, of shape
            (n_samples, n_outputs).

        Raises
        ------
        ValueError
            For labels that are not among `classes`, or are of another kind.
        """
        if self.kind == "multilabel-indicator":
            y = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
            if y.ndim != 2 or y.shape[1] != self.n_outputs:
                raise ValueError(f"`y` must be an indicator matrix of {self.n_outputs} labels, as in the first fit")
            if not ((y == 0) | (y == 1)).all():
                raise ValueError(
                    "`y` must be an indicator matrix of zeros and ones: `(y > 0).astype(int)` makes one of -1 and 1, "
                    "sklearn.preprocessing.MultiLabelBinarizer one of sets of labels"
                )
            return np.ascontiguousarray(y != 0).view(np.uint8)
        if y.ndim != 1:
            raise ValueError(f"`y` must be one column of classes, as in the first fit, not of shape {y.shape}")
        codes = class_numbers(self.classes, y)
        return codes if self.kind == "multiclass" else codes.astype(np.uint8).reshape(-1, 1)

    def decode(self, probabilities):
        """The likeliest class of each row of the network's outputs; of each label, whether it is likelier than not."""
        if self.kind == "multiclass":
            return self.classes[probabilities.argmax(axis=1)]
        chosen = (probabilities > 0.5).astype(int)
        return chosen if self.kind == "multilabel-indicator" else self.classes[chosen[:, 0]]
