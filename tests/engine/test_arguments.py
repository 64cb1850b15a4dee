"""Arguments that make no sense are refused before anything is computed, or allocated."""

import tracemalloc

import numpy as np
import pytest
from problems import dense_layers, make_loss, make_trainer, random_weights

from fastnn.engine.loss import Loss
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.standalone import Dense
from fastnn.engine.trainer import Trainer

N, N_FEATURES, N_OUTPUTS = 6, 4, 3
X = np.ones((N, N_FEATURES))
LABELS = np.arange(N, dtype=np.int32) % N_OUTPUTS
INDICATORS = np.ones((N, N_OUTPUTS))
ORDER = np.arange(N)


def trainer(head="softmax", dtype="float64"):
    weights = random_weights(np.random.default_rng(0), (N_FEATURES, 5, N_OUTPUTS), dtype)
    return make_trainer(weights, ["relu"], head, "sgd", 2, learning_rate=0.1)


@pytest.mark.parametrize(
    ("X", "targets", "order", "error", "message"),
    [
        (X, LABELS, ORDER.astype(np.int32), ValueError, "order must be"),
        (X, LABELS, ORDER[::2], ValueError, "order must be"),
        (X, LABELS, ORDER[:, None], ValueError, "order must be"),
        (X, LABELS, ORDER + 1, ValueError, "order must be from 0 to below 6, .*, got 6 numbers from 1 to 6"),
        (X, LABELS, ORDER - 1, ValueError, "order must be from 0 to below 6, .*, got 6 numbers from -1 to 4"),
        (X, LABELS + np.int32(1), ORDER, ValueError, "classes must be from 0 to 2, got 6 numbers from 1 to 3"),
        (X, LABELS - np.int32(1), ORDER, ValueError, "classes must be from 0 to 2"),
        (X, LABELS.astype(np.int64), ORDER, ValueError, "classes must be"),
        (
            X,
            np.stack([LABELS, LABELS], axis=1),
            ORDER,
            ValueError,
            r"classes must have shape \(n_samples, 1\), got \(6, 2\)",
        ),
        (X, np.repeat(LABELS, 2)[::2], ORDER, ValueError, "classes must be"),
        (X, LABELS[:-1], ORDER, ValueError, r"len\(targets\) must be 6, one for each sample, got 5"),
        (X[:, 1:], LABELS, ORDER, ValueError, r"X must have shape \(n_samples, 4\), got 3 columns"),
        (X[:0], LABELS[:0], ORDER, ValueError, "order must be from 0 to below 0"),
        (X[0], LABELS, ORDER, TypeError, "X must have 2 dimensions, got 1"),
        (X.astype(complex), LABELS, ORDER, TypeError, "X must have one of the types bool, float16, .*got complex128"),
        (X.astype(">f8"), LABELS, ORDER, TypeError, "X must have one of the types .* byte order, got >f8"),
        (X.astype(object), LABELS, ORDER, TypeError, "X must have one of the types .*got object"),
        (X.astype(str), LABELS, ORDER, TypeError, "X must have one of the types .*got <U"),
        (X, None, ORDER, TypeError, None),
    ],
)
def test_run_refuses(X, targets, order, error, message):
    subject = trainer()
    before = subject.network.parameters.copy()
    with pytest.raises(error, match=message):
        subject.run(X, targets, order)
    assert np.array_equal(subject.network.parameters, before)
    assert subject.run(np.ones((N, N_FEATURES)), LABELS, ORDER) > 0  # and it still works


@pytest.mark.parametrize(
    ("targets", "error"),
    [
        (INDICATORS[:, 1:], ValueError),
        (INDICATORS[1:], ValueError),
        (LABELS, TypeError),
        (INDICATORS.astype(complex), TypeError),
    ],
)
def test_run_refuses_indicators(targets, error):
    with pytest.raises(error):
        trainer("logistic").run(X, targets, ORDER)


@pytest.mark.parametrize(
    ("samples", "error"),
    [(X[:, 1:], ValueError), (X[0], TypeError), (X.astype(complex), TypeError)],
)
def test_forward_refuses(samples, error):
    with pytest.raises(error):
        trainer().network.forward(samples, 1)


@pytest.mark.parametrize(
    ("sizes", "activations", "arguments", "message"),
    [
        ((4, 5, 3), ["swish"], ("softmax", "float32"), "activation must be one of identity, .*, got 'swish'"),
        ((4, 5, 3), ["relu"], ("poisson", "float32"), "head must be one of identity, .*, softmax, got 'poisson'"),
        ((4, 5, 3), ["relu"], ("softmax", "float16"), "dtype must be float32 or float64, got float16"),
        (
            (4, 5, 3),
            ["relu"],
            ("softmax", "float32", "mmx"),
            "level must be an instruction set of this build of fastnn, .*, got 'mmx'",
        ),
        ((4, 0, 3), ["relu"], ("softmax", "float32"), "units must be from 1 to .*, got 0"),
        ((4, -1, 3), ["relu"], ("softmax", "float32"), "units must be from 1 to .*, got -1"),
        ((0, 3), [], ("softmax", "float32"), r"input_shape must be positive, .*, got \(0,\)"),
        ((2**31, 3), [], ("softmax", "float32"), r"input_shape .* below 2\*\*31, .* got \(2147483648,\)"),
        ((4, 2**64), [], ("softmax", "float32"), "units must be from 1 to .*, got 18446744073709551616"),
    ],
)
def test_network_refuses(sizes, activations, arguments, message):
    with pytest.raises(ValueError, match=message):
        Network(dense_layers(sizes[1:], activations), sizes[:1], *arguments)


def test_a_network_needs_layers():
    with pytest.raises(ValueError, match="at least one layer"):
        Network([], (4,), "softmax", "float32")


def test_networks_too_large_to_address_are_not_allocated():
    """Sizes whose product overflows: were it taken modulo 2**64, a small block would be written past its end."""
    largest = 2**31 - 1
    tracemalloc.start()
    try:
        with pytest.raises(MemoryError):
            Network(dense_layers([largest], []), (largest,), "softmax", "float64")
        with pytest.raises(MemoryError):
            Network(dense_layers([largest] * 3, ["relu", "relu"]), (largest,), "softmax", "float32")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    network = trainer().network
    for batch_size in (2**61, 2**62):
        with pytest.raises(MemoryError):
            Trainer(network, make_loss("softmax", 3), Optimizer("adam", 0.1), batch_size, 1)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_trainer_refuses_batches_of_no_samples(batch_size):
    with pytest.raises(ValueError, match=f"batch_size must be at least 1, got {batch_size}"):
        Trainer(trainer().network, make_loss("softmax", 3), Optimizer("sgd", 0.1), batch_size, 1)


@pytest.mark.parametrize("n_threads", [0, -1])
def test_no_threads_are_refused(n_threads):
    network = trainer().network
    with pytest.raises(ValueError, match=f"n_threads must be at least 1, got {n_threads}"):
        Trainer(network, make_loss("softmax", 3), Optimizer("sgd", 0.1), 2, n_threads)
    with pytest.raises(ValueError, match=f"n_threads must be at least 1, got {n_threads}"):
        network.forward(X, n_threads)
    with pytest.raises(ValueError, match=f"n_threads must be at least 1, got {n_threads}"):
        Dense(np.ones((4, 5)), np.ones(5), n_threads=n_threads)


@pytest.mark.parametrize(
    "loss",
    [Loss("softmax", "softmax", 4), Loss("squared_error", "softplus", 3), Loss("softmax", "softmax", 3, groups=[1, 2])],
)
def test_losses_of_other_outputs_are_refused(loss):
    network = trainer().network
    with pytest.raises(ValueError, match="loss must have"):
        network.loss(X, LABELS, None, loss, 1)
    with pytest.raises(ValueError, match="loss must have"):
        Trainer(network, loss, Optimizer("sgd", 0.1), 2, 1)


@pytest.mark.parametrize("missing", range(3))
def test_none_is_refused(missing):
    arguments = [trainer().network, make_loss("softmax", 3), Optimizer("sgd", 0.1)]
    arguments[missing] = None
    with pytest.raises(TypeError, match="None"):
        Trainer(*arguments, 2, 1)
    with pytest.raises(TypeError, match="None"):
        trainer().move_to(None)


def test_a_trainer_moves_to_a_network_of_the_same_layers_only():
    subject, same = trainer(), trainer().network
    before = same.parameters.copy()
    subject.move_to(same)
    assert subject.network is same
    subject.run(X, LABELS, ORDER)
    assert not np.array_equal(same.parameters, before)
    for other in (trainer("logistic").network, trainer(dtype="float32").network):
        with pytest.raises(ValueError, match=r"network must have the (head|dtype) of the trainer's"):
            subject.move_to(other)


def test_a_layer_by_itself_refuses_what_does_not_fit():
    layer = Dense(np.ones((4, 5)), np.ones(5))
    out = layer.empty(6, 5)
    for wrong in (out[:, ::2], out[:3], out.astype("float32")):
        with pytest.raises(ValueError, match="out must come from"):
            layer.forward(X, out=wrong)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out must come from"):
        layer.forward(X, out=out)
    for wrong in (np.ones((6, 4)), np.ones(6)):
        with pytest.raises(ValueError, match="delta must have shape"):
            layer.grad_input(wrong, X)


def test_optimizer_refuses_unknown_names():
    with pytest.raises(ValueError, match=r"optimizer must be one of gradient, accumulate, sgd, .*, got 'adamw'"):
        Optimizer("adamw", 0.1)


def test_weights_of_other_shapes_are_refused():
    network = trainer().network
    weights = network.weights()
    before = network.parameters.copy()
    for wrong in (weights[:-1], [*weights, weights[0]], weights[::-1], [weights[0].T, *weights[1:]]):
        with pytest.raises(ValueError, match="weights"):
            network.set_weights(wrong)
    for wrong in [network.parameters[1:], network.parameters.astype("float32"), network.parameters[::-1]]:
        with pytest.raises(ValueError, match="must be laid out as"):
            network.unpack(wrong)
    assert np.array_equal(network.parameters, before)
