"""The perceptron as a scikit-learn estimator."""

from __future__ import annotations

from numbers import Integral, Real
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import unique_labels

from fastnn._sklearn import _fit_context
from fastnn.data.class_targets import check_classes
from fastnn.data.inputs import check_not_balanced, is_plain_column, refusing, validated
from fastnn.estimators.constraints import Interval, StrOptions
from fastnn.estimators.documentation import DocumentationLink
from fastnn.estimators.foreign_names import ForeignNames
from fastnn.estimators.linear_decision import LinearDecision
from fastnn.estimators.parameter_names import CachedParameters
from fastnn.estimators.perceptron_learning import classes_in, fresh, learn, learnable, resuming
from fastnn.estimators.perceptron_state import DTYPES, check_learnt
from fastnn.estimators.perceptron_streaming import PerceptronStreamMixin
from fastnn.estimators.suggestions import advising_on_parameters, with_advice
from fastnn.runtime.warnings import warn_user
from fastnn.training.transaction import SnapshotMixin, all_or_nothing

if TYPE_CHECKING:
    from typing import Any, Literal, Self

    from numpy.typing import ArrayLike, NDArray

    from fastnn.typing import ClassWeight, RandomState, SamplesLike


@with_advice
class Perceptron(
    PerceptronStreamMixin,
    LinearDecision,
    CachedParameters,
    SnapshotMixin,
    DocumentationLink,
    BaseEstimator,
    ForeignNames,
):
    """Perceptron classifier: a threshold unit for two classes, one per class against the rest for more.

    It learns from one sample after the other, whenever it classifies one wrongly. Its parameters have the names,
    defaults and meanings of scikit-learn's: with the same `random_state` a fit visits the samples in the same orders
    and gives the same model to rounding, for dense and sparse data. docs/differences.md lists where
    the two differ.

    Parameters
    ----------
    penalty : {"l2", "l1", "elasticnet"}, default=None
        The penalty on the weights.
    alpha : float, default=0.0001
        The strength of the penalty.
    l1_ratio : float, default=0.15
        The part of L1 in penalty="elasticnet", in [0, 1].
    fit_intercept : bool, default=True
        Whether to learn an intercept. From sparse data it learns at a hundredth of `eta0`.
    max_iter : int, default=1000
        The most epochs of `fit`; `partial_fit` always takes one.
    tol : float or None, default=1e-3
        The least improvement that counts for `n_iter_no_change`. With None `fit` never stops before `max_iter`.
    shuffle : bool, default=True
        Whether to take the samples in a new order in each epoch.
    verbose : int, default=0
        Whether to print a line for each epoch of each unit.
    eta0 : float, default=1
        The step size: what updates are multiplied by.
    n_jobs : int, default=None
        The most threads to use; -1 is all, -2 all but one. None is what the environment allows: ``OMP_NUM_THREADS``,
        threadpoolctl, the affinity mask, the cgroup's quota. The model has the same bits for any number.
    random_state : int, RandomState instance or None, default=0
        Where the random numbers come from: for the orders of samples and the samples held out.
    early_stopping : bool, default=False
        Whether to hold out a stratified part of the samples, and to stop by the score on it instead of the loss.
    validation_fraction : float, default=0.1
        The part of the samples that early stopping holds out.
    n_iter_no_change : int, default=5
        The number of epochs in a row without an improvement by `tol`, of the loss with its penalty or of the score,
        after which learning stops.
    class_weight : dict or "balanced", default=None
        What the updates by each class's samples are multiplied by, as ``{class: weight}``. "balanced" is
        ``n_samples / (n_classes * np.bincount(y))``, whatever `sample_weight` is. A class that is not listed has the
        weight 1, and the weight of a class that is not in y is ignored; but both at once are an error, since the class
        is then probably misspelt. `partial_fit` does not take "balanced".
    warm_start : bool, default=False
        Whether `fit` starts from the weights of the last fit.
    average : bool or int, default=False
        Whether the weights are the mean of those after every step [2]_, which generalises better where the classes
        overlap. With a number n, the mean is of those from step n on.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        The weights, in the type of X if that is float32 or float64, else in float64.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        The intercepts.
    n_iter_ : int
        The number of epochs of the last fit; with several units, of the unit that took the most.
    n_mistakes_ : ndarray of shape (`n_iter_`,)
        The number of updates in each epoch of the last call, of all units together.
    separable_ : bool
        Whether no unit made a mistake in its last epoch. Without a penalty, the plane of each unit then separates the
        samples that it saw.
    t_ : float
        1 + the number of samples seen since learning began.
    n_features_in_ : int
        The number of columns of X.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The names of the columns of X; defined only where all are strings.

    References
    ----------
    .. [1] F. Rosenblatt: "The perceptron: a probabilistic model for information storage and organization in the
       brain", Psychological Review 65 (1958).
    .. [2] Y. Freund, R. Schapire: "Large margin classification using the perceptron algorithm", Machine Learning 37
       (1999).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from fastnn import Perceptron
    >>> X, y = load_digits(return_X_y=True)
    >>> model = Perceptron(average=True, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.94
    True
    >>> nor = Perceptron(shuffle=False).fit([[0, 0], [0, 1], [1, 0], [1, 1]], [1, 0, 0, 0])
    >>> nor.predict([[0, 0], [1, 1]]), nor.separable_
    (array([1, 0]), True)
    """

    classes_: NDArray[Any]
    coef_: Any  # an array, or a sparse matrix after `sparsify`
    intercept_: NDArray[np.floating[Any]]
    n_iter_: int
    n_mistakes_: NDArray[np.integer[Any]]
    separable_: bool
    t_: float
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "penalty": [StrOptions(["l2", "l1", "elasticnet"]), None],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "shuffle": ["boolean"],
        "verbose": ["verbose"],
        "eta0": [Interval(Real, 0, None, closed="neither")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "class_weight": [StrOptions(["balanced"]), dict, None],
        "warm_start": ["boolean"],
        "average": [Interval(Integral, 0, None, closed="neither"), "boolean"],
    }

    def __init__(
        self,
        *,
        penalty: Literal["l2", "l1", "elasticnet"] | None = None,
        alpha: float = 0.0001,
        l1_ratio: float = 0.15,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = 1e-3,
        shuffle: bool = True,
        verbose: int = 0,
        eta0: float = 1.0,
        n_jobs: int | None = None,
        random_state: RandomState | None = 0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        class_weight: ClassWeight | None = None,
        warm_start: bool = False,
        average: bool | int = False,
    ) -> None:
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.shuffle = shuffle
        self.verbose = verbose
        self.eta0 = eta0
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.class_weight = class_weight
        self.warm_start = warm_start
        self.average = average

    @advising_on_parameters
    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: SamplesLike,
        y: ArrayLike,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        # From tools/docstrings: <X>, <sample_weight of updates>, <other errors of perceptrons>,
        # <warning of perceptrons>
        """Learn from the samples, epoch by epoch, until `tol` or `max_iter` ends it.

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
        y : array-like of shape (n_samples,)
            Class labels of any type.
        coef_init : array-like of shape (n_classes, n_features) or (n_features,), default=None
            The weights to start from. None is zeros, or with `warm_start` the weights of the last fit.
        intercept_init : array-like of shape (n_classes,) or (1,), default=None
            The intercepts to start from. None is zeros, or with `warm_start` the intercepts of the last fit.
        sample_weight : array-like of shape (n_samples,), default=None
            What each sample's updates are multiplied by, besides the weight of its class. None is 1 for each.

        Returns
        -------
        self : Perceptron

        Raises
        ------
        ValueError
            For input that scikit-learn refuses too, for a sparse matrix whose indices lead out of its arrays, and when
            weights overflow. The estimator is then as it was before.
        RuntimeError
            When another thread is fitting this very estimator.
        KeyboardInterrupt
            When Ctrl-C is pressed. The estimator is then as it was before.

        Warns
        -----
        ConvergenceWarning
            When `max_iter` epochs were not enough for `tol`, and the last one still made mistakes.
        """
        with all_or_nothing(self) as (draft, _):
            # The first epoch finds numbers that are infinite or NaN, which saves a pass over X.
            if _is_plain(draft, X, y, reset=True) and is_plain_column(y, len(X)):
                draft.n_features_in_ = X.shape[1]
            else:
                X, y = validated(draft, X, y, dtype=DTYPES, ensure_all_finite=False)
            X = learnable(X)
            draft.classes_ = classes_in(y)
            if draft.warm_start and hasattr(draft, "coef_"):
                coef_init = draft.coef_ if coef_init is None else coef_init
                intercept_init = draft.intercept_ if intercept_init is None else intercept_init
            draft.t_ = 1.0
            running = fresh(draft.classes_, X, coef_init, intercept_init)
            learn(draft, X, y, sample_weight, running, draft.max_iter)
        self._warn_of_mistakes()
        return self

    def _warn_of_mistakes(self):
        """Warn where `max_iter` epochs were not enough."""
        if self.tol is not None and self.n_iter_ == self.max_iter and not self.separable_:
            warn_user(
                f"The perceptron could not separate the data in max_iter={self.max_iter} epochs: the last one still "
                f"made {self.n_mistakes_[-1]} mistakes. Consider increasing max_iter or tol; if no plane separates "
                "the classes, try early_stopping=True, average=True, or fastnn.MLPClassifier, which is not limited to "
                "planes.",
                ConvergenceWarning,
            )

    @advising_on_parameters
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: SamplesLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        # From tools/docstrings: <X>, <sample_weight of updates>, <other errors of perceptrons>
        """Learn from the samples for one epoch, and continue from where the last call ended.

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
        y : array-like of shape (n_samples,)
            Class labels of any type. Not every class need be among them.
        classes : array-like of shape (n_classes,), default=None
            All classes there will ever be. Required in the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            What each sample's updates are multiplied by, besides the weight of its class. None is 1 for each.

        Returns
        -------
        self : Perceptron

        Raises
        ------
        ValueError
            As for `fit`; also in the first call without `classes`, for labels that are not among the classes, with
            `early_stopping`, and with ``class_weight="balanced"``. The estimator is then as it was before.
        RuntimeError
            When another thread is fitting this very estimator.
        KeyboardInterrupt
            When Ctrl-C is pressed. The estimator is then as it was before.
        """
        if self.early_stopping:
            raise ValueError("early_stopping must be False for partial_fit, got True")
        check_not_balanced(self.class_weight)
        with all_or_nothing(self) as (draft, _):
            first_call = not hasattr(draft, "coef_")
            if not first_call:
                check_learnt(draft)
            if first_call or not (_is_plain(draft, X, y, reset=False) and np.isfinite(X.sum())):
                X, y = validated(draft, X, y, dtype=DTYPES, reset=first_call)
            with refusing("classes must be labels of one type, such as numbers or texts"):
                check_classes(classes, known=None if first_call else draft.classes_)
                if first_call:
                    draft.classes_, draft.t_ = unique_labels(classes), 1.0
            X = learnable(X, None if first_call else draft.coef_.dtype)
            running = fresh(draft.classes_, X) if first_call else resuming(draft)
            learn(draft, X, y, sample_weight, running, max_iter=1)
        return self

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _is_plain(model, X, y, reset):
    """Whether X and y need none of scikit-learn's checks but that of their numbers.

    The checks take longer than learning from few samples.
    """
    return (
        type(X) is type(y) is np.ndarray
        and X.ndim == 2
        and y.ndim == 1
        and X.dtype in DTYPES
        and (X.shape[1] > 0 if reset else X.shape[1] == model.n_features_in_)
        and 0 < len(X) == len(y)
        and not hasattr(model, "feature_names_in_")
    )
