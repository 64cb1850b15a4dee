"""What networks of the user's layers predict step by step, while sequences go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastnn.data.class_targets import Labels
from fastnn.data.number_targets import Numbers

if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    from numpy.typing import ArrayLike, NDArray


class ClassifierStepsMixin:
    """The classes of sequences so far, from one more step of each."""

    def predict_step(
        self, x: ArrayLike, state: NDArray[np.floating[Any]] | None = None
    ) -> tuple[NDArray[Any], NDArray[np.floating[Any]]]:
        # From tools/docstrings: <one more step>, <state after a step>, <raises for steps>
        """The likeliest class for one more step of each of several sequences.

        Parameters
        ----------
        x : array-like of shape (n_sequences, n_features)
            One step of each sequence; for sequences of tokens or of single numbers also of shape (n_sequences,).
        state : ndarray of shape (n_sequences, state_size), default=None
            What the call for the step before returned; its rows can be picked and put together as those of any array.
            None: this is the first step.

        Returns
        -------
        labels : ndarray of shape (n_sequences,) or (n_sequences, n_columns)
            What `predict` gives for the steps so far, with the same bits: for the last one, or for all of them.
        state : ndarray of shape (n_sequences, state_size)
            What the layers carry on to the next step, in the type that the network computes in. It is a new array.

        Raises
        ------
        ValueError
            When a layer depends on other steps than the earlier ones, such as `Bidirectional` or a pooling over time,
            or removes steps; and for steps or a state of another shape.
        NotFittedError
            Before the network is fitted.

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

    def predict_proba_step(
        self, x: ArrayLike, state: NDArray[np.floating[Any]] | None = None
    ) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
        # From tools/docstrings: <one more step>, <state after a step>, <raises for steps>
        """The probability of each class for one more step of each of several sequences.

        Parameters
        ----------
        x : array-like of shape (n_sequences, n_features)
            One step of each sequence; for sequences of tokens or of single numbers also of shape (n_sequences,).
        state : ndarray of shape (n_sequences, state_size), default=None
            What the call for the step before returned; its rows can be picked and put together as those of any array.
            None: this is the first step.

        Returns
        -------
        probabilities : ndarray of shape (n_sequences, n_classes), or a list of such
            What `predict_proba` gives for the steps so far, with the same bits.
        state : ndarray of shape (n_sequences, state_size)
            What the layers carry on to the next step, in the type that the network computes in. It is a new array.

        Raises
        ------
        ValueError
            When a layer depends on other steps than the earlier ones, such as `Bidirectional` or a pooling over time,
            or removes steps; and for steps or a state of another shape.
        NotFittedError
            Before the network is fitted.

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


class RegressorStepsMixin:
    """The numbers of sequences so far, from one more step of each."""

    def predict_step(
        self, x: ArrayLike, state: NDArray[np.floating[Any]] | None = None
    ) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
        # From tools/docstrings: <one more step>, <state after a step>, <raises for steps>
        """The predicted number, or numbers, for one more step of each of several sequences.

        Parameters
        ----------
        x : array-like of shape (n_sequences, n_features)
            One step of each sequence; for sequences of tokens or of single numbers also of shape (n_sequences,).
        state : ndarray of shape (n_sequences, state_size), default=None
            What the call for the step before returned; its rows can be picked and put together as those of any array.
            None: this is the first step.

        Returns
        -------
        numbers : ndarray of shape (n_sequences,) or (n_sequences, n_targets)
            What `predict` gives for the steps so far, with the same bits: for the last one, or for all of them.
        state : ndarray of shape (n_sequences, state_size)
            What the layers carry on to the next step, in the type that the network computes in. It is a new array.

        Raises
        ------
        ValueError
            When a layer depends on other steps than the earlier ones, such as `Bidirectional` or a pooling over time,
            or removes steps; and for steps or a state of another shape.
        NotFittedError
            Before the network is fitted.

        Examples
        --------
        >>> import numpy as np
        >>> from fastnn import SequentialRegressor
        >>> from fastnn.layers import GRU
        >>> rng = np.random.default_rng(0)
        >>> X = [rng.normal(size=(n_steps, 1)) for n_steps in rng.integers(3, 20, 100)]
        >>> model = SequentialRegressor([GRU(8)], tol=1e-2, random_state=0).fit(X, [each.mean() for each in X])
        >>> state = None
        >>> for x in X[0]:
        ...     number, state = model.predict_step([x], state)
        >>> bool(number == model.predict(X[:1]))
        True
        """
        return self._step(x, state, Numbers.decode)
