"""The multilayer perceptron classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fastnn.estimators.classifier import BaseClassifier
from fastnn.estimators.docstrings import documented
from fastnn.estimators.mlp import BaseMLP
from fastnn.estimators.parameters import with_constructor
from fastnn.estimators.sklearn_bridge import checked_network, fill_from_weights
from fastnn.estimators.suggestions import with_advice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal, Self, Unpack

    from numpy.typing import ArrayLike

    from fastnn.typing import (
        Activation,
        Classes,
        ClassWeight,
        DType,
        MLPClassifierParameters,
        RandomState,
        Schedule,
        Solver,
    )


@with_advice
@documented
@with_constructor
class MLPClassifier(BaseClassifier, BaseMLP):
    """Multilayer perceptron classifier.

    It is trained on the log-loss. Its parameters have the names, defaults and meanings of scikit-learn's. A fresh fit
    on float64 data with a given ``random_state`` draws the same initial weights and the same orders of samples as
    scikit-learn's, and gives the same model to rounding. docs/differences.md lists where the two differ, and what
    only this one has.

    Parameters
    ----------
    <parameters of multilayer perceptrons>
    <parameters of every network>
    <parameters of classifiers>

    Attributes
    ----------
    <attributes of classifiers>
    <coefs and intercepts>
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
    activation: Activation | Sequence[Activation] = "relu"

    if TYPE_CHECKING:  # written by tools/shared_source.py

        def __init__(
            self,
            hidden_layer_sizes: int | Sequence[int] = (100,),
            activation: Activation | Sequence[Activation] = "relu",
            *,
            solver: Solver = "adam",
            alpha: float = 0.0001,
            batch_size: int | Literal["auto"] = "auto",
            learning_rate: Schedule | Callable[[int], float] = "constant",
            learning_rate_init: float = 0.001,
            power_t: float = 0.5,
            warmup_fraction: float | None = None,
            max_iter: int = 200,
            shuffle: bool = True,
            random_state: RandomState | None = None,
            tol: float = 1e-4,
            verbose: int = False,
            warm_start: bool = False,
            momentum: float = 0.9,
            nesterovs_momentum: bool = True,
            early_stopping: bool = False,
            validation_fraction: float = 0.1,
            scoring: str | Callable[..., float] | None = None,
            beta_1: float = 0.9,
            beta_2: float = 0.999,
            epsilon: float = 1e-8,
            rho: float = 0.9,
            weight_decay: float | None = None,
            n_iter_no_change: float = 10,
            max_fun: int = 15000,
            clip_norm: float | None = None,
            callback: Callable[[Any], object] | None = None,
            dtype: DType | None = None,
            n_threads: int | None = None,
            dropout: float | Sequence[float] = 0.0,
            class_weight: ClassWeight | Sequence[ClassWeight | None] | None = None,
            label_smoothing: float = 0.0,
        ) -> None: ...

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseClassifier._parameter_constraints,
        **BaseMLP._parameter_constraints,
    }

    @classmethod
    @documented
    def from_weights(
        cls,
        coefs: Sequence[ArrayLike],
        intercepts: Sequence[ArrayLike],
        *,
        activation: Activation | Sequence[Activation] = "relu",
        classes: Classes | None = None,
        multilabel: bool = False,
        **parameters: Unpack[MLPClassifierParameters],
    ) -> Self:
        """A fitted network with given weights.

        Parameters
        ----------
        <weights>
        <outputs of classifiers>

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
        model = cls(tuple(hidden_sizes), activation, **parameters)
        model._validate_params()
        targets = cls._targets_of(classes, multilabel, n_outputs, ("coefs[-1]", "intercepts[-1]"))
        return fill_from_weights(model, targets, coefs, intercepts)
