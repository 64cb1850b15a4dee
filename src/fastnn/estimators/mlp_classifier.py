"""The multilayer perceptron classifier."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import ClassVar

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from fastnn._sklearn import _fit_context, set_label_binarizer, target_type
from fastnn.data.class_targets import Labels, are_same, check_classes, indicates
from fastnn.data.inputs import check_not_balanced, checked_epochs, scored
from fastnn.data.quoted import quoted
from fastnn.estimators.constraints import Interval, StrOptions
from fastnn.estimators.docstrings import documented
from fastnn.estimators.mlp import BaseMLP
from fastnn.estimators.sklearn_bridge import (
    check_is_sklearn,
    checked_network,
    fill_from_sklearn,
    fill_from_weights,
    fill_sklearn,
    sklearn_estimator,
)
from fastnn.estimators.suggestions import with_advice
from fastnn.training.transaction import snapshot


@with_advice
@documented
@dataclass(eq=False, repr=False)
class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multilayer perceptron classifier.

    It is trained on the log-loss. Its parameters have the names, defaults and meanings of scikit-learn's. A fresh fit
    on float64 data with a given ``random_state`` draws the same initial weights and the same orders of samples as
    scikit-learn's, and gives the same model to rounding. docs/differences.md lists where the two differ, and what
    only this one has.

    Parameters
    ----------
    <parameters of every network>
    class_weight : dict, "balanced" or a list of either, default=None
        What the loss of each class's samples is multiplied by, as ``{class: weight}``. "balanced" is in inverse
        proportion to the number of samples of the class, or with `sample_weight` to the sum of their weights. For
        several columns of y it is a list with one for each column. A class that is not listed has the weight 1, and the
        weight of a class that is not in y is ignored; but both at once are an error, since the class is then probably
        misspelt. `partial_fit` does not take "balanced".
    label_smoothing : float, default=0.0
        The part of the target probability that is shared by all classes, in [0, 1): the network becomes less certain.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or a list of such
        The labels, sorted; for several columns of classes, a list with the labels of each column.
    <attributes of every network>

    References
    ----------
    <references>

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from fastnn import MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> model = MLPClassifier((64,), tol=1e-3, random_state=0).fit(X_train, y_train)
    >>> model.score(X_test, y_test) > 0.95
    True
    >>> model.predict(X_test[:3])
    array([2, 8, 2])
    """

    hidden_layer_sizes: int | Sequence[int] = (100,)
    activation: str | Sequence[str] = "relu"
    _: KW_ONLY
    class_weight: dict | str | Sequence | None = None
    label_smoothing: float = 0.0

    _parameter_constraints: ClassVar[dict] = {
        **BaseMLP._parameter_constraints,
        "class_weight": [None, dict, StrOptions(["balanced"]), list, tuple],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }
    _y_checks: ClassVar[dict] = {}
    loss: ClassVar[str] = "log_loss"  # not a parameter; scikit-learn's classifier has the attribute, too

    @_fit_context(prefer_skip_nested_validation=True)
    @documented
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Train the network.

        Parameters
        ----------
        <X>
        y : array-like of shape (n_samples,) or (n_samples, n_columns)
            Class labels of any type; for multilabel targets an indicator matrix of zeros and ones; or several columns
            of classes. If there is a single class, it is always predicted.
        <sample_weight>
        <samples to watch>

        Returns
        -------
        self : MLPClassifier

        <raises and warns of fit>
        """
        return self._fit(X, y, sample_weight, validation=(X_val, y_val, sample_weight_val))

    @available_if(BaseMLP._check_stochastic)
    @_fit_context(prefer_skip_nested_validation=True)
    @documented
    def partial_fit(self, X, y, sample_weight=None, classes=None, *, epochs=1):
        """Train on these samples, and continue from where the last fit ended.

        Parameters
        ----------
        <X>
        y : array-like of shape (n_samples,) or (n_samples, n_columns)
            Targets of the type that `fit` takes. Not every class need be among them.
        <sample_weight>
        classes : array-like of shape (n_classes,), or a list of such, default=None
            All classes there will ever be; for multilabel targets the numbers of the columns; for several columns of
            classes a list with the classes of each column. Required in the first call.
        <epochs>

        Returns
        -------
        self : MLPClassifier

        Raises
        ------
        ValueError
            As for `fit`; also in the first call without `classes`, and for ``class_weight="balanced"``.
        <other errors and warnings of partial_fit>
        """
        check_not_balanced(self.class_weight)
        return self._fit(X, y, sample_weight, n_epochs=checked_epochs(epochs), classes=classes)

    @classmethod
    @documented
    def from_weights(cls, coefs, intercepts, *, activation="relu", classes=None, multilabel=False, **parameters):
        """A fitted network with given weights.

        Parameters
        ----------
        <weights>
        classes : array-like of shape (n_classes,), or a list of such, default=None
            The classes that the outputs stand for, sorted. None is 0, 1, ...; a list of arrays is several columns of
            classes.
        multilabel : bool, default=False
            Whether each output is a label of its own.
        **parameters
            Other parameters of the constructor.

        Returns
        -------
        MLPClassifier

        Raises
        ------
        ValueError
            For weights whose shapes do not fit together, or do not fit the classes, and for parameters that `fit`
            refuses.

        Examples
        --------
        >>> from fastnn import MLPClassifier
        >>> xor = MLPClassifier.from_weights(
        ...     [[[1, 1], [1, 1]], [[1], [-2]]], [[0, -1], [-0.5]], activation="relu", classes=[False, True]
        ... )
        >>> xor.predict([[0, 0], [0, 1], [1, 0], [1, 1]])
        array([False,  True,  True, False])
        """
        coefs, intercepts, (_, *hidden_sizes, n_outputs) = checked_network(coefs, intercepts)
        classes = _as_sequence(classes)
        model = cls(tuple(hidden_sizes), activation, **parameters)
        model._validate_params()
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
            message = (
                f"intercepts[-1] must have shape ({targets.n_outputs},) for the classes "
                f"{quoted(targets.classes, str)}, got ({n_outputs},)"
            )
            if targets.target_type == "binary" and n_outputs == 2:
                message += (
                    ": two logits act as one, their difference; pass coefs[-1][:, 1:] - coefs[-1][:, :1] and "
                    "intercepts[-1][1:] - intercepts[-1][:1] as the last layer"
                )
            raise ValueError(message)
        return fill_from_weights(model, targets, coefs, intercepts)

    @classmethod
    def from_sklearn(cls, fitted):
        """The network of a fitted `sklearn.neural_network.MLPClassifier`, as a model of fastnn.

        Parameters
        ----------
        fitted : sklearn.neural_network.MLPClassifier
            A fitted one.

        Returns
        -------
        MLPClassifier
            It has the parameters and weights of `fitted`, predicts the same, and can be trained further, with a fresh
            optimizer.

        Raises
        ------
        TypeError
            For an estimator of another class.
        NotFittedError
            For an estimator that is not fitted.
        """
        check_is_sklearn(fitted, SklearnClassifier)
        targets = Labels.of_type(target_type(fitted), fitted.classes_)
        return fill_from_sklearn(cls(**fitted.get_params()), targets, fitted)

    def to_sklearn(self):
        """This network as a fitted `sklearn.neural_network.MLPClassifier`.

        Returns
        -------
        sklearn.neural_network.MLPClassifier
            It predicts the same. Parameters that scikit-learn does not have, and values that it does not know, keep
            scikit-learn's defaults.

        Raises
        ------
        ValueError
            For activations and types of targets that scikit-learn does not have.
        """
        check_is_fitted(self)
        estimator = fill_sklearn(self, sklearn_estimator(self, SklearnClassifier))
        estimator.classes_ = self.classes_
        is_multilabel = self._targets.target_type == "multilabel-indicator"
        labels = np.eye(len(self.classes_), dtype=int) if is_multilabel else self.classes_
        set_label_binarizer(estimator, LabelBinarizer().fit(labels))
        return estimator

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
    def classes_(self):
        """The labels, sorted; for several columns of classes, a list with the labels of each column."""
        if not hasattr(self, "_targets"):
            raise AttributeError(f"This {type(self).__name__} instance is not fitted yet, so it has no classes.")
        return self._targets.classes

    @documented
    def predict(self, X):
        """The likeliest class of each sample.

        Parameters
        ----------
        <samples to predict>

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_columns)
            The labels; for multilabel targets an indicator matrix.
        """
        fitted = snapshot(self)
        outputs = fitted._outputs(X)
        return fitted._targets.decode(outputs)

    @documented
    def predict_proba(self, X):
        """The probability of each class, in the order of `classes_`; for multilabel targets, of each label.

        Parameters
        ----------
        <samples to predict>

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or a list of such
            In the type that the network computes in; for several columns of classes, a list with those of each column.
        """
        fitted = snapshot(self)
        outputs = fitted._outputs(X)
        return fitted._targets.probabilities(outputs)

    @documented
    def predict_log_proba(self, X):
        """The logarithms of `predict_proba`: -inf where a probability is too small for its type.

        Parameters
        ----------
        <samples to predict>

        Returns
        -------
        ndarray of shape (n_samples, n_classes), or a list of such
            The logarithms, in the form that `predict_proba` has.
        """
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            if isinstance(probabilities, list):
                return [np.log(part) for part in probabilities]
            return np.log(probabilities, out=probabilities)

    @documented
    def score(self, X, y, sample_weight=None):
        """The accuracy: the part of the samples whose every label is predicted correctly.

        Parameters
        ----------
        <samples to predict>
        y : array-like of shape (n_samples,) or (n_samples, n_columns)
            The true labels.
        sample_weight : array-like of shape (n_samples,), default=None
            What each sample counts for. None is 1 for each.

        Returns
        -------
        float
            From 0 to 1.
        """
        check_is_fitted(self)
        score = self._score_of_columns if self._targets.groups else super().score
        return scored(score, X, y, sample_weight)

    def _score_of_columns(self, X, y, sample_weight):
        y = y.toarray() if issparse(y) else np.asarray(y)
        check_consistent_length(X, y, sample_weight)
        if y.ndim != 2 or y.shape[1] != len(self.classes_):
            raise ValueError(f"y must have {len(self.classes_)} columns of classes, got shape {y.shape}")
        right = (self.predict(X) == y).all(axis=1)
        return float(np.average(right, weights=sample_weight))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags


def _as_sequence(classes):
    """Classes as a list or an array, whose first is number 0: a Series has an index of its own."""
    if classes is None or isinstance(classes, (list, tuple)):
        return classes
    array = np.asarray(classes)
    if array.ndim == 0:
        raise ValueError(f"classes must be array-like, got {quoted(classes)}")
    return array
