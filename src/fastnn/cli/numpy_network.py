"""A network in NumPy, with which fastnn is compared.

A careful programmer would write it from a textbook in an afternoon. BLAS computes the products, on all of its threads.
Results go into arrays that are allocated once. The parameters are one block, so that a step of the optimizer is a few
passes over it. There are no further optimizations.
"""

from itertools import pairwise

import numpy as np
from sklearn.utils import check_random_state


def relu(z, out=None):
    """max(z, 0), element by element."""
    return np.maximum(z, 0, out=out)


def softmax(z, out=None):
    """Every row of z as probabilities; its maximum is subtracted first, so that no exponential overflows."""
    out = np.subtract(z, z.max(axis=1, keepdims=True), out=out)
    np.exp(out, out=out)
    out /= out.sum(axis=1, keepdims=True)
    return out


class NumpyNetwork:
    """A multilayer perceptron with ReLU in its hidden layers and softmax in its output layer.

    Parameters
    ----------
    sizes : sequence of int
        The number of features, of units in each hidden layer, and of classes.
    solver : {"sgd", "rmsprop", "adam"}, default="rmsprop"
        sgd uses Nesterov's momentum. Formulas and constants are those of `fastnn.MLPClassifier`.
    learning_rate : float, default=0.001
    batch_size : int, default=64
    dtype : float32 or float64, default=float32
        The type of the parameters and of X.
    random_state : int, RandomState or None, default=None
        The generator of the initial weights and, epoch by epoch, of the order of the samples. It is used as by
        `fastnn.MLPClassifier.partial_fit`: with one seed, both networks have the same initial weights and batches.

    Attributes
    ----------
    coefs, intercepts : list of ndarray
        W of shape (fan_in, fan_out) and b of shape (fan_out,) of each layer: views of `parameters`.
    parameters : ndarray of shape (n_parameters,)
        Every W and b in one block.
    grad : ndarray of shape (n_parameters,)
        The last batch's gradient, in the order of `parameters`.

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

    momentum, rho, beta_1, beta_2, epsilon = 0.9, 0.9, 0.9, 0.999, 1e-8

    def __init__(
        self, sizes, solver="rmsprop", learning_rate=0.001, batch_size=64, dtype=np.float32, random_state=None
    ):
        self._update = {"sgd": self._sgd, "rmsprop": self._rmsprop, "adam": self._adam}[solver]
        self.sizes, self.learning_rate, self.batch_size = tuple(sizes), learning_rate, batch_size
        self.rng = check_random_state(random_state)
        self.step_count = 0

        self.parameters = np.empty(sum((n + 1) * m for n, m in pairwise(self.sizes)), dtype)
        self.grad, self._mean, self._square, self._scratch = (np.zeros_like(self.parameters) for _ in range(4))
        self.coefs, self.intercepts = self._layers(self.parameters)
        self._grad_coefs, self._grad_intercepts = self._layers(self.grad)
        for W, b in zip(self.coefs, self.intercepts, strict=True):
            bound = np.sqrt(6 / sum(W.shape))  # Glorot and Bengio (2010)
            W[:] = self.rng.uniform(-bound, bound, W.shape)
            b[:] = self.rng.uniform(-bound, bound, b.shape)
        # For each layer and one batch: the outputs, and the loss's gradient by the activation's input.
        self._a = [np.empty((batch_size, n), dtype) for n in self.sizes[1:]]
        self._delta = [np.empty_like(a) for a in self._a]

    def _layers(self, block):
        """Views of a block like `parameters`: every layer's W, and every layer's b."""
        coefs, intercepts, start = [], [], 0
        for fan_in, fan_out in pairwise(self.sizes):
            end = start + fan_in * fan_out
            coefs.append(block[start:end].reshape(fan_in, fan_out))
            intercepts.append(block[end : end + fan_out])
            start = end + fan_out
        return coefs, intercepts

    def forward(self, x, out):
        """The class probabilities of x; `out` has an array for each layer, which gets the layer's outputs."""
        for W, b, a in zip(self.coefs, self.intercepts, out, strict=True):
            np.matmul(x, W, out=a)
            a += b
            x = softmax(a, out=a) if a is out[-1] else relu(a, out=a)
        return x

    def backward(self, x, y):
        """The mean cross-entropy of a batch; its gradient is written to `grad`."""
        n = len(x)
        a, delta = ([array[:n] for array in arrays] for arrays in (self._a, self._delta))
        probabilities = self.forward(x, a)
        rows = np.arange(n)
        loss = -np.log(np.maximum(probabilities[rows, y], np.finfo(x.dtype).tiny)).mean()

        np.divide(probabilities, n, out=delta[-1])
        delta[-1][rows, y] -= 1 / n
        for i in range(len(self.coefs) - 1, -1, -1):
            np.matmul((a[i - 1] if i else x).T, delta[i], out=self._grad_coefs[i])
            np.sum(delta[i], axis=0, out=self._grad_intercepts[i])
            if i:  # the gradient by the samples is not needed
                np.matmul(delta[i], self.coefs[i].T, out=delta[i - 1])
                delta[i - 1] *= a[i - 1] > 0
        return loss

    def train_epoch(self, X, y):
        """Train for one epoch on samples X and classes y, which are 0, 1, 2, ...; returns the mean loss."""
        order = self.rng.permutation(len(X))
        loss = 0.0
        for first in range(0, len(X), self.batch_size):
            batch = order[first : first + self.batch_size]
            loss += self.backward(X[batch], y[batch]) * len(batch)
            self.step_count += 1
            self._update()
        return loss / len(X)

    def predict_proba(self, X):
        """The class probabilities of the samples X."""
        return self.forward(X, [np.empty((len(X), n), self.parameters.dtype) for n in self.sizes[1:]])

    def predict(self, X):
        """The likeliest class of each of the samples X."""
        return self.predict_proba(X).argmax(axis=1)

    # The optimizers. Their memories and the scratch array are blocks like `parameters`. They may overwrite `grad`.

    def _sgd(self):
        self.grad *= self.learning_rate
        velocity = self._mean
        velocity *= self.momentum
        velocity -= self.grad
        np.multiply(velocity, self.momentum, out=self._scratch)
        self._scratch -= self.grad
        self.parameters += self._scratch

    def _rmsprop(self):
        self._decay(self._square, self.rho, np.square(self.grad, out=self._scratch))
        self._step(self.grad, self.learning_rate)

    def _adam(self):
        self._decay(self._square, self.beta_2, np.square(self.grad, out=self._scratch))
        self.grad *= 1 - self.beta_1
        self._mean *= self.beta_1
        self._mean += self.grad
        correction = np.sqrt(1 - self.beta_2**self.step_count) / (1 - self.beta_1**self.step_count)
        self._step(self._mean, self.learning_rate * float(correction))

    def _decay(self, memory, rate, new):
        """memory = rate memory + (1 - rate) new; new is overwritten."""
        new *= 1 - rate
        memory *= rate
        memory += new

    def _step(self, direction, learning_rate):
        """parameters -= learning_rate direction / (sqrt(square) + epsilon)."""
        np.sqrt(self._square, out=self._scratch)
        self._scratch += self.epsilon
        np.divide(direction, self._scratch, out=self._scratch)
        self._scratch *= learning_rate
        self.parameters -= self._scratch
