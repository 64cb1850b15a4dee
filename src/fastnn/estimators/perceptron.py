"""The perceptron as a scikit-learn estimator."""

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import unique_labels

from fastnn._sklearn import _fit_context
from fastnn.data.class_targets import check_classes
from fastnn.data.inputs import refusing, validated
from fastnn.estimators.constraints import Interval, StrOptions
from fastnn.estimators.linear_decision import LinearDecision
from fastnn.estimators.parameter_names import KeptParameterNames
from fastnn.estimators.perceptron_learning import fresh, learn, learnable, resuming
from fastnn.estimators.perceptron_state import DTYPES, check_learnt
from fastnn.estimators.suggestions import with_advice
from fastnn.runtime.warnings import warn_user
from fastnn.training.transaction import CopiedAsItIs, all_or_nothing


@with_advice
class Perceptron(LinearDecision, KeptParameterNames, CopiedAsItIs, BaseEstimator):
    """Perceptron classifier: a threshold unit for two classes, one per class against the rest for more.

    Learns from one sample after the other, from those it gets wrong. scikit-learn's parameters, defaults and numbers:
    with the same `random_state` a fit visits the samples in the same orders and gives the same model to rounding, for
    dense and sparse data. The README lists where the two differ.

    Parameters
    ----------
    penalty : {"l2", "l1", "elasticnet"}, default=None
        The penalty on the weights.
    alpha : float, default=0.0001
        Its strength.
    l1_ratio : float, default=0.15
        For elasticnet: the share of L1, between 0 and 1.
    fit_intercept : bool, default=True
        Learn an intercept. From sparse data it learns at a hundredth of `eta0`.
    max_iter : int, default=1000
        Epochs of `fit` at most; `partial_fit` takes one.
    tol : float or None, default=1e-3
        See `n_iter_no_change`. None never stops before `max_iter`.
    shuffle : bool, default=True
        Take the samples in a new order in each epoch.
    verbose : int, default=0
        Print a line for each epoch, unit by unit.
    eta0 : float, default=1
        What updates are multiplied by.
    n_jobs : int, default=None
        Threads at most, -1 for all, -2 for all but one. None is what the environment allows: ``OMP_NUM_THREADS``,
        threadpoolctl, the affinity mask, the cgroup's quota. The model has the same bits for any number.
    random_state : int, RandomState instance or None, default=0
        For the orders of samples, and for which are held out.
    early_stopping : bool, default=False
        Hold out a stratified part of the samples, and let its score, not the loss, say when to stop.
    validation_fraction : float, default=0.1
        That part.
    n_iter_no_change : int, default=5
        Stop when the loss, penalty included, or the score was not better by `tol` in so many epochs.
    class_weight : dict, {class: weight}, or "balanced", default=None
        What the classes' updates are multiplied by; "balanced" is ``n_samples / (n_classes * np.bincount(y))``,
        whatever `sample_weight` is. A class without a weight has 1, and weights of classes that y lacks are ignored;
        but it is an error to have both, which is what a misspelt class comes to.
    warm_start : bool, default=False
        Let `fit` start from the last fit's weights.
    average : bool or int, default=False
        True: the weights are the mean of those after every step [2]_, which generalises better where the classes
        overlap. A number: of those from that step on.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        The weights, of X's type where that is float32 or float64.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        The intercepts.
    n_iter_ : int
        Epochs of the last fit; with several units of the one that took the most.
    n_mistakes_ : ndarray of shape (n_iter_,)
        The updates made in each epoch of the last call, by all units together.
    separable_ : bool
        Whether no unit made a mistake in its last epoch: without a penalty, its plane separates the samples it saw.
    t_ : float
        1 + the samples seen since learning began.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where X has strings for names.

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

    _parameter_constraints: ClassVar[dict] = {
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
        penalty=None,
        alpha=0.0001,
        l1_ratio=0.15,
        fit_intercept=True,
        max_iter=1000,
        tol=1e-3,
        shuffle=True,
        verbose=0,
        eta0=1.0,
        n_jobs=None,
        random_state=0,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=5,
        class_weight=None,
        warm_start=False,
        average=False,
    ):
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

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, coef_init=None, intercept_init=None, sample_weight=None):
        """Learn from the samples, epoch by epoch, until `tol` or `max_iter` says stop.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Class labels of any type.
        coef_init : array-like of shape (n_classes, n_features) or (n_features,), default=None
            The weights to start from. None is zeros; with `warm_start`, the last fit's.
        intercept_init : array-like of shape (n_classes,) or (1,), default=None
            Likewise the intercepts.
        sample_weight : array-like of shape (n_samples,), default=None
            What each sample's updates are multiplied by, besides its class's weight.

        Returns
        -------
        self : Perceptron

        Raises
        ------
        ValueError
            For input that scikit-learn refuses too, for a sparse matrix whose indices lead out of its arrays, and when
            weights overflow. The estimator is then as it was before.
        KeyboardInterrupt
            When Ctrl-C is pressed: likewise.

        Warns
        -----
        ConvergenceWarning
            When `max_iter` epochs were not enough for `tol`, and the last of them still made mistakes.
        """
        with all_or_nothing(self) as (draft, _):
            # That no number is infinite or NaN shows in the first epoch, which spares a pass over X.
            X, y = validated(draft, X, y, dtype=DTYPES, ensure_all_finite=False)
            X = learnable(X)
            with refusing("`y` must be labels of one kind"):
                draft.classes_ = unique_labels(np.unique(y))  # raises where those are no classes
            if draft.warm_start and hasattr(draft, "coef_"):
                coef_init = draft.coef_ if coef_init is None else coef_init
                intercept_init = draft.intercept_ if intercept_init is None else intercept_init
            draft.t_ = 1.0
            running = fresh(draft.classes_, X, coef_init, intercept_init)
            learn(draft, X, y, sample_weight, running, draft.max_iter)
        if self.tol is not None and self.n_iter_ == self.max_iter and not self.separable_:
            warn_user(
                f"The perceptron could not separate the data in max_iter={self.max_iter} epochs: the last one still "
                f"made {self.n_mistakes_[-1]} mistakes. Consider increasing max_iter or tol; if no plane separates "
                "the classes, early_stopping, average=True, or fastnn.MLPClassifier, which is not limited to planes.",
                ConvergenceWarning,
            )
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Learn from the samples for one epoch, going on from where the last call ended.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
            Need not hold every class.
        classes : array-like of shape (n_classes,), default=None
            All classes there will be. Required in the first call.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : Perceptron

        Raises
        ------
        ValueError
            As for `fit`; in the first call without `classes`, and for labels that are not among them; with
            `early_stopping`, and with ``class_weight="balanced"``. The estimator is then as it was before, as it is
            where weights overflow.
        KeyboardInterrupt
            When Ctrl-C is pressed: likewise.
        """
        if self.early_stopping:
            raise ValueError("early_stopping should be False with partial_fit")
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight 'balanced' is not supported for partial_fit. In order to use 'balanced' weights, use "
                "compute_class_weight('balanced', classes=classes, y=y). In place of y you can use a large enough "
                "sample of the full training set target to properly estimate the class frequency distributions. Pass "
                "the resulting weights, as a dict from class to weight, as the class_weight parameter."
            )
        with all_or_nothing(self) as (draft, _):
            first_call = not hasattr(draft, "coef_")
            if not first_call:
                check_learnt(draft)
            if first_call or not _is_plain(draft, X, y):
                X, y = validated(draft, X, y, dtype=DTYPES, reset=first_call)
            with refusing("`classes` must be labels of one kind"):
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


def _is_plain(model, X, y):
    """Whether X and y need none of scikit-learn's checks, which take longer than learning from few samples."""
    return (
        type(X) is type(y) is np.ndarray
        and X.ndim == 2
        and y.ndim == 1
        and X.dtype in DTYPES
        and X.shape[1] == model.n_features_in_
        and 0 < len(X) == len(y)
        and not hasattr(model, "feature_names_in_")
        and bool(np.isfinite(X.sum()))
    )
