"""A recurrent network in NumPy, with which fastnn is compared.

The inputs' sums of all steps are one product of matrices, and so is each matrix's gradient; what remains for each step
is a product with the state. BLAS does these on all of its threads. There are no further optimizations.
"""

import numpy as np

from fastnn.cli.numpy_training import NumpyHidden, sigmoid
from fastnn.layers.initializers import INITIALIZERS


class NumpyRecurrent(NumpyHidden):
    """Gated recurrent units, whose state after the last step is read by a dense output layer with softmax.

    A unit's reset gate is applied after the product with the state, as in Keras. All sequences have the same length.

    Parameters
    ----------
    n_features : int
        The number of features of each step.
    units : int
    n_classes : int
    solver, learning_rate, batch_size, dtype, random_state
        See `NumpyTraining`. With one seed, `fastnn.SequentialClassifier` has the same initial weights and batches.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.cli.numpy_recurrent import NumpyRecurrent
    >>> X, y = np.zeros((2, 5, 3), np.float32), np.arange(2)
    >>> X[0, 0], X[1, 4] = 1, 1
    >>> network = NumpyRecurrent(3, 8, 2, learning_rate=0.05, random_state=0)
    >>> losses = [network.train_epoch(X, y) for _ in range(20)]
    >>> network.predict(X)
    array([0, 1])
    """

    def __init__(
        self,
        n_features,
        units,
        n_classes,
        solver="adam",
        learning_rate=0.001,
        batch_size=64,
        dtype=np.float32,
        random_state=None,
    ):
        shapes = [(n_features, 3 * units), (units, 3 * units), (2, 3 * units), (units, n_classes), (n_classes,)]
        super().__init__(shapes, solver, learning_rate, batch_size, dtype, random_state)
        self.kernel, self.recurrent_kernel, self.bias = self.arrays[:-2]
        self.kernel[:] = INITIALIZERS["glorot_uniform"](self.kernel.shape, self.rng)
        self.recurrent_kernel[:] = INITIALIZERS["orthogonal"](self.recurrent_kernel.shape, self.rng)
        self.bias[:] = 0
        self.draw_dense(*self.arrays[-2:])
        self.units = units

    def forward(self, steps):
        """The states before, between and after the steps, which are of shape (n_steps, n_samples, n_features).

        Also of each step: the update and reset gates, the candidates, and their sums from the state, not yet reset.
        """
        n_steps, n_samples, n_features = steps.shape
        input_sums = (steps.reshape(-1, n_features) @ self.kernel).reshape(n_steps, n_samples, -1)
        input_sums += self.bias[0]
        states = np.zeros((n_steps + 1, n_samples, self.units), steps.dtype)
        memory = []
        for t, of_inputs in enumerate(input_sums):
            of_state = states[t] @ self.recurrent_kernel
            of_state += self.bias[1]
            gates = sigmoid(of_inputs[:, : -self.units] + of_state[:, : -self.units])
            update, reset = np.split(gates, 2, axis=1)
            state_sums = of_state[:, -self.units :]
            candidates = np.tanh(of_inputs[:, -self.units :] + reset * state_sums)
            states[t + 1] = candidates + update * (states[t] - candidates)
            memory.append((update, reset, candidates, state_sums))
        return states, memory

    def backward(self, sequences, y):
        """The mean cross-entropy of a batch; its gradient is written to `grad`."""
        steps = np.ascontiguousarray(sequences.swapaxes(0, 1))
        states, memory = self.forward(steps)
        loss, delta = self.output_backward(states[-1], y)
        by_inputs, by_states = np.empty((2, *steps.shape[:2], 3 * self.units), steps.dtype)
        for t, (update, reset, candidates, state_sums) in reversed([*enumerate(memory)]):
            by_update, by_reset, by_candidates = np.split(by_inputs[t], 3, axis=1)
            np.multiply(delta * (1 - update), 1 - candidates**2, out=by_candidates)
            np.multiply(delta * (states[t] - candidates), update * (1 - update), out=by_update)
            np.multiply(by_candidates * state_sums, reset * (1 - reset), out=by_reset)
            by_states[t] = by_inputs[t]
            by_states[t, :, -self.units :] *= reset
            delta *= update
            delta += by_states[t] @ self.recurrent_kernel.T
        of_kernel, of_recurrent_kernel, of_bias = self.grads[:-2]
        by_inputs, by_states = (by.reshape(-1, 3 * self.units) for by in (by_inputs, by_states))
        np.matmul(steps.reshape(len(by_inputs), -1).T, by_inputs, out=of_kernel)
        np.matmul(states[:-1].reshape(len(by_states), -1).T, by_states, out=of_recurrent_kernel)
        np.sum(by_inputs, axis=0, out=of_bias[0])
        np.sum(by_states, axis=0, out=of_bias[1])
        return loss

    def hidden(self, X):
        return self.forward(X.swapaxes(0, 1))[0][-1]
