"""What networks in NumPy share: their parameters in one block, the optimizers, and epochs."""

import math

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


def sigmoid(z, out=None):
    """1 / (1 + exp(-z)), by the hyperbolic tangent, which does not overflow."""
    half = z.dtype.type(0.5)
    out = np.tanh(np.multiply(z, half, out=out), out=out)
    out *= half
    out += half
    return out


def two_class_entropy(probabilities, y, delta):
    """As `cross_entropy`, of one output: the probability of the second of two classes."""
    np.subtract(probabilities, y[:, np.newaxis], out=delta)
    delta /= len(y)
    of_class = np.where(y == 1, probabilities[:, 0], 1 - probabilities[:, 0])
    return -np.log(np.maximum(of_class, np.finfo(probabilities.dtype).tiny)).mean()


def cross_entropy(probabilities, y, delta):
    """The mean cross-entropy of a batch; its gradient by the softmax's input is written to `delta`."""
    n, rows = len(y), np.arange(len(y))
    np.divide(probabilities, n, out=delta)
    delta[rows, y] -= 1 / n
    return -np.log(np.maximum(probabilities[rows, y], np.finfo(probabilities.dtype).tiny)).mean()


class NumpyTraining:
    """A classifier that is trained in NumPy. A subclass has `backward` and `predict_proba`.

    Parameters
    ----------
    shapes : sequence of tuple of int
        The shape of each array of parameters.
    solver : {"sgd", "rmsprop", "adam"}
        sgd uses Nesterov's momentum. Formulas and constants are those of fastnn's estimators.
    learning_rate : float
    batch_size : int
    dtype : float32 or float64
        The type of the parameters and of X.
    random_state : int, RandomState or None
        The generator of the initial weights and, epoch by epoch, of the order of the samples. `train_epoch` and `fit`
        use it as `partial_fit` and `fit` of fastnn's estimators do: with one seed, both networks have the same initial
        weights and batches.

    Attributes
    ----------
    arrays : list of ndarray
        The parameters, each a view of `parameters`.
    grads : list of ndarray
        The last batch's gradient by each, views of `grad`.
    parameters : ndarray of shape (n_parameters,)
        All parameters in one block.
    grad : ndarray of shape (n_parameters,)
        The last batch's gradient, in the order of `parameters`.
    """

    momentum, rho, beta_1, beta_2, epsilon = 0.9, 0.9, 0.9, 0.999, 1e-8

    def __init__(self, shapes, solver, learning_rate, batch_size, dtype, random_state):
        self._update = {"sgd": self._sgd, "rmsprop": self._rmsprop, "adam": self._adam}[solver]
        self.learning_rate, self.batch_size = learning_rate, batch_size
        self.rng = check_random_state(random_state)
        self.step_count = 0

        self.parameters = np.empty(sum(map(math.prod, shapes)), dtype)
        self.grad, self._mean, self._square, self._scratch = (np.zeros_like(self.parameters) for _ in range(4))
        self.arrays, self.grads = ([*_views(block, shapes)] for block in (self.parameters, self.grad))

    @property
    def n_parameters(self):
        return self.parameters.size

    def fit(self, X, y, n_epochs):
        """Train for so many epochs, each in an order drawn from the one before; returns the mean loss of each."""
        order, losses = np.arange(len(X)), []
        for _ in range(n_epochs):
            order = order[self.rng.permutation(len(X))]
            losses.append(self._train_in_order(X, y, order))
        return losses

    def train_epoch(self, X, y):
        """Train for one epoch on samples X and classes y, which are 0, 1, 2, ...; returns the mean loss."""
        return self._train_in_order(X, y, self.rng.permutation(len(X)))

    def _train_in_order(self, X, y, order):
        loss = 0.0
        for first in range(0, len(X), self.batch_size):
            batch = order[first : first + self.batch_size]
            loss += self.backward(X[batch], y[batch]) * len(batch)
            self.step_count += 1
            self._update()
        return loss / len(X)

    def predict(self, X):
        """The likeliest class of each of the samples X."""
        return self.predict_proba(X).argmax(axis=1)

    def draw_dense(self, kernel, bias):
        """Draw the initial weights of a dense layer, as scikit-learn does."""
        bound = np.sqrt(6 / sum(kernel.shape))  # Glorot and Bengio (2010)
        for array in kernel, bias:
            array[:] = self.rng.uniform(-bound, bound, array.shape)

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


class NumpyHidden(NumpyTraining):
    """Layers of any kind, which a dense output layer with softmax reads: its kernel and bias are the last two arrays.

    A subclass has `hidden(X)`, what the output layer reads of the samples X, and calls `output_backward` in `backward`.
    """

    def output_backward(self, x, y):
        """The mean cross-entropy of a batch, of which the output layer reads x; and its gradient by x.

        The gradient by the output layer's kernel and bias is written to `grad`.
        """
        kernel, bias = self.arrays[-2:]
        probabilities = softmax(x @ kernel + bias)
        delta = np.empty_like(probabilities)
        loss = cross_entropy(probabilities, y, delta)
        np.matmul(x.T, delta, out=self.grads[-2])
        np.sum(delta, axis=0, out=self.grads[-1])
        return loss, delta @ kernel.T

    def predict_proba(self, X):
        """The class probabilities of the samples X, batch by batch: what layers keep of them takes much memory."""
        kernel, bias = self.arrays[-2:]
        parts = (X[first : first + self.batch_size] for first in range(0, len(X), self.batch_size))
        return np.concatenate([softmax(self.hidden(part) @ kernel + bias) for part in parts])


def _views(block, shapes):
    start = 0
    for shape in shapes:
        end = start + math.prod(shape)
        yield block[start:end].reshape(shape)
        start = end
