"""The weights of dense layers, as scikit-learn's networks have them."""

from itertools import pairwise

from sklearn.utils.validation import check_is_fitted

from fastnn.estimators.sklearn_bridge import check_shapes, checked_layers, joined, parted
from fastnn.training.transaction import being_changed


class DenseWeights:
    """`coefs_` and `intercepts_` of a network all of whose weights are those of dense layers with biases."""

    @property
    def coefs_(self):
        """tuple of ndarray of shape (fan_in, fan_out): the weights of each layer, read-only copies."""
        return self._unpacked()[0]

    @coefs_.setter
    def coefs_(self, coefs):
        self._set_weights("coefs", coefs)

    @property
    def intercepts_(self):
        """tuple of ndarray of shape (fan_out,): the biases of each layer, read-only copies."""
        return self._unpacked()[1]

    @intercepts_.setter
    def intercepts_(self, intercepts):
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


def _sizes(network):
    """The number of inputs, and the numbers of units of the layers that have weights."""
    return [network.shapes[0][0], *(shape[-1] for shape in network.shapes[1::2])]


def _is_dense(network):
    """Whether the network is one of dense layers with biases, each of which reads all that the one before makes."""
    kinds, sizes = {kind for kind, *_ in network.description}, _sizes(network)
    expected = joined(pairwise(sizes), ((size,) for size in sizes[1:]))
    return kinds <= {"dense", "reshape"} and list(network.shapes) == expected
