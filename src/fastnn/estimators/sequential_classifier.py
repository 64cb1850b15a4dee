"""The classifier whose layers the user writes."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import TYPE_CHECKING, ClassVar

from fastnn.data.class_targets import Labels
from fastnn.estimators.classifier import BaseClassifier
from fastnn.estimators.docstrings import documented
from fastnn.estimators.parameters import with_constructor
from fastnn.estimators.sequential import BaseSequential
from fastnn.estimators.sequential_bridge import fill_from_layers, last_names, n_outputs_of
from fastnn.estimators.suggestions import with_advice
from fastnn.layers import Dense

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal, Self, Unpack

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    from fastnn.layers import Layer
    from fastnn.typing import (
        Classes,
        ClassWeight,
        DType,
        LayerWeights,
        RandomState,
        Schedule,
        SequentialClassifierParameters,
        Solver,
    )


@with_advice
@documented
@with_constructor
class SequentialClassifier(BaseClassifier, BaseSequential):
    """Classifier whose layers you write: dense, convolutional, pooling and others, one after the other.

    It is trained on the log-loss. Its output layer follows from y, and all but its layers is as in `MLPClassifier`:
    ``SequentialClassifier([Dense(100)])`` and ``MLPClassifier((100,))`` give the same bits.

    Parameters
    ----------
    <layers>
    <parameters of every network>
    <parameters of classifiers>

    Attributes
    ----------
    <attributes of classifiers>
    <weights of layers>
    <attributes of every network>

    References
    ----------
    <references>

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from fastnn import SequentialClassifier
    >>> from fastnn.layers import Dense, Dropout
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> model = SequentialClassifier([Dense(64), Dropout(0.2)], tol=1e-3, random_state=0)
    >>> model.fit(X_train, y_train).score(X_test, y_test) > 0.95
    True
    >>> model.set_params(layers__1=None, layers__0__units=32).layers
    [Dense(32), None]

    Images have a height and a width:

    >>> from fastnn.layers import Conv2D, MaxPooling2D
    >>> layers = [Conv2D(16, 3), MaxPooling2D(), Dense(32)]
    >>> model = SequentialClassifier(layers, learning_rate_init=0.01, tol=1e-3, random_state=0)
    >>> model.fit(X_train.reshape(-1, 8, 8), y_train).score(X_test.reshape(-1, 8, 8), y_test) > 0.95
    True
    >>> model.summary()
    Layer            Output Shape  Param #
    --------------------------------------
    Conv2D(16, 3)    (6, 6, 16)        160
    MaxPooling2D()   (3, 3, 16)          0
    Dense(32)        (32,)           4,640
    output, softmax  (10,)             330
    --------------------------------------
    Total params: 5,130
    Trainable params: 5,130
    Non-trainable params: 0
    """

    layers: Sequence[Layer | None] = (Dense(100),)
    _: KW_ONLY
    input_shape: int | Sequence[int | None] | None = None
    truncate_steps: int | None = None

    if TYPE_CHECKING:  # written by tools/shared_source.py

        def __init__(
            self,
            layers: Sequence[Layer | None] = (Dense(100),),
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
            class_weight: ClassWeight | Sequence[ClassWeight | None] | None = None,
            label_smoothing: float = 0.0,
            input_shape: int | Sequence[int | None] | None = None,
            truncate_steps: int | None = None,
        ) -> None: ...

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseClassifier._parameter_constraints,
        **BaseSequential._parameter_constraints,
    }

    @documented
    def predict_step(
        self, x: ArrayLike, state: NDArray[np.floating[Any]] | None = None
    ) -> tuple[NDArray[Any], NDArray[np.floating[Any]]]:
        """The likeliest class for one more step of each of several sequences.

        Parameters
        ----------
        <one more step>

        Returns
        -------
        labels : ndarray of shape (n_sequences,) or (n_sequences, n_columns)
            What `predict` gives for the steps so far, with the same bits: for the last one, or for all of them.
        <state after a step>

        <raises for steps>

        Examples
        --------
        >>> import numpy as np
        >>> from fastnn import SequentialClassifier
        >>> from fastnn.layers import GRU
        >>> rng = np.random.default_rng(0)
        >>> X = [rng.normal(size=(n_steps, 2)) for n_steps in rng.integers(3, 20, 100)]
        >>> y = [each[:, 0].mean() > 0 for each in X]
        >>> model = SequentialClassifier([GRU(8)], tol=1e-2, random_state=0).fit(X, y)
        >>> state = None
        >>> for x in X[0]:
        ...     label, state = model.predict_step([x], state)
        >>> bool(label == model.predict(X[:1]))
        True
        """
        return self._step(x, state, Labels.decode)

    @documented
    def predict_proba_step(
        self, x: ArrayLike, state: NDArray[np.floating[Any]] | None = None
    ) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
        """The probability of each class for one more step of each of several sequences.

        Parameters
        ----------
        <one more step>

        Returns
        -------
        probabilities : ndarray of shape (n_sequences, n_classes), or a list of such
            What `predict_proba` gives for the steps so far, with the same bits.
        <state after a step>

        <raises for steps>

        Examples
        --------
        >>> import numpy as np
        >>> from fastnn import SequentialClassifier
        >>> from fastnn.layers import GRU
        >>> rng = np.random.default_rng(0)
        >>> X = [rng.normal(size=(n_steps, 2)) for n_steps in rng.integers(3, 20, 100)]
        >>> y = [each[:, 0].mean() > 0 for each in X]
        >>> model = SequentialClassifier([GRU(8)], tol=1e-2, random_state=0).fit(X, y)
        >>> probabilities, state = model.predict_proba_step([x[0] for x in X[:3]])  # of three sequences
        >>> probabilities.shape
        (3, 2)
        """
        return self._step(x, state, Labels.probabilities)

    @classmethod
    @documented
    def from_weights(
        cls,
        layers: Sequence[Layer | None],
        weights: LayerWeights,
        *,
        input_shape: int | Sequence[int | None] | None = None,
        classes: Classes | None = None,
        multilabel: bool = False,
        **parameters: Unpack[SequentialClassifierParameters],
    ) -> Self:
        """A fitted network with given weights.

        Parameters
        ----------
        <weights of given layers>
        <outputs of classifiers>

        Returns
        -------
        SequentialClassifier

        Raises
        ------
        ValueError
            For weights whose shapes do not fit the layers or the classes, and for parameters that `fit` refuses.

        Examples
        --------
        >>> from fastnn import SequentialClassifier
        >>> from fastnn.layers import Dense
        >>> xor = SequentialClassifier.from_weights(
        ...     [Dense(2)],
        ...     [{"kernel": [[1, 1], [1, 1]], "bias": [0, -1]}, {"kernel": [[1], [-2]], "bias": [-0.5]}],
        ...     classes=[False, True],
        ... )
        >>> xor.predict([[0, 0], [0, 1], [1, 0], [1, 1]])
        array([False,  True,  True, False])
        """
        model = cls(layers, input_shape=input_shape, **parameters)
        model._validate_params()
        targets = cls._targets_of(classes, multilabel, n_outputs_of(weights), last_names(weights))
        return fill_from_layers(model, targets, weights)
