"""The classifier that independent modules make together."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from fastnn._sklearn import available_if
from fastnn.data.inputs import refusing
from fastnn.data.quoted import quoted
from fastnn.estimators.classifier import BaseClassifier
from fastnn.estimators.combining import mean, product, votes
from fastnn.estimators.constraints import StrOptions
from fastnn.estimators.modular import BaseModular
from fastnn.estimators.module import classes_of
from fastnn.estimators.module_parameters import check_functions_of_classes
from fastnn.estimators.suggestions import with_advice
from fastnn.training.transaction import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal

    from numpy.typing import ArrayLike, NDArray

    from fastnn.typing import SamplesLike


def _offers(method):
    """A check of whether what combines the outputs has a method: as fitted, or as the parameter `combine` says."""

    def check(self):
        combination = getattr(self, "_combination", self.combine)
        if isinstance(combination, str):
            return method == "predict_proba" and combination != "vote"
        return hasattr(combination, method)

    return check


@with_advice
class ModularClassifier(ClassifierMixin, BaseModular):
    # From tools/docstrings: <modular networks>, <modules>, <parameters of modular networks>,
    # <attributes of modular networks>
    """Classifier of independent modules, trained side by side, whose outputs are combined.

    Modules know nothing of each other: each has columns of X and a target of its own, and only their outputs meet. So
    each is the same, bit for bit, as its estimator fitted alone, one can be fitted anew without the others, and a wrong
    one spoils little. docs/modular.md is the guide.

    Parameters
    ----------
    modules : list of (name, estimator, columns)
        The modules: any estimators, and the columns that each reads, which may overlap. Columns are what
        `ColumnTransformer` takes: an integer or a string, a list of such, a slice, a mask, or a function of X; one
        integer or string alone makes a vector. With ``slice(None)`` for all modules, X may also be images, or sequences
        of any length. "drop" in place of an estimator leaves the module out.
    targets : dict of str to int, str or callable, default=None
        What modules learn, by their names, in place of y: a column of y, by its number or name, or a function of y that
        returns an array.
    combine : {"mean", "product", "vote"} or classifier, default="mean"
        How the answer follows from the modules' outputs. "mean": from the mean of their probabilities. "product": from
        the product of these, which takes them to be independent. "vote": the class that most modules predict, and
        among equals the first one. A classifier is trained on the modules' outputs for samples that their fits held
        out, as in scikit-learn's `StackingClassifier`: probabilities, or what `decision_function` or `predict` returns.
        If every target in `targets` is a function of the class, `combine` must be "product" or a classifier: class c
        then scores the product over modules of the probabilities of their functions of c. For y of several columns it
        must be a classifier.
    weights : array-like of shape (n_modules,), default=None
        What each module counts for in the mean, the product or the vote. None is 1 for each.
    cv : int, cross-validation generator or iterable, default=5
        The folds, as in `sklearn.model_selection.check_cv`, whose held-out parts a model that is `combine` is trained
        on.
    passthrough : bool, default=False
        Whether a model that is `combine` reads X, too.
    on_error : {"raise", "skip"}, default="raise"
        What to do where the fit of a module fails: raise its error, or warn and go on without it.
    n_threads : int, default=None
        The most threads to fit on. Whole modules go to threads while there are enough of these. None is what the
        environment allows. The model has the same bits for any number.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or a list of such
        The labels, sorted; for y of several columns, those of each.
    named_modules_ : Bunch
        The fitted estimators by the modules' names, also as attributes.
    combiner_ : estimator
        The fitted model that combines outputs, if `combine` is one.
    combined_scores_ : ndarray of shape (n_folds,)
        The score of such a model on the part of the samples that each fold holds out, trained on those of the others.
    n_features_in_ : int
        The number of columns of X. It is not there for images and sequences of several axes.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The names of the columns, if they are all strings.

    See Also
    --------
    sklearn.ensemble.VotingClassifier : Modules that all read all of X.
    sklearn.ensemble.StackingClassifier : The same, with a classifier trained on their outputs.

    Examples
    --------
    Each module reads one half of an image:

    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from fastnn import MLPClassifier, ModularClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> half = MLPClassifier((32,), learning_rate_init=0.01, early_stopping=True, random_state=0)
    >>> modules = [("upper", half, slice(0, 32)), ("lower", half, slice(32, 64))]
    >>> model = ModularClassifier(modules, combine="product").fit(X_train, y_train)
    >>> model.score(X_test, y_test) > 0.9
    True
    >>> list(model.score_modules(X_test, y_test))
    ['upper', 'lower']

    Each learns something else, and together they tell the digit:

    >>> modules = [("fives", half, slice(None)), ("rest", half, slice(None))]
    >>> targets = {"fives": lambda y: y // 5, "rest": lambda y: y % 5}
    >>> model = ModularClassifier(modules, targets=targets, combine="product").fit(X_train, y_train)
    >>> model.score(X_test, y_test) > 0.85
    True
    """

    classes_: NDArray[Any]

    if TYPE_CHECKING:  # written by tools/shared_source.py

        def __init__(
            self,
            modules: Sequence[tuple[str, Any, Any]],
            *,
            targets: Mapping[str, int | str | Callable[[Any], Any]] | None = None,
            combine: Any = "mean",
            weights: ArrayLike | None = None,
            cv: Any = 5,
            passthrough: bool = False,
            on_error: Literal["raise", "skip"] = "raise",
            n_threads: int | None = None,
        ) -> None: ...

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseModular._parameter_constraints,
        "combine": [StrOptions(["mean", "product", "vote"]), *BaseModular._parameter_constraints["combine"]],
    }

    def _set_classes(self, modules, y):
        with refusing("y must be labels of one type, such as numbers or texts"):
            check_classification_targets(y)
        self.classes_ = classes_of(y)
        if isinstance(self.combine, str) and any(module.task is not None for module in modules):
            check_functions_of_classes(modules, y, self.classes_)

    def _check_all_classes(self, y):
        classes = classes_of(y)
        both = zip(self.classes_, classes, strict=True) if y.ndim == 2 else [(self.classes_, classes)]
        if not all(map(np.array_equal, *zip(*both, strict=True))):
            raise ValueError(
                f"y must have the classes of `fit` with refit_combiner=True, {quoted(self.classes_, str)}, got "
                f"{quoted(classes, str)}"
            )

    def predict(self, X: Any) -> NDArray[Any]:
        # From tools/docstrings: <X of modules>
        """The class of each sample.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples. If all modules read all of it, any X that they take.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_columns)
            The labels.
        """
        check_is_fitted(self)
        fitted = snapshot(self)
        if isinstance(fitted._combination, str):
            return fitted.classes_[fitted._scores(X).argmax(axis=1)]
        return fitted._combination.predict(fitted._columns(X))

    @available_if(_offers("predict_proba"))
    def predict_proba(self, X: Any) -> NDArray[np.floating[Any]]:
        # From tools/docstrings: <X of modules>
        """The probability of each class, in the order of `classes_`.

        It is not there with ``combine="vote"``, nor with a classifier that has no `predict_proba`.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples. If all modules read all of it, any X that they take.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            For y of several columns, what the classifier `combine` makes of them.
        """
        check_is_fitted(self)
        fitted = snapshot(self)
        if isinstance(fitted._combination, str):
            return fitted._scores(X)
        return fitted._combination.predict_proba(fitted._columns(X))

    @available_if(_offers("decision_function"))
    def decision_function(self, X: Any) -> NDArray[np.floating[Any]]:
        # From tools/docstrings: <X of modules>
        """The decision function of the classifier `combine`, if it has one.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples. If all modules read all of it, any X that they take.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            What the classifier makes of the modules' outputs.
        """
        check_is_fitted(self)
        fitted = snapshot(self)
        return fitted._combination.decision_function(fitted._columns(X))

    def _scores(self, X):
        """What each class scores by the mean, the product or the votes of the modules' outputs."""
        outputs = self._outputs(self._read_X(X, reset=False))
        if self._combination == "vote":
            return votes(outputs, self._weights, self.classes_)
        if self._combination == "mean":
            return mean(outputs, self._weights)
        own = [np.searchsorted(module.classes, module.target(self.classes_)) for module in self._modules]
        return product([each[:, places] for each, places in zip(outputs, own, strict=True)], self._weights)

    def score(self, X: Any, y: SamplesLike, sample_weight: ArrayLike | None = None) -> float:
        # From tools/docstrings: <X of modules>, <y of modules>
        """The accuracy: the part of the samples whose every label is predicted correctly.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples. If all modules read all of it, any X that they take.
        y : array-like of shape (n_samples,) or (n_samples, n_columns)
            Targets. `targets` may name the columns of a frame.
        sample_weight : array-like of shape (n_samples,), default=None
            What each sample counts for. None is 1 for each.

        Returns
        -------
        float
            From 0 to 1.
        """
        check_is_fitted(self)
        score = BaseClassifier._score_of_columns if isinstance(self.classes_, list) else ClassifierMixin.score
        return score(self, X, y, sample_weight)
