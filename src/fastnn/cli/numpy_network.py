"""A network of dense layers in NumPy, with which fastnn is compared.

A careful programmer would write it from a textbook in an afternoon. BLAS computes the products, on all of its threads.
Results go into arrays that are allocated once. The parameters are one block, so that a step of the optimizer is a few
passes over it. There are no further optimizations.
"""

from itertools import pairwise

import numpy as np

from fastnn.cli.numpy_training import NumpyTraining, cross_entropy, relu, sigmoid, softmax, two_class_entropy


class NumpyNetwork(NumpyTraining):
    """A multilayer perceptron with ReLU in its hidden layers, and softmax, or logistic for one output, in its last.

    Parameters
    ----------
    sizes : sequence of int
        The number of features, of units in each hidden layer, and of classes; for two classes also 1, as fastnn has it:
        the probability of the second one.
    solver, learning_rate, batch_size, dtype, random_state
        See `NumpyTraining`. With one seed, `fastnn.MLPClassifier` has the same initial weights and batches.

    Attributes
    ----------
    coefs, intercepts : list of ndarray
        W of shape (fan_in, fan_out) and b of shape (fan_out,) of each layer: views of `parameters`.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.cli.numpy_network import NumpyNetwork
    >>> X, y = np.eye(3, dtype=np.float32), np.arange(3)
    >>> network = NumpyNetwork((3, 8, 3), learning_rate=0.05, random_state=0)
    >>> losses = [network.train_epoch(X, y) for _ in range(20)]
    >>> network.predict(X)
    array([0, 1, 2])
    """

    def __init__(
        self, sizes, solver="rmsprop", learning_rate=0.001, batch_size=64, dtype=np.float32, random_state=None
    ):
        shapes = [shape for fans in pairwise(sizes) for shape in (fans, fans[1:])]
        super().__init__(shapes, solver, learning_rate, batch_size, dtype, random_state)
        self.sizes = tuple(sizes)
        self._probabilities, self._loss = (sigmoid, two_class_entropy) if sizes[-1] == 1 else (softmax, cross_entropy)
        self.coefs, self.intercepts = self.arrays[::2], self.arrays[1::2]
        for W, b in zip(self.coefs, self.intercepts, strict=True):
            self.draw_dense(W, b)
        # For each layer and one batch: the outputs, and the loss's gradient by the activation's input.
        self._a = [np.empty((batch_size, n), dtype) for n in self.sizes[1:]]
        self._delta = [np.empty_like(a) for a in self._a]

    def forward(self, x, out):
        """The class probabilities of x; `out` has an array for each layer, which gets the layer's outputs."""
        for W, b, a in zip(self.coefs, self.intercepts, out, strict=True):
            np.matmul(x, W, out=a)
            a += b
            x = self._probabilities(a, out=a) if a is out[-1] else relu(a, out=a)
        return x

    def backward(self, x, y):
        """The mean cross-entropy of a batch; its gradient is written to `grad`."""
        n = len(x)
        a, delta = ([array[:n] for array in arrays] for arrays in (self._a, self._delta))
        loss = self._loss(self.forward(x, a), y, delta[-1])
        for i in range(len(self.coefs) - 1, -1, -1):
            np.matmul((a[i - 1] if i else x).T, delta[i], out=self.grads[2 * i])
            np.sum(delta[i], axis=0, out=self.grads[2 * i + 1])
            if i:  # the gradient by the samples is not needed
                np.matmul(delta[i], self.coefs[i].T, out=delta[i - 1])
                delta[i - 1] *= a[i - 1] > 0
        return loss

    def predict_proba(self, X):
        """The class probabilities of the samples X."""
        outputs = self.forward(X, [np.empty((len(X), n), self.parameters.dtype) for n in self.sizes[1:]])
        return np.hstack([1 - outputs, outputs]) if self.sizes[-1] == 1 else outputs
