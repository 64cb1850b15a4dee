"""What changes an optimizer's steps, against the reference: rates, decay, clipping, dropout; over every optimizer."""

import pickle
from itertools import chain

import numpy as np
import pytest
import reference
from problems import SETTINGS, make_loss, make_trainer, random_targets, random_weights

from fastnn.engine.loss import Loss
from fastnn.engine.optimizer import Optimizer, optimizer_names
from fastnn.engine.trainer import Trainer

SIZES, N, BATCH_SIZE = (17, 20, 11, 3), 45, 8
N_BATCHES = -(-N // BATCH_SIZE)
ACTIVATIONS = ["tanh", "gelu"]  # one keeps its output, one its input
STEPPING = [name for name in optimizer_names if name not in ("gradient", "accumulate")]


@pytest.fixture
def data(rng):
    return rng.normal(size=(N, SIZES[0])), random_targets(rng, "softmax", N, SIZES[-1]), rng.permutation(N)


def philox(counter, key):
    """The block of four words that a counter stands for: NumPy's generator counts up before it makes one."""
    number = sum(word << 64 * i for i, word in enumerate(counter)) - 1
    before = [number >> 64 * i & (2**64 - 1) for i in range(4)]
    return np.random.Philox(counter=np.array(before, np.uint64), key=np.array(key, np.uint64)).random_raw(4)


def numpy_masks(seed, rates):
    """The masks of a step, drawn by NumPy's Philox: `masks` for reference.train."""

    def of_layer(layer, step, n_rows, n_units, rate):
        blocks = range(-(-n_units // 8))
        words = [[philox((block, row, layer, step), (seed, 0)) for block in blocks] for row in range(n_rows)]
        halves = np.array(words, "<u8").reshape(n_rows, -1).view("<u4")[:, :n_units]  # the lower half first
        return np.where(halves < rate * 2.0**32, 0, 1 / (1 - rate))

    def masks(step, n_rows):
        layers = enumerate(zip(SIZES[1:-1], rates, strict=True))
        return [of_layer(i, int(step), n_rows, n, rate) if rate else 1.0 for i, (n, rate) in layers]

    return masks


CHANGES = {
    "rates": {"rates": np.array([1.0, 0.5, 0.0, 2.0, 0.25, 1.5])},
    "weight decay": {"weight_decay": 0.7, "rates": np.array([1.0, 0.5, 0.0, 2.0, 0.25, 1.5])},
    "clipping some": {"clip_norm": 0.35, "l2": 0.3},
    "clipping all": {"clip_norm": 1e-3, "weight_decay": 0.7},
    "clipping none": {"clip_norm": 1e3, "l2": 0.3},
    "dropout": {"dropout": (0.5, 0.0), "l2": 0.1},
    "dropout everywhere": {"dropout": (0.25, 0.6)},
    "all of them": {
        "dropout": (0.1, 0.3),
        "clip_norm": 0.3,
        "weight_decay": 0.2,
        "l2": 0.1,
        "weights": np.arange(45.0),
    },
}
AT_RUN = ("rates", "weights")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("optimizer", STEPPING)
def test_against_the_reference(optimizer, change, data, rng, dtype, level):
    X, targets, order = data
    X = X.astype(dtype)
    weights = random_weights(rng, SIZES, dtype)
    settings = {**SETTINGS[optimizer], **CHANGES[change]}
    at_run = {name: settings.pop(name) for name in AT_RUN if name in settings}
    dropout, clip_norm = settings.pop("dropout", ()), settings.pop("clip_norm", None)
    wanted, loss, memories = reference.train(
        weights, ACTIVATIONS, make_loss("softmax", 3), X, targets, order, BATCH_SIZE, optimizer,
        clip_norm=clip_norm or np.inf, masks=numpy_masks(5, dropout) if dropout else None, **at_run, **settings,
    )  # fmt: skip
    trainer = make_trainer(
        weights, ACTIVATIONS, "softmax", optimizer, BATCH_SIZE, level=level, dropout=dropout, clip_norm=clip_norm,
        seed=5, **settings,
    )  # fmt: skip
    eps = float(np.finfo(dtype).eps)
    assert trainer.run(X, targets, order, **at_run) == pytest.approx(loss, rel=20 * eps)
    pairs = [(trainer.network.weights(), wanted)]
    pairs += [(trainer.network.unpack(m), w) for m, w in zip(trainer.memories, memories, strict=False)]
    for got, wanted in pairs:
        for array, its in zip(chain(*got), chain(*wanted), strict=True):
            np.testing.assert_allclose(array, its, rtol=0, atol=30 * eps * max(1, np.abs(its).max()))


@pytest.mark.parametrize("change", CHANGES)
def test_cuts_threads_and_pickles_change_no_bit(change, rng, dtype, level):
    sizes, n = (70, 128, 64, 10), 150
    X, targets, weights = rng.random((n, 70)), random_targets(rng, "softmax", n, 10), random_weights(rng, sizes, dtype)
    settings = {**SETTINGS["adam"], **CHANGES[change]}
    settings.pop("rates", None)
    sample_weights = rng.random(n) if settings.pop("weights", None) is not None else None
    order, rates = rng.permutation(n), rng.random(3)

    def outcome(n_threads, cut, between=lambda trainer: trainer):
        trainer = make_trainer(weights, ACTIVATIONS, "softmax", "adam", 64, n_threads, level, **settings)
        losses = []
        for _ in range(3):
            first = trainer.run(X, targets, order[:cut], weights=sample_weights, rates=rates[: cut // 64])
            trainer = between(trainer)
            losses.append(trainer.run(X, targets, order[cut:], first, weights=sample_weights, rates=rates[cut // 64 :]))
        return losses, trainer.network.parameters.tobytes(), trainer.memories.tobytes()

    alone = outcome(1, 0)
    assert np.isfinite(alone[0]).all()
    for n_threads in (2, 3, 8):
        assert outcome(n_threads, 0) == alone
    assert outcome(2, 64) == outcome(1, 128) == alone
    assert level != "avx512" or outcome(1, 64, lambda trainer: pickle.loads(pickle.dumps(trainer))) == alone


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropouts_expectation(rate):
    """A layer that passes ones through, and an output that adds them up: the mean over steps is their number."""
    n_units, n_rows, n_steps = 40, 64, 50
    weights = [np.ones((1, n_units)), np.ones((n_units, 1))], [np.zeros(n_units), np.zeros(1)]
    loss = Loss("squared_error", "identity", 1)
    trainer = make_trainer(weights, ["identity"], loss, "sgd", n_rows, dropout=(rate,), seed=1, learning_rate=0.0)
    X, zeros, order = np.ones((n_rows, 1)), np.zeros((n_rows, 1)), np.arange(n_rows)
    squares = [2 * trainer.run(X, zeros, order) / n_rows for _ in range(n_steps)]
    # Each unit is 1 / (1 - rate) with probability 1 - rate: their sum has mean n and variance n rate / (1 - rate).
    variance = n_units * rate / (1 - rate)
    error = 3 * np.sqrt(4 * n_units**2 * variance / (n_rows * n_steps))
    assert np.mean(squares) == pytest.approx(n_units**2 + variance, abs=error)
    assert len(set(squares)) > 0.9 * n_steps


def test_dropout_is_for_training(data, rng):
    X, targets, order = data
    weights = random_weights(rng, SIZES)
    with_dropout, without = (
        make_trainer(weights, ACTIVATIONS, "softmax", "sgd", N, dropout=d, learning_rate=0.0) for d in ((0.5, 0.5), ())
    )
    assert with_dropout.run(X, targets, order) != without.run(X, targets, order)
    np.testing.assert_array_equal(with_dropout.network.forward(X, 1), without.network.forward(X, 1))


def test_dropouts_gradient(data, rng):
    """By finite differences, each of a first step: the masks are the same, for they depend on the step's number."""
    X, targets, order = data
    weights, step = random_weights(rng, SIZES), np.cbrt(np.finfo(float).eps)

    def run(weights):
        trainer = make_trainer(weights, ACTIVATIONS, "softmax", "gradient", N, dropout=(0.5, 0.3), learning_rate=1.0)
        return trainer.run(X, targets, order), trainer.network.unpack(trainer.memories[0])

    _, (grads, _) = run(weights)
    for layer, W in enumerate(weights[0]):
        for at in [(0, 0), (3, 2), (10, 1)]:
            losses = []
            for sign in (1, -1):
                W[at] += sign * step
                losses.append(run(weights)[0])
                W[at] -= sign * step
            assert grads[layer][at] == pytest.approx((losses[0] - losses[1]) / (2 * step * N), abs=1e-8)


def test_a_gradient_is_accumulated(data, rng, dtype, level):
    """Over batches, its sum and not its mean; the weights stay, and a penalty is nobody's business here."""
    X, targets, order = data
    weights, sample_weights = random_weights(rng, SIZES, dtype), rng.random(N)
    trainer = make_trainer(weights, ACTIVATIONS, "softmax", "accumulate", BATCH_SIZE, level=level, learning_rate=1.0)
    loss = trainer.run(X, targets, order, weights=sample_weights)
    wanted, *grads = reference.gradients(
        *weights, ACTIVATIONS, make_loss("softmax", 3), X.astype(dtype), targets, sample_weights
    )
    eps = float(np.finfo(dtype).eps)
    total = sample_weights.sum()
    assert loss == pytest.approx(wanted * total / N, rel=20 * eps)
    for got, its in zip(chain(*trainer.network.unpack(trainer.memories[0])), chain(*grads), strict=True):
        np.testing.assert_allclose(got, its * total, rtol=0, atol=30 * eps * np.abs(its).max() * total)
    np.testing.assert_array_equal(trainer.network.weights()[0][0], weights[0][0])


def test_settings_may_change_between_runs(data, rng):
    """Memories go on; a new seed, rate or norm is a trainer of its own, the same ones are the same trainer."""
    X, targets, order = data
    loss = make_loss("softmax", 3)
    trainer = make_trainer(random_weights(rng, SIZES), ACTIVATIONS, loss, "adam", BATCH_SIZE, **SETTINGS["adam"])
    trainer.run(X, targets, order)
    optimizer = Optimizer("adam", **SETTINGS["adam"])
    assert trainer.adapted(make_loss("softmax", 3), optimizer, BATCH_SIZE, 1) is trainer
    for changes in ({"dropout": (0.5, 0.0)}, {"clip_norm": 1.0}, {"dropout": (0.5, 0.5), "seed": 3}):
        other = trainer.adapted(loss, Optimizer("adam", **SETTINGS["adam"]), BATCH_SIZE, 1, **changes)
        assert other is not trainer
        assert (other.memories == trainer.memories).all()
        assert other.optimizer.step_count == trainer.optimizer.step_count == N_BATCHES
    afresh = trainer.adapted(loss, Optimizer("adagrad", **SETTINGS["adagrad"]), BATCH_SIZE, 1)
    assert not afresh.memories.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dropout": (0.5,)}, r"dropout rates of \(0.5,\) for 2 hidden layers"),
        ({"dropout": (0.5, 1.0)}, "dropout rates"),
        ({"dropout": (-0.1, 0.5)}, "dropout rates"),
        ({"clip_norm": 0.0}, "clip_norm is 0.0"),
        ({"clip_norm": float("nan")}, "clip_norm is nan"),
        (
            {"loss": Loss("logistic", "logistic", 3)},
            "a loss of 3 outputs of logistic, but the network has 3 of softmax",
        ),
        ({"loss": Loss("softmax", "softmax", 4)}, "a loss of 4 outputs of softmax, but the network has 3 of softmax"),
    ],
)
def test_trainer_refuses(arguments, message, rng):
    network = make_trainer(random_weights(rng, SIZES), ACTIVATIONS, "softmax", "sgd", 1, learning_rate=1.0).network
    arguments = {"loss": make_loss("softmax", 3), **arguments}
    with pytest.raises(ValueError, match=message):
        Trainer(network, arguments.pop("loss"), Optimizer("sgd", 0.1), 2, 1, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("hinge", "identity", 3), "unknown loss 'hinge': choose among softmax, logistic"),
        (("logistic", "softmax", 3), "the loss 'logistic' needs the head 'logistic', not 'softmax'"),
        (("squared_error", "softmax", 3), "needs an activation for its head"),
        (("softmax", "softmax", 3, [0.1, 0.2, 0.3]), "softmax has one setting"),
        (("softmax", "softmax", 3, 0.0, [2, 2]), r"groups of \(2, 2\) outputs, of 3 in all"),
        (("logistic", "logistic", 3, 0.0, [1, 2]), "has no groups"),
    ],
)
def test_loss_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        Loss(*arguments)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"weights": np.ones(N - 1)}, "44 weights for 45 samples"),
        ({"weights": np.ones((N, 2))}, "could not be broadcast|shape"),
        ({"rates": np.ones(N_BATCHES - 1)}, "5 rates for 6 batches"),
        ({"rates": np.ones((N_BATCHES, 1))}, "6 rates for 6 batches"),
    ],
)
def test_run_refuses(keywords, message, data, rng):
    trainer = make_trainer(random_weights(rng, SIZES), ACTIVATIONS, "softmax", "sgd", BATCH_SIZE, learning_rate=0.1)
    with pytest.raises(ValueError, match=message):
        trainer.run(*data, **keywords)
