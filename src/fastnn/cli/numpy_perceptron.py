"""The perceptron in NumPy, with which fastnn is compared: the rule as textbooks have it."""

import numpy as np


class NumpyPerceptron:
    """A threshold unit for two classes, which learns from each sample that it classifies wrongly, in their order.

    Parameters
    ----------
    n_features : int
    dtype : float32 or float64

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.cli.numpy_perceptron import NumpyPerceptron
    >>> X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32), np.array([0, 1, 1, 1])
    >>> perceptron = NumpyPerceptron(2)
    >>> perceptron.fit(X, y, 6)
    [3, 1, 2, 2, 1, 0]
    >>> perceptron.predict(X)
    array([0, 1, 1, 1])
    """

    def __init__(self, n_features, dtype=np.float32):
        self.weights, self.bias = np.zeros(n_features, dtype), 0.0

    @property
    def n_parameters(self):
        return len(self.weights) + 1

    def fit(self, X, y, n_epochs):
        """Learn for so many epochs; returns the number of mistakes in each."""
        return [self.train_epoch(X, y) for _ in range(n_epochs)]

    def train_epoch(self, X, y):
        """Learn from each of the samples X, of classes 0 and 1; returns the number of mistakes."""
        n_mistakes = 0
        for x, target in zip(X, 2 * y - 1, strict=True):
            if target * (x @ self.weights + self.bias) <= 0:
                self.weights += target * x
                self.bias += target
                n_mistakes += 1
        return n_mistakes

    def predict(self, X):
        """The class of each of the samples X."""
        return np.asarray(X @ self.weights + self.bias > 0, int)
