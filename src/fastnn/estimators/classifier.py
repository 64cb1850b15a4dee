"""What the classifiers among the networks share: their targets, their loss and their predictions."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, ClassVar, overload

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from fastnn._sklearn import _fit_context, available_if, set_label_binarizer, target_type
from fastnn.data.class_targets import Labels, are_same, check_classes, indicates
from fastnn.data.inputs import check_not_balanced, checked_count, is_plain_column, scored
from fastnn.data.quoted import quoted
from fastnn.data.ragged import as_objects
from fastnn.estimators.constraints import Interval, StrOptions
from fastnn.estimators.network import BaseNetwork
from fastnn.estimators.suggestions import advising_on_parameters
from fastnn.training.scores import accuracy
from fastnn.training.transaction import snapshot

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeVar

    from numpy.typing import ArrayLike, NDArray

    from fastnn.typing import Arrays, Classes, ClassWeight, SamplesLike

    # As typing.Self, which Jedi takes for the class that defines a method.
    Self = TypeVar("Self", bound="BaseClassifier")


@dataclass(eq=False, repr=False)
class BaseClassifier(ClassifierMixin, BaseNetwork):
    """What every network that predicts classes has."""

    _: KW_ONLY
    class_weight: ClassWeight | Sequence[ClassWeight | None] | None = None
    label_smoothing: float = 0.0

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseNetwork._parameter_constraints,
        "class_weight": [None, dict, StrOptions(["balanced"]), list, tuple],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }
    _y_checks: ClassVar[dict[str, Any]] = {}
    _sklearn_class: ClassVar[type[SklearnClassifier]] = SklearnClassifier
    loss: ClassVar[str] = "log_loss"  # not a parameter; scikit-learn's classifier has the attribute, too

    @available_if(BaseNetwork._check_stochastic)
    @advising_on_parameters
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self: Self,
        X: SamplesLike,
        y: SamplesLike,
        sample_weight: ArrayLike | None = None,
        classes: Classes | None = None,
        *,
        epochs: int = 1,
    ) -> Self:
        # From tools/docstrings: <X>, <sample_weight>, <epochs>, <the fitted estimator>,
        # <other errors and warnings of partial_fit>
        """Train on these samples, and continue from where the last fit ended.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, of any real type. CSR is read as it is, other sparse formats are converted to it. A network of
            layers also takes arrays of 3 or 4 axes: images (n_samples, height, width) or
            (n_samples, height, width, channels), and sequences (n_samples, n_steps, features). It makes a sparse X
            dense batch by batch, unless its first layer is dense. If its layers read sequences, a list or an object
            array of arrays (n_steps, features) or (n_steps,), and a list column of Arrow or polars, are sequences of
            any length; they are not padded. (Lists in lists that could be an array are that array, as everywhere in
            scikit-learn.)
        y : array-like of shape (n_samples,) or (n_samples, n_columns)
            Targets of the type that `fit` takes. Not every class need be among them.
        sample_weight : array-like of shape (n_samples,), default=None
            What each sample's loss is multiplied by. None is 1 for each. Where targets are of steps, also a weight for
            each step, in the form of y.
        classes : array-like of shape (n_classes,), or a list of such, default=None
            All classes there will ever be; for multilabel targets the numbers of the columns; for several columns of
            classes a list with the classes of each column. Required in the first call.
        epochs : int, default=1
            How often to go through the samples.

        Returns
        -------
        self : BaseNetwork
            The estimator itself, fitted.

        Raises
        ------
        ValueError
            As for `fit`; also in the first call without `classes`, and for ``class_weight="balanced"``.
        AttributeError
            With solver="lbfgs", which needs all samples at once.
        RuntimeError
            When another thread is fitting this very estimator.
        KeyboardInterrupt
            When Ctrl-C is pressed twice within a second. The estimator is then as it was before.

        Warns
        -----
        UserWarning
            When Ctrl-C is pressed once: the estimator keeps what it has learnt.
        """
        check_not_balanced(self.class_weight)
        return self._fit(X, y, sample_weight, n_epochs=checked_count("epochs", epochs), classes=classes)

    @staticmethod
    def _targets_of(classes, multilabel, n_outputs, names):
        """The encoder of given classes, or of 0, 1, ..., for a network with this number of outputs.

        The names of its kernel and its bias are for messages.
        """
        classes = _as_sequence(classes)
        if multilabel:
            targets = Labels.of_type("multilabel-indicator", np.arange(n_outputs) if classes is None else classes)
        elif classes is not None and np.ndim(classes[0]):
            targets = Labels.of_type("multiclass-multioutput", classes)
        else:
            classes = np.arange(max(2, n_outputs)) if classes is None else classes
            targets = Labels.of_type("multiclass" if len(classes) > 2 else "binary", classes)
        given = classes if targets.groups else [targets.classes if classes is None else classes]
        if not all(map(np.array_equal, given, targets.classes if targets.groups else [targets.classes])):
            raise ValueError(
                f"classes must be sorted, as the outputs are: {quoted(targets.classes, str)}, "
                f"got {quoted(classes, str)}"
            )
        if targets.n_outputs != n_outputs:
            kernel, bias = names
            message = (
                f"{bias} must have shape ({targets.n_outputs},) for the classes {quoted(targets.classes, str)}, "
                f"got ({n_outputs},)"
            )
            if targets.target_type == "binary" and n_outputs == 2:
                message += (
                    f": two logits act as one, their difference; pass {kernel}[:, 1:] - {kernel}[:, :1] and "
                    f"{bias}[1:] - {bias}[:1] as the last layer"
                )
            raise ValueError(message)
        return targets

    @staticmethod
    def _targets_like_sklearn(fitted):
        return Labels.of_type(target_type(fitted), fitted.classes_)

    def _set_sklearn_targets(self, estimator):
        """Set the classes, and what scikit-learn decodes them with; refuse a type of targets that it does not have."""
        if self._targets.groups:
            raise ValueError(
                "y must be one column of classes for a network of scikit-learn's, "
                f"got {len(self._targets.groups)} columns"
            )
        estimator.classes_ = self.classes_
        is_multilabel = self._targets.target_type == "multilabel-indicator"
        labels = np.eye(len(self.classes_), dtype=int) if is_multilabel else self.classes_
        set_label_binarizer(estimator, LabelBinarizer().fit(labels))

    def _make_targets(self, y, classes, resumes, partial):
        if resumes:
            check_classes(classes, self.classes_)
            if not partial:
                self._targets.check_same(y)
            return self._targets
        if not partial:
            return Labels(y)
        check_classes(classes, known=None)
        classes = _as_sequence(classes)
        if len(classes) == 0:
            raise ValueError(f"classes must hold at least 1 class, got {quoted(classes)}")
        if np.ndim(classes[0]):  # the classes decide, since a part of y may look like targets of any type
            targets = Labels.of_type("multiclass-multioutput", classes)
        elif type_of_target(y).startswith("multilabel") and indicates(y):
            targets = Labels(y)
        elif y.ndim == 2:
            raise ValueError(
                f"classes must be a list of {y.shape[1]}, the classes of each column of y, got {quoted(classes)}"
            )
        else:
            targets = Labels(classes)
        if not are_same(classes, targets.classes):
            raise ValueError(f"classes must be {quoted(targets.classes, str)}, as y has them, got {quoted(classes)}")
        return targets

    def _target_weights(self, targets, encoded, counted):
        return targets.weights(self.class_weight, encoded, *counted)

    def _loss(self, targets):
        return targets.loss(self.label_smoothing)

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels, sorted; for several columns of classes, a list with the labels of each column."""
        if not hasattr(self, "_targets"):
            raise AttributeError(f"This {type(self).__name__} instance is not fitted yet, so it has no classes.")
        return self._targets.classes

    @overload
    def predict(self, X: Arrays) -> NDArray[Any]: ...

    @overload
    def predict(self, X: SamplesLike) -> Any: ...

    def predict(self, X: SamplesLike) -> Any:
        # From tools/docstrings: <samples to predict>, <results for steps>
        """The likeliest class of each sample.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, of any real type; in the shape that `fit` was given.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_columns)
            The labels; for multilabel targets an indicator matrix.
            What is predicted for each step of sequences has the form of X: a list of arrays for a list, an object array
            for one, and an array of shape (n_samples, n_steps, ...) for an array. Steps that layers leave out of X have
            no predictions: where sequences then differ in their lengths, an object array stands for an array.
        """
        return snapshot(self)._decoded(X, Labels.from_codes, as_codes=True)

    @overload
    def predict_proba(self, X: Arrays) -> NDArray[np.floating[Any]]: ...

    @overload
    def predict_proba(self, X: SamplesLike) -> Any: ...

    def predict_proba(self, X: SamplesLike) -> Any:
        # From tools/docstrings: <samples to predict>, <results for steps>
        """The probability of each class, in the order of `classes_`; for multilabel targets, of each label.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, of any real type; in the shape that `fit` was given.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or a list of such
            In the type that the network computes in; for several columns of classes, a list with those of each column.
            What is predicted for each step of sequences has the form of X: a list of arrays for a list, an object array
            for one, and an array of shape (n_samples, n_steps, ...) for an array. Steps that layers leave out of X have
            no predictions: where sequences then differ in their lengths, an object array stands for an array.
        """
        return snapshot(self)._decoded(X, Labels.probabilities)

    @overload
    def predict_log_proba(self, X: Arrays) -> NDArray[np.floating[Any]]: ...

    @overload
    def predict_log_proba(self, X: SamplesLike) -> Any: ...

    def predict_log_proba(self, X: SamplesLike) -> Any:
        # From tools/docstrings: <samples to predict>
        """The logarithms of `predict_proba`: -inf where a probability is too small for its type.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, of any real type; in the shape that `fit` was given.

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or a list of such
            The logarithms, in the form that `predict_proba` has.
        """
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return _logarithms(probabilities)

    def _are_plain_labels(self, y):
        """Whether labels to compare predictions with are an array of the classes' own type, and not of floats."""
        return (
            is_plain_column(y, getattr(y, "size", 0))
            and y.size > 0
            and y.dtype.kind != "f"
            and y.dtype == getattr(self.classes_, "dtype", None)
        )

    def score(self, X: SamplesLike, y: SamplesLike, sample_weight: ArrayLike | None = None) -> float:
        # From tools/docstrings: <samples to predict>, <sample_weight of scores>
        """The accuracy: the part of the samples whose every label is predicted correctly.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples, of any real type; in the shape that `fit` was given.
        y : array-like of shape (n_samples,) or (n_samples, n_columns)
            The true labels.
        sample_weight : array-like of shape (n_samples,), default=None
            What each sample counts for, and each of its steps where targets are of steps. None is 1 for each.

        Returns
        -------
        float
            From 0 to 1.
        """
        check_is_fitted(self)
        score = BaseClassifier._score_of_columns if self._targets.groups else ClassifierMixin.score
        model, y, sample_weight = self._to_score(X, y, sample_weight)
        if sample_weight is None and self._are_plain_labels(y):
            predicted = model.predict(X)
            if predicted.shape == y.shape:  # scikit-learn's checks take longer, and hold Python's lock
                return accuracy(predicted, y, None)
        return scored(partial(score, model), X, y, sample_weight)

    def _score_of_columns(self, X, y, sample_weight):
        y, predicted = y.toarray() if issparse(y) else np.asarray(y), self.predict(X)
        check_consistent_length(predicted, y, sample_weight)
        if y.ndim != 2 or y.shape[1] != len(self.classes_):
            raise ValueError(f"y must have {len(self.classes_)} columns of classes, got shape {y.shape}")
        right = (predicted == y).all(axis=1)
        return float(np.average(right, weights=sample_weight))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags


def _logarithms(probabilities):
    """The logarithms, in place, of probabilities of any form: an array, or a list or an object array of such."""
    if isinstance(probabilities, list):
        return list(map(_logarithms, probabilities))
    if probabilities.dtype == object:
        return as_objects(list(map(_logarithms, probabilities)))
    return np.log(probabilities, out=probabilities)


def _as_sequence(classes):
    """Classes as a list or an array, whose first is number 0: a Series has an index of its own."""
    if classes is None or isinstance(classes, (list, tuple)):
        return classes
    array = np.asarray(classes)
    if array.ndim == 0:
        raise ValueError(f"classes must be array-like, got {quoted(classes)}")
    return array
