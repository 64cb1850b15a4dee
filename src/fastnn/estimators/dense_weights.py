"""What networks have in common with scikit-learn's: weights of dense layers, and the conversion of either."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from sklearn.utils.validation import check_is_fitted

from fastnn.estimators.sklearn_bridge import (
    check_is_sklearn,
    check_shapes,
    checked_layers,
    fill_from_sklearn,
    fill_sklearn,
    joined,
    parted,
    sklearn_estimator,
)
from fastnn.training.transaction import being_changed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeVar

    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    # As typing.Self, which Jedi takes for the class that defines a method.
    Self = TypeVar("Self", bound="DenseWeights")


class DenseWeights:
    """`coefs_` and `intercepts_`, where all layers are dense and have biases; `from_sklearn` and `to_sklearn`.

    A subclass says what scikit-learn's class is (`_sklearn_class`), makes a model of its estimator's parameters
    (`_like_sklearn`) and targets (`_targets_like_sklearn`), and gives its own to an estimator (`_set_sklearn_layers`,
    `_set_sklearn_targets`).
    """

    @property
    def coefs_(self) -> tuple[NDArray[np.floating[Any]], ...]:
        """tuple of ndarray of shape (fan_in, fan_out): the weights of each layer, read-only copies."""
        return self._unpacked()[0]

    @coefs_.setter
    def coefs_(self, coefs: Sequence[ArrayLike]) -> None:
        self._set_weights("coefs", coefs)

    @property
    def intercepts_(self) -> tuple[NDArray[np.floating[Any]], ...]:
        """tuple of ndarray of shape (fan_out,): the biases of each layer, read-only copies."""
        return self._unpacked()[1]

    @intercepts_.setter
    def intercepts_(self, intercepts: Sequence[ArrayLike]) -> None:
        self._set_weights("intercepts", intercepts)

    def _unpacked(self):
        if not hasattr(self, "_network"):
            raise AttributeError(f"This {type(self).__name__} instance is not fitted yet, so it has no weights.")
        network = self._network
        if not _is_dense(network):
            kinds = ", ".join(dict.fromkeys(kind for kind, *_ in network.description))
            raise AttributeError(
                f"coefs_ and intercepts_ must be those of dense layers with biases, got layers of the kinds {kinds}: "
                "see weights_"
            )
        coefs, intercepts = map(tuple, parted(network.weights()))
        for array in (*coefs, *intercepts):  # a change would not reach the network: an error says so
            array.flags.writeable = False
        return coefs, intercepts

    def _set_weights(self, name, layers):
        check_is_fitted(self)
        self._unpacked()  # which says where there are no such weights
        layers = checked_layers(name, layers, self._network.dtype)
        with being_changed(self):
            coefs, intercepts = parted(self._network.weights())
            parts = {"coefs": coefs, "intercepts": intercepts, name: layers}
            check_shapes(_sizes(self._network), **parts)
            self._replace_weights(joined(**parts))

    @classmethod
    def from_sklearn(cls: type[Self], fitted: Any) -> Self:
        """The network of a fitted estimator of scikit-learn's, as a model of fastnn.

        Parameters
        ----------
        fitted : sklearn.neural_network.MLPClassifier or MLPRegressor
            A fitted classifier for a classifier of fastnn's, a fitted regressor for a regressor.

        Returns
        -------
        BaseNetwork
            It has the parameters and weights of `fitted`, predicts the same, and can be trained further, with a fresh
            optimizer. Where layers are a parameter, they are of the class `Dense`.

        Raises
        ------
        TypeError
            For an estimator of another class.
        NotFittedError
            For an estimator that is not fitted.

        Examples
        --------
        >>> from sklearn import neural_network
        >>> from sklearn.datasets import load_iris
        >>> from fastnn import MLPClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> fitted = neural_network.MLPClassifier(solver="lbfgs", max_iter=1000, random_state=0).fit(X, y)
        >>> bool((MLPClassifier.from_sklearn(fitted).predict(X) == fitted.predict(X)).all())
        True
        """
        check_is_sklearn(fitted, cls._sklearn_class)
        model = cls._like_sklearn(fitted)
        return fill_from_sklearn(model, model._targets_like_sklearn(fitted), fitted)

    def to_sklearn(self) -> Any:
        """This network as a fitted estimator of scikit-learn's.

        Returns
        -------
        sklearn.neural_network.MLPClassifier or MLPRegressor
            It predicts the same. Parameters that scikit-learn does not have, and values that it does not know, keep
            scikit-learn's defaults.

        Raises
        ------
        ValueError
            For layers, activations, losses and types of targets that scikit-learn does not have.

        Examples
        --------
        >>> from fastnn import MLPRegressor
        >>> MLPRegressor.from_weights([[[2.0]]], [[1.0]]).to_sklearn().predict([[3.0]])
        array([7.])
        """
        check_is_fitted(self)
        estimator = sklearn_estimator(self, self._sklearn_class)
        self._set_sklearn_targets(estimator)
        self._set_sklearn_layers(estimator)
        return fill_sklearn(self, estimator)


def _sizes(network):
    """The number of inputs, and the numbers of units of the layers that have weights."""
    return [network.shapes[0][0], *(shape[-1] for shape in network.shapes[1::2])]


def _is_dense(network):
    """Whether the network is one of dense layers with biases, each of which reads all that the one before makes."""
    kinds, sizes = {kind for kind, *_ in network.description}, _sizes(network)
    expected = joined(pairwise(sizes), ((size,) for size in sizes[1:]))
    return kinds <= {"dense", "reshape"} and list(network.shapes) == expected
