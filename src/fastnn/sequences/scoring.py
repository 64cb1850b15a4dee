"""Scorers of predictions for each step of sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sklearn.metrics import get_scorer
from sklearn.metrics import make_scorer as make_sklearn_scorer

from fastnn.data.per_step import Concatenating, Steps, concatenated, is_per_step
from fastnn.data.quoted import quoted

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from fastnn.typing import SamplesLike


class StepScorer:
    """A scorer that takes the steps of all sequences one after the other: `make_scorer` makes one.

    Parameters
    ----------
    scorer : callable
        A scorer of scikit-learn's.
    name : str
        How it was named.

    Examples
    --------
    >>> from fastnn.sequences import make_scorer
    >>> make_scorer("f1_macro")
    make_scorer('f1_macro')
    """

    def __init__(self, scorer: Callable[..., float], name: str) -> None:
        self.scorer, self.name = scorer, name

    def __call__(
        self, estimator: Any, X: SamplesLike, y: SamplesLike, sample_weight: SamplesLike | None = None
    ) -> float:
        """The score of an estimator's predictions for each step.

        Parameters
        ----------
        estimator : estimator
            A fitted one, which predicts something for each step.
        X : list of array-like, or array-like
            The sequences.
        y : list of array-like of shape (n_steps, ...), or array-like of shape (n_sequences, n_steps, ...)
            The targets of each step. Where y has one target for each sequence, this is scored as usual.
        sample_weight : array-like of shape (n_sequences,), or of the form of y, default=None
            The weight of each sequence, or of each step.

        Returns
        -------
        float
        """
        if is_per_step(y) and not isinstance(estimator, Concatenating):  # in a fit, y is concatenated already
            y, lengths = concatenated(y, "y")
            sample_weight = None if sample_weight is None else Steps(lengths).flat_weights(sample_weight)
            estimator = Concatenating(estimator)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self.scorer(estimator, X, y, **weights)

    def __repr__(self) -> str:
        return f"make_scorer({self.name})"


def make_scorer(scoring: str | Callable[..., Any], **settings: Any) -> StepScorer:
    """A scorer for targets of each step, of which scikit-learn's own metrics take no lists.

    Parameters
    ----------
    scoring : str or callable
        The name of a scorer of scikit-learn's, such as ``"f1_macro"``, or a metric, a function of the true and the
        predicted targets.
    **settings
        With a metric: arguments of `sklearn.metrics.make_scorer`, and of the metric.

    Returns
    -------
    StepScorer
        A function of a fitted estimator, X, y and `sample_weight`, to be given as `scoring` to `cross_val_score` and
        `GridSearchCV`.

    Raises
    ------
    ValueError
        For a name that scikit-learn does not know.
    TypeError
        For settings beside a name.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from fastnn.sequences import make_scorer
    >>> make_scorer("f1_macro")
    make_scorer('f1_macro')
    >>> class Same(DummyClassifier):
    ...     def predict(self, X):
    ...         return [np.sign(x[:, 0]) for x in X]
    >>> X = [np.array([[3.0], [-1.0]]), np.array([[2.0]])]
    >>> make_scorer("accuracy")(Same().fit([[0]], [0]), X, [[1, -1], [-1]])
    0.6666666666666666
    """
    if isinstance(scoring, str):
        if settings:
            raise TypeError(f"settings must be empty beside the name {scoring!r}, got {quoted(sorted(settings))}")
        return StepScorer(get_scorer(scoring), repr(scoring))
    if not callable(scoring):
        raise TypeError(f"scoring must be the name of a scorer or a metric, got {quoted(scoring)}")
    return StepScorer(make_sklearn_scorer(scoring, **settings), getattr(scoring, "__name__", quoted(scoring)))
