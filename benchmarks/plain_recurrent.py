"""Layers of sequences as one would write them in NumPy, forward and back: see plain_layers.py.

As in `fastnn.cli.numpy_recurrent`, the inputs' sums of all steps are one product of matrices, and so is each gradient.
"""

import numpy as np

from fastnn.cli.numpy_recurrent import sigmoid


class Learnt:
    """A layer with arrays, and their gradients."""

    def step(self, rate):
        for array, grad in zip(self.arrays, self.grads, strict=True):
            array -= rate * grad


class Embedding(Learnt):
    def __init__(self, n_tokens, channels, dtype):
        self.arrays = [np.zeros((n_tokens, channels), dtype)]

    def forward(self, x):
        self.tokens = x[..., 0].astype(np.intp)
        return self.arrays[0][self.tokens]

    def back(self, delta, further=False):
        self.grads = [np.zeros_like(self.arrays[0])]
        np.add.at(self.grads[0], self.tokens.ravel(), delta.reshape(-1, delta.shape[-1]))


class Masking:
    """The steps of which not all numbers are a certain one, of all sequences together."""

    def __init__(self, value):
        self.value = value

    def forward(self, x):
        return x[(x != self.value).any(axis=-1)]

    def back(self, delta, further=False):
        pass

    def step(self, rate):
        pass


class _Recurrent(Learnt):
    """The state after the last step.

    A kind of cell has `advance`, which returns the next state, and `retreat`, which writes the gradients by both sums
    of a step, and returns that by its state, but for what goes through the state's sums.
    """

    n_gates = 1
    has_state_bias = False

    def __init__(self, channels, units, dtype, backwards=False):
        columns, self.units, self.backwards = self.n_gates * units, units, backwards
        bias = (2, columns) if self.has_state_bias else columns
        self.arrays = [np.zeros(shape, dtype) for shape in ((channels, columns), (units, columns), bias)]

    def forward(self, x):
        kernel, recurrent_kernel, bias = self.arrays
        input_bias, state_bias = bias if self.has_state_bias else (bias, 0)
        self.x = np.ascontiguousarray(x[:, 0].swapaxes(0, 1)[:: -1 if self.backwards else 1])
        n_steps, n, channels = self.x.shape
        sums = (self.x.reshape(-1, channels) @ kernel + input_bias).reshape(n_steps, n, -1)
        self.states, self.memory = np.zeros((n_steps + 1, n, self.units), x.dtype), []
        for t in range(n_steps):
            of_state = self.states[t] @ recurrent_kernel + state_bias
            self.states[t + 1] = self.advance(sums[t], of_state, self.states[t])
        return self.states[-1]

    def back(self, delta):
        kernel, recurrent_kernel, _ = self.arrays
        n_steps, n, channels = self.x.shape
        by_inputs, by_states = np.empty((2, n_steps, n, kernel.shape[1]), delta.dtype)
        self.by_memory = np.zeros_like(delta)
        for t in reversed(range(n_steps)):
            direct = self.retreat(t, delta, by_inputs[t], by_states[t])
            delta = direct + by_states[t] @ recurrent_kernel.T
        by_inputs, by_states = (by.reshape(n_steps * n, -1) for by in (by_inputs, by_states))
        of_bias = by_inputs.sum(axis=0)
        self.grads = [
            self.x.reshape(n_steps * n, -1).T @ by_inputs,
            self.states[:-1].reshape(n_steps * n, -1).T @ by_states,
            np.stack([of_bias, by_states.sum(axis=0)]) if self.has_state_bias else of_bias,
        ]
        by_x = (by_inputs @ kernel.T).reshape(n_steps, n, channels)[:: -1 if self.backwards else 1]
        return by_x.swapaxes(0, 1)[:, np.newaxis]


class SimpleRNN(_Recurrent):
    def advance(self, of_inputs, of_state, state):
        return np.tanh(of_inputs + of_state)

    def retreat(self, t, delta, by_inputs, by_state):
        np.multiply(delta, 1 - self.states[t + 1] ** 2, out=by_inputs)
        by_state[:] = by_inputs
        return 0


class GRU(_Recurrent):
    n_gates = 3
    has_state_bias = True

    def advance(self, of_inputs, of_state, state):
        gates = sigmoid(of_inputs[:, : -self.units] + of_state[:, : -self.units])
        update, reset = np.split(gates, 2, axis=1)
        state_sums = of_state[:, -self.units :]
        candidates = np.tanh(of_inputs[:, -self.units :] + reset * state_sums)
        self.memory.append((update, reset, candidates, state_sums))
        return candidates + update * (state - candidates)

    def retreat(self, t, delta, by_inputs, by_state):
        update, reset, candidates, state_sums = self.memory[t]
        by_update, by_reset, by_candidates = np.split(by_inputs, 3, axis=1)
        np.multiply(delta * (1 - update), 1 - candidates**2, out=by_candidates)
        np.multiply(delta * (self.states[t] - candidates), update * (1 - update), out=by_update)
        np.multiply(by_candidates * state_sums, reset * (1 - reset), out=by_reset)
        by_state[:] = by_inputs
        by_state[:, -self.units :] *= reset
        return delta * update


class LSTM(_Recurrent):
    n_gates = 4

    def advance(self, of_inputs, of_state, state):
        into, forget, candidates, out = np.split(of_inputs + of_state, 4, axis=1)
        into, forget, candidates, out = sigmoid(into), sigmoid(forget), np.tanh(candidates), sigmoid(out)
        before = self.memory[-1][-2] if self.memory else np.zeros_like(state)
        cell = forget * before + into * candidates
        output = np.tanh(cell)
        self.memory.append((into, forget, candidates, out, before, cell, output))
        return out * output

    def retreat(self, t, delta, by_inputs, by_state):
        into, forget, candidates, out, before, _, output = self.memory[t]
        by_into, by_forget, by_candidates, by_out = np.split(by_inputs, 4, axis=1)
        np.multiply(delta * output, out * (1 - out), out=by_out)
        by_cell = self.by_memory + delta * out * (1 - output**2)
        np.multiply(by_cell * candidates, into * (1 - into), out=by_into)
        np.multiply(by_cell * before, forget * (1 - forget), out=by_forget)
        np.multiply(by_cell * into, 1 - candidates**2, out=by_candidates)
        by_state[:] = by_inputs
        self.by_memory = by_cell * forget
        return 0


class Bidirectional(Learnt):
    """Two layers of cells, one of which begins with the last step; their states side by side."""

    def __init__(self, kind, channels, units, dtype):
        self.ways = [kind(channels, units, dtype, backwards) for backwards in (False, True)]
        self.arrays = [array for way in self.ways for array in way.arrays]

    def forward(self, x):
        return np.concatenate([way.forward(x) for way in self.ways], axis=1)

    def back(self, delta):
        first, second = (way.back(part) for way, part in zip(self.ways, np.split(delta, 2, axis=1), strict=True))
        self.grads = [grad for way in self.ways for grad in way.grads]
        return first + second


CELLS = {"SimpleRNN": SimpleRNN, "GRU": GRU, "LSTM": LSTM}


def make(layer, channels, dtype):
    """The layer in NumPy for one of fastnn's that read only sequences, of so many channels; else None."""
    match type(layer).__name__:
        case "Embedding":
            return Embedding(layer.input_dim, layer.output_dim, dtype)
        case "Masking":
            return Masking(layer.mask_value)
        case "SimpleRNN" | "GRU" | "LSTM" as kind:
            return CELLS[kind](channels, layer.units, dtype)
        case "Bidirectional":
            return Bidirectional(CELLS[type(layer.layer).__name__], channels, layer.layer.units, dtype)
    return None
