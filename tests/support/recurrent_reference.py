"""Recurrent layers, and embeddings, in plain NumPy: what is right, forward and back, for sequences of any lengths.

A batch is a list of sequences, each an array (n_steps, n_features), and an embedding's one of token numbers (n_steps,).
Nothing is padded, and every sequence is computed by itself. Weights are Keras's: kernel (n_features, gates * units),
recurrent_kernel (units, gates * units) and bias, (gates * units,) or a GRU's (2, 3 * units): that of the inputs' sums,
and that of the state's.

`RECURRENT_LAYERS` has a function for each kind of layer, which takes the batch, the layer's weights and its settings,
and returns a `Pass`. These kinds stand apart from `reference.LAYERS`, whose functions take batches of one shape.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from reference import ACTIVATIONS


@dataclass
class Pass:
    """What a layer makes of a batch.

    Attributes
    ----------
    values : list of ndarray
        For each sequence, what the layer makes: (n_steps, units) or, of the last step alone, (units,).
    back : callable
        Of a gradient by each of `values`: the gradient by each sequence, and the list of those by the weights, summed
        over all sequences. The gradient by tokens is None.
    states : list
        For each sequence, the cell's state after its last step, a tuple of arrays (units,): `states` of the next call.
    """

    values: list
    back: Callable
    states: list | None = None


# -- cells ------------------------------------------------------------------------------------------------------------
#
# A cell makes a new state of the inputs' sums x (gates * units,), the state's sums h (gates * units,), and the state, a
# tuple of arrays (units,) of which the first is the layer's output. f and g are the activation and the recurrent
# activation, each with its derivative. It returns the new state, and a function of a gradient by it, which returns
# those by x, by h, and by the state as far as it is used other than by its sums.


def _simple_rnn(x, h, state, f, g):
    def back(gradient):
        (of_output,) = gradient
        of_sums = of_output * f[1](x + h)
        return of_sums, of_sums, (np.zeros_like(of_output),)

    return (f[0](x + h),), back


def _gru(x, h, state, f, g):
    """Gates z (update) and r (reset), and the candidate c, whose part from the state is reset after the product."""
    (output,) = state
    (x_z, x_r, x_c), (h_z, h_r, h_c) = np.split(x, 3, axis=-1), np.split(h, 3, axis=-1)
    z, r = g[0](x_z + h_z), g[0](x_r + h_r)
    c = f[0](x_c + r * h_c)

    def back(gradient):
        (of_output,) = gradient
        of_c = of_output * (1 - z) * f[1](x_c + r * h_c)
        of_z = of_output * (output - c) * g[1](x_z + h_z)
        of_r = of_c * h_c * g[1](x_r + h_r)
        return np.concatenate([of_z, of_r, of_c]), np.concatenate([of_z, of_r, of_c * r]), (of_output * z,)

    return (z * output + (1 - z) * c,), back


def _lstm(x, h, state, f, g):
    """Gates i (input), f (forget) and o (output), and the candidate c of the cell's memory; the state has both."""
    _, memory = state
    s_i, s_f, s_c, s_o = np.split(x + h, 4, axis=-1)
    i, forget, c, o = g[0](s_i), g[0](s_f), f[0](s_c), g[0](s_o)
    new_memory = forget * memory + i * c

    def back(gradient):
        of_output, of_memory = gradient
        of_memory = of_memory + of_output * o * f[1](new_memory)
        of_sums = np.concatenate(
            [
                of_memory * c * g[1](s_i),
                of_memory * memory * g[1](s_f),
                of_memory * i * f[1](s_c),
                of_output * f[0](new_memory) * g[1](s_o),
            ]
        )
        return of_sums, of_sums, (np.zeros_like(of_output), of_memory * forget)

    return (o * f[0](new_memory), new_memory), back


# name: (the cell, its gates, the arrays of its state)
CELLS = {"simple_rnn": (_simple_rnn, 1, 1), "gru": (_gru, 3, 1), "lstm": (_lstm, 4, 2)}


# -- layers -----------------------------------------------------------------------------------------------------------


def recurrent(
    kind,
    batch,
    weights,
    activation="tanh",
    recurrent_activation="logistic",
    return_sequences=False,
    go_backwards=False,
    masks=None,
    recurrent_masks=None,
    states=None,
):
    """A layer of cells; weights are kernel, recurrent_kernel and, or not, bias.

    With go_backwards, steps are taken from the last to the first, and values come in that order. masks (n, n_features)
    and recurrent_masks (n, units) multiply each sequence's inputs, and its state in the products with
    recurrent_kernel, the same ones at all steps. states are those that sequences begin with, zeros without them; the
    gradient ends there.
    """
    cell, n_gates, n_arrays = CELLS[kind]
    kernel, recurrent_kernel, *biases = weights
    units = len(recurrent_kernel)
    bias = np.zeros((2, n_gates * units))  # of the inputs' sums, and of the state's
    for given in biases:
        bias[: np.ndim(given)] = given
    f, g = ACTIVATIONS[activation], ACTIVATIONS[recurrent_activation]
    order = slice(None, None, -1 if go_backwards else 1)
    masks = np.ones((len(batch), len(kernel))) if masks is None else masks
    recurrent_masks = np.ones((len(batch), units)) if recurrent_masks is None else recurrent_masks
    states = [(np.zeros(units),) * n_arrays] * len(batch) if states is None else states

    values, last_states, memory = [], [], []
    for sequence, state, mask, recurrent_mask in zip(batch, states, masks, recurrent_masks, strict=True):
        outputs, steps = [], []
        for x in sequence[order] * mask:
            h = state[0] * recurrent_mask
            state, back = cell(x @ kernel + bias[0], h @ recurrent_kernel + bias[1], state, f, g)
            outputs.append(state[0])
            steps.append((x, h, back))
        values.append(np.array(outputs) if return_sequences else outputs[-1])
        last_states.append(state)
        memory.append(steps)

    def back(gradients):
        of_kernel, of_recurrent, of_bias = np.zeros_like(kernel), np.zeros_like(recurrent_kernel), np.zeros_like(bias)
        of_batch = []
        for gradient, steps, mask, recurrent_mask in zip(gradients, memory, masks, recurrent_masks, strict=True):
            if not return_sequences:
                gradient = np.concatenate([np.zeros((len(steps) - 1, units)), [gradient]])
            of_state, of_steps = (np.zeros(units),) * n_arrays, []
            for of_output, (x, h, cell_back) in zip(gradient[::-1], reversed(steps), strict=True):
                of_state = (of_state[0] + of_output, *of_state[1:])
                of_x_sums, of_h_sums, of_state = cell_back(of_state)
                of_kernel += np.outer(x, of_x_sums)
                of_recurrent += np.outer(h, of_h_sums)
                of_bias += of_x_sums, of_h_sums
                of_state = (of_state[0] + recurrent_kernel @ of_h_sums * recurrent_mask, *of_state[1:])
                of_steps.append(kernel @ of_x_sums * mask)
            of_batch.append(np.array(of_steps)[::-1][order])
        return of_batch, [of_kernel, of_recurrent, *(of_bias if b.ndim == 2 else of_bias[0] for b in biases)]

    return Pass(values, back, last_states)


def _merged_by_product(forward, backward):
    return forward * backward, lambda gradient: (gradient * backward, gradient * forward)


# name: function of what both directions make, which returns what is made of it, and the gradient by both
MERGE_MODES = {
    "concat": lambda a, b: (np.concatenate([a, b], axis=-1), lambda gradient: np.split(gradient, 2, axis=-1)),
    "sum": lambda a, b: (a + b, lambda gradient: (gradient, gradient)),
    "mul": _merged_by_product,
    "ave": lambda a, b: ((a + b) / 2, lambda gradient: (gradient / 2, gradient / 2)),
}


def bidirectional(
    batch, weights, kind, merge_mode="concat", *, masks=(None, None), recurrent_masks=(None, None), **settings
):
    """A layer and another one of its kind that goes backwards, whose weights follow those of the first.

    What the second makes is turned, so that values of the same step are merged. Each has masks of its own; the other
    settings are both layers'.
    """
    half = len(weights) // 2
    forward, backward = (
        recurrent(kind, batch, its_weights, go_backwards=goes_back, masks=mask, recurrent_masks=state_mask, **settings)
        for its_weights, goes_back, mask, state_mask in zip(
            (weights[:half], weights[half:]), (False, True), masks, recurrent_masks, strict=True
        )
    )
    turn = slice(None, None, -1 if settings.get("return_sequences") else 1)
    merged = [
        MERGE_MODES[merge_mode](first, second[turn])
        for first, second in zip(forward.values, backward.values, strict=True)
    ]

    def back(gradients):
        pairs = [split(gradient) for (_, split), gradient in zip(merged, gradients, strict=True)]
        of_batch, of_weights = forward.back([first for first, _ in pairs])
        of_batch_backward, of_weights_backward = backward.back([second[turn] for _, second in pairs])
        return [a + b for a, b in zip(of_batch, of_batch_backward, strict=True)], of_weights + of_weights_backward

    return Pass([value for value, _ in merged], back)


def embedding(batch, weights):
    """A vector for each token: a row of the only array of weights."""
    (vectors,) = weights

    def back(gradients):
        of_vectors = np.zeros_like(vectors)
        for tokens, gradient in zip(batch, gradients, strict=True):
            np.add.at(of_vectors, tokens, gradient)
        return None, [of_vectors]

    return Pass([vectors[tokens] for tokens in batch], back)


#: By its kind, a function of a batch, weights and settings for each layer.
RECURRENT_LAYERS = {
    **{kind: partial(recurrent, kind) for kind in CELLS},
    "bidirectional": bidirectional,
    "embedding": embedding,
}
