"""The NumPy definitions of recurrent layers are held to differences of what they make, and to PyTorch."""

import numpy as np
import pytest
from recurrent_reference import CELLS, MERGE_MODES, RECURRENT_LAYERS, bidirectional, embedding, recurrent
from reference import ACTIVATIONS, dropout_mask

N_FEATURES, UNITS, LENGTHS, STEP = 3, 4, (5, 1, 7), 1e-5
ROUGH = "relu", "leaky_relu", "elu", "exp"  # exponentials of exponentials leave no digits
SMOOTH = [name for name in ACTIVATIONS if name not in ROUGH]


@pytest.fixture
def batch(rng):
    return [rng.normal(size=(n, N_FEATURES)) for n in LENGTHS]


def cell_weights(kind, rng, n_features=N_FEATURES, use_bias=True):
    size = CELLS[kind][1] * UNITS
    biases = [(2, size) if kind == "gru" else (size,)] if use_bias else []
    return [rng.normal(0, 0.5, shape) for shape in ((n_features, size), (UNITS, size), *biases)]


def check_gradients(layer, batch, weights, rng):
    """The gradient of the values' sum, each times a random number, against central differences."""
    made = layer(batch, weights)
    factors = [rng.normal(size=value.shape) for value in made.values]
    of_batch, of_weights = made.back(factors)

    def total():
        return sum((value * factor).sum() for value, factor in zip(layer(batch, weights).values, factors, strict=True))

    checked = [*zip(weights, of_weights, strict=True), *zip(batch, of_batch or (), strict=of_batch is not None)]
    for array, gradient in checked:
        assert gradient.shape == array.shape
        for at in np.ndindex(array.shape):
            here, totals = array[at], []
            for there in (here + STEP, here - STEP):
                array[at] = there
                totals.append(total())
            array[at] = here
            assert gradient[at] == pytest.approx((totals[0] - totals[1]) / (2 * STEP), rel=1e-7, abs=1e-7)


# -- against central differences --------------------------------------------------------------------------------------


@pytest.mark.parametrize("go_backwards", [False, True])
@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("use_bias", [False, True])
@pytest.mark.parametrize("kind", CELLS)
def test_gradients_of_cells(kind, use_bias, return_sequences, go_backwards, batch, rng):
    settings = {"return_sequences": return_sequences, "go_backwards": go_backwards}
    weights = cell_weights(kind, rng, use_bias=use_bias)
    check_gradients(lambda *of: RECURRENT_LAYERS[kind](*of, **settings), batch, weights, rng)


@pytest.mark.parametrize("activation", SMOOTH)
@pytest.mark.parametrize("kind", CELLS)
def test_gradients_of_activations(kind, activation, batch, rng):
    weights = cell_weights(kind, rng)
    for settings in ((activation, "logistic"), ("tanh", activation)):
        check_gradients(lambda *of, settings=settings: recurrent(kind, *of, *settings), batch[:2], weights, rng)


@pytest.mark.parametrize("kind", CELLS)
def test_gradients_with_dropout_and_given_states(kind, batch, rng):
    def mask(size):
        return dropout_mask(rng.integers(2**32, size=(len(batch), size)), 0.4)

    states = [tuple(rng.normal(size=(CELLS[kind][2], UNITS))) for _ in batch]
    settings = {"masks": mask(N_FEATURES), "recurrent_masks": mask(UNITS), "states": states, "return_sequences": True}
    check_gradients(lambda *of: recurrent(kind, *of, **settings), batch, cell_weights(kind, rng), rng)


@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("merge_mode", MERGE_MODES)
@pytest.mark.parametrize("kind", CELLS)
def test_gradients_of_both_directions(kind, merge_mode, return_sequences, batch, rng):
    weights = cell_weights(kind, rng) + cell_weights(kind, rng)

    def layer(*of):
        return bidirectional(*of, kind, merge_mode, return_sequences=return_sequences)

    check_gradients(layer, batch[:2], weights, rng)


def test_gradients_of_embeddings(rng):
    batch = [np.array(tokens) for tokens in ([0, 2, 2, 5], [1], [2, 0])]
    check_gradients(embedding, batch, [rng.normal(size=(6, 3))], rng)


# -- what follows from the definitions --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", CELLS)
def test_states_carry_a_sequence_on(kind, batch, rng):
    """What is computed window by window is what is computed at once."""
    weights = cell_weights(kind, rng)
    at_once = recurrent(kind, batch[2:], weights, return_sequences=True)
    first = recurrent(kind, [batch[2][:3]], weights, return_sequences=True)
    second = recurrent(kind, [batch[2][3:]], weights, return_sequences=True, states=first.states)
    np.testing.assert_array_equal(np.concatenate([first.values[0], second.values[0]]), at_once.values[0])
    np.testing.assert_array_equal(second.states[0], at_once.states[0])


@pytest.mark.parametrize("kind", CELLS)
def test_going_backwards_is_going_through_turned_sequences(kind, batch, rng):
    weights = cell_weights(kind, rng)
    turned = recurrent(kind, [x[::-1] for x in batch], weights, return_sequences=True)
    backwards = recurrent(kind, batch, weights, return_sequences=True, go_backwards=True)
    for ours, other in zip(backwards.values, turned.values, strict=True):
        np.testing.assert_array_equal(ours, other)


# -- against PyTorch --------------------------------------------------------------------------------------------------


def torch_weights(kind, weights):
    """Keras's arrays in PyTorch's shapes and order of gates: of the inputs, of the state, and a bias for each."""
    gates = {"simple_rnn": [0], "gru": [1, 0, 2], "lstm": [0, 1, 2, 3]}[kind]

    def rows(array):
        parts = np.split(array, len(gates), axis=-1)
        return np.concatenate([parts[i] for i in gates], axis=-1).T

    kernel, recurrent_kernel, bias = weights
    biases = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    return [rows(kernel), rows(recurrent_kernel), *map(rows, biases)]


@pytest.mark.parametrize("both", [False, True], ids=["forward", "both directions"])
@pytest.mark.parametrize(
    ("kind", "module", "options"),
    [
        ("simple_rnn", "RNN", {}),
        ("simple_rnn", "RNN", {"nonlinearity": "relu"}),
        ("gru", "GRU", {}),
        ("lstm", "LSTM", {}),
    ],
)
def test_pytorch_makes_the_same(kind, module, options, both, batch, rng):
    """The values of all steps, and the gradients by the batch and by the weights, to 1e-10."""
    torch = pytest.importorskip("torch")
    per_direction = [cell_weights(kind, rng) for _ in range(1 + both)]
    weights = [array for arrays in per_direction for array in arrays]
    settings = {"activation": options.get("nonlinearity", "tanh"), "return_sequences": True}
    made = bidirectional(batch, weights, kind, **settings) if both else recurrent(kind, batch, weights, **settings)

    theirs = getattr(torch.nn, module)(N_FEATURES, UNITS, bidirectional=both, dtype=torch.float64, **options)
    arrays = [array for arrays in per_direction for array in torch_weights(kind, arrays)]
    with torch.no_grad():
        for parameter, array in zip(theirs.parameters(), arrays, strict=True):
            parameter.copy_(torch.from_numpy(array))
    inputs = [torch.tensor(x, requires_grad=True) for x in batch]
    outputs, _ = theirs(torch.nn.utils.rnn.pack_sequence(inputs, enforce_sorted=False))
    outputs = torch.nn.utils.rnn.unpack_sequence(outputs)
    factors = [rng.normal(size=value.shape) for value in made.values]
    sum((output * torch.from_numpy(factor)).sum() for output, factor in zip(outputs, factors, strict=True)).backward()

    def compare(ours, theirs):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-10, atol=1e-10)

    of_batch, of_weights = made.back(factors)
    n = len(of_weights) // (1 + both)
    of_arrays = [array for i in range(1 + both) for array in torch_weights(kind, of_weights[n * i : n * (i + 1)])]
    for i, (array, parameter) in enumerate(zip(of_arrays, theirs.parameters(), strict=True)):
        if kind == "gru" or i % 4 != 3:  # else PyTorch's second bias is one that Keras has not
            compare(array, parameter.grad)
    for pairs in (made.values, outputs), (of_batch, [x.grad for x in inputs]):
        for ours, theirs in zip(*pairs, strict=True):
            compare(ours, theirs)
