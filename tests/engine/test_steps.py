"""What changes an optimizer's steps, against the reference: rates, decay, clipping, dropout; over every optimizer.

By the engine's settings, and by an estimator's parameters.
"""

import copy
import pickle
from itertools import chain, pairwise

import numpy as np
import pytest
import reference
from problems import (
    SETTINGS,
    all_weights,
    joined,
    make_loss,
    make_trainer,
    parted,
    random_targets,
    random_weights,
)

from fastnn import MLPClassifier
from fastnn.engine.isa import available_levels
from fastnn.engine.loss import Loss
from fastnn.engine.optimizer import Optimizer, optimizer_names
from fastnn.engine.trainer import Trainer
from fastnn.training.solvers import SOLVERS

SIZES, N, BATCH_SIZE = (17, 20, 11, 3), 45, 8
N_BATCHES = -(-N // BATCH_SIZE)
ACTIVATIONS = ["tanh", "gelu"]  # one keeps its output, one its input
STEPPING = [name for name in optimizer_names if name not in ("gradient", "accumulate")]


@pytest.fixture
def data(rng):
    return rng.normal(size=(N, SIZES[0])), random_targets(rng, "softmax", N, SIZES[-1]), rng.permutation(N)


def numpy_masks(seed, rates):
    """`masks` for reference.train."""

    def masks(step, n_rows):
        layers = enumerate(zip(SIZES[1:-1], rates, strict=True))
        return [
            reference.dropout_mask(reference.dropout_numbers(seed, int(step), i, n_rows, n_units), rate)
            for i, (n_units, rate) in layers
        ]

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


def check_against_the_reference(optimizer, change, batch_size, data, rng, dtype, level):
    X, targets, order = data
    X = X.astype(dtype)
    weights = random_weights(rng, SIZES, dtype)
    settings = {**SETTINGS[optimizer], **CHANGES[change]}
    at_run = {name: settings.pop(name) for name in AT_RUN if name in settings}
    dropout, clip_norm = settings.pop("dropout", ()), settings.pop("clip_norm", None)
    expected, loss, memories = reference.train(
        weights, ACTIVATIONS, make_loss("softmax", 3), X, targets, order, batch_size, optimizer,
        clip_norm=clip_norm or np.inf, masks=numpy_masks(5, dropout) if dropout else None, **at_run, **settings,
    )  # fmt: skip
    trainer = make_trainer(
        weights, ACTIVATIONS, "softmax", optimizer, batch_size, level=level, dropout=dropout, clip_norm=clip_norm,
        seed=5, **settings,
    )  # fmt: skip
    eps = float(np.finfo(dtype).eps)
    assert trainer.run(X, targets, order, **at_run) == pytest.approx(loss, rel=20 * eps)
    pairs = [(parted(trainer.network.weights()), expected)]
    pairs += [(parted(trainer.network.unpack(m)), w) for m, w in zip(trainer.memories, memories, strict=False)]
    for got, expected in pairs:
        for array, its in zip(chain(*got), chain(*expected), strict=True):
            np.testing.assert_allclose(array, its, rtol=0, atol=30 * eps * max(1, np.abs(its).max()))


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("optimizer", STEPPING)
def test_against_the_reference(optimizer, change, data, rng, dtype, level):
    check_against_the_reference(optimizer, change, BATCH_SIZE, data, rng, dtype, level)


@pytest.mark.parametrize("change", ["weight decay", "clipping some", "dropout"])
@pytest.mark.parametrize("batch_size", [16, 95, 96, 192, 203])
def test_small_networks_in_batches_of_many_chunks(batch_size, change, rng, dtype, level):
    """Of which a thread takes each forward and back by itself; the last one of a batch may be of any size."""
    n = 5 * batch_size + 5
    data = rng.normal(size=(n, SIZES[0])), random_targets(rng, "softmax", n, SIZES[-1]), rng.permutation(n)
    check_against_the_reference("momentum", change, batch_size, data, rng, dtype, level)


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
    assert (
        level != available_levels()[0] or outcome(1, 64, lambda trainer: pickle.loads(pickle.dumps(trainer))) == alone
    )


def test_a_gradient_is_accumulated(data, rng, dtype, level):
    """Over batches, its sum and not its mean. The weights stay as they are, and a penalty has no part in it."""
    X, targets, order = data
    weights, sample_weights = random_weights(rng, SIZES, dtype), rng.random(N)
    trainer = make_trainer(weights, ACTIVATIONS, "softmax", "accumulate", BATCH_SIZE, level=level, learning_rate=1.0)
    loss = trainer.run(X, targets, order, weights=sample_weights)
    expected, *grads = reference.gradients(
        *weights, ACTIVATIONS, make_loss("softmax", 3), X.astype(dtype), targets, sample_weights
    )
    eps = float(np.finfo(dtype).eps)
    total = sample_weights.sum()
    assert loss == pytest.approx(expected * total / N, rel=20 * eps)
    for got, its in zip(trainer.network.unpack(trainer.memories[0]), joined(*grads), strict=True):
        np.testing.assert_allclose(got, its * total, rtol=0, atol=30 * eps * np.abs(its).max() * total)
    np.testing.assert_array_equal(trainer.network.weights()[0], weights[0][0])


def test_accumulation_continues_from_run_to_run(rng, dtype, level):
    """Until its memory is zeroed; the same bits however the samples are cut, and on any number of threads."""
    sizes, n = (70, 128, 64, 10), 150
    X, targets, weights = rng.random((n, 70)), random_targets(rng, "softmax", n, 10), random_weights(rng, sizes, dtype)
    order = rng.permutation(n)

    def outcome(n_threads, cuts):
        trainer = make_trainer(
            weights, ACTIVATIONS, "softmax", "accumulate", 64, n_threads, level, learning_rate=1.0, dropout=(0.0, 0.2)
        )
        trainer.memories[:] = 7
        trainer.run(X, targets, order)
        trainer.memories[:] = 0
        trainer.optimizer.step_count = 0
        loss = 0.0
        for first, end in pairwise(cuts):
            loss = trainer.run(X, targets, order[first:end], loss)
        assert trainer.network.parameters.tobytes() == before
        return loss, trainer.memories.tobytes()

    before = make_trainer(weights, ACTIVATIONS, "softmax", "sgd", 64, level=level, learning_rate=1.0).network
    before = before.parameters.tobytes()
    alone = outcome(1, (0, n))
    for n_threads in (2, 3, 8):
        assert outcome(n_threads, (0, n)) == outcome(n_threads, (0, 64, n)) == alone


@pytest.mark.parametrize("optimizer", STEPPING)
def test_rates_are_learning_rates(optimizer, data, rng, dtype, level):
    """Of one batch each, by a trainer that is adapted to it; and no rates are rates of 1."""
    X, targets, order = data
    weights, settings = random_weights(rng, SIZES, dtype), {**SETTINGS[optimizer], "weight_decay": 0.7, "l2": 0.1}
    together, apart, without, ones = (
        make_trainer(weights, ACTIVATIONS, "softmax", optimizer, BATCH_SIZE, level=level, **settings) for _ in range(4)
    )
    rates = [1.0, 0.5, 0.0, 2.0, 0.25, 1.5]
    loss = together.run(X, targets, order, rates=np.array(rates, np.float32))
    each = 0.0
    for i, rate in enumerate(rates):
        changed = Optimizer(optimizer, **{**settings, "learning_rate": settings["learning_rate"] * rate})
        assert apart.adapted(apart.loss, changed, BATCH_SIZE, 1) is apart
        each = apart.run(X, targets, order[i * BATCH_SIZE : (i + 1) * BATCH_SIZE], each)
    assert each == loss
    assert without.run(X, targets, order) == ones.run(X, targets, order, rates=[1] * N_BATCHES)
    for trainer, other in ((together, apart), (without, ones)):
        assert trainer.network.parameters.tobytes() == other.network.parameters.tobytes()
        assert trainer.memories.tobytes() == other.memories.tobytes()


def test_biases_do_not_decay(data, rng, dtype, level):
    """Nor do the weights of a trainer at a rate of 0. Where there is no gradient, decay is all that there is."""
    X, targets, order = data
    weights = random_weights(rng, SIZES, dtype)
    for clip_norm in (None, 1.0):
        trainer = make_trainer(
            weights, ACTIVATIONS, "softmax", "sgd", N, level=level, clip_norm=clip_norm, learning_rate=0.5,
            weight_decay=0.5,
        )  # fmt: skip
        trainer.run(X, targets, order, weights=np.zeros(N), rates=[0.0])
        np.testing.assert_array_equal(
            all_weights(trainer.network), np.concatenate([p.ravel() for p in chain(*weights)])
        )
        trainer.run(X, targets, order, weights=np.zeros(N))
        for got, expected in zip(trainer.network.weights()[::2], weights[0], strict=True):
            np.testing.assert_array_equal(got, dtype.type(0.75) * expected)
        for got, expected in zip(trainer.network.weights()[1::2], weights[1], strict=True):
            np.testing.assert_array_equal(got, expected)


ALL_SETTINGS = {"dropout": (0.5, 0.25), "clip_norm": 0.5, "seed": 2**64 - 1}


def test_settings_may_change_between_runs(data, rng):
    """Memories go on; a new seed, rate or norm is a trainer of its own, the same ones are the same trainer."""
    X, targets, order = data
    loss, settings = make_loss("softmax", 3), {**SETTINGS["adam"], "weight_decay": 0.1}
    trainer = make_trainer(
        random_weights(rng, SIZES), ACTIVATIONS, loss, "adam", BATCH_SIZE, **settings, **ALL_SETTINGS
    )
    trainer.run(X, targets, order)
    assert (
        trainer.adapted(make_loss("softmax", 3), Optimizer("adam", **settings), BATCH_SIZE, 1, **ALL_SETTINGS)
        is trainer
    )
    changes = {"dropout": (0.5, 0.0), "clip_norm": None, "seed": 3}
    for changed in ({}, *({name: value} for name, value in changes.items()), changes):
        kept = {**ALL_SETTINGS, **changed}
        other = trainer.adapted(loss, Optimizer("adam", **settings), BATCH_SIZE, 1, **kept)
        assert (other is trainer) == (not changed)
        assert {name: getattr(other, name) for name in kept} == kept
        assert (other.memories == trainer.memories).all()
        assert other.optimizer.step_count == trainer.optimizer.step_count == N_BATCHES
    assert not trainer.adapted(loss, Optimizer("adam", **settings), BATCH_SIZE, 1).dropout, "what is not given is unset"
    afresh = trainer.adapted(loss, Optimizer("adagrad", **SETTINGS["adagrad"]), BATCH_SIZE, 1)
    assert not afresh.memories.any()
    assert afresh.optimizer.step_count == 0


@pytest.mark.parametrize("how", [lambda t: pickle.loads(pickle.dumps(t)), copy.deepcopy], ids=["pickle", "deepcopy"])
def test_copies_have_every_setting(how, data, rng):
    """And go on as the trainer does, which keeps nothing of them."""
    X, targets, order = data
    trainer = make_trainer(
        random_weights(rng, SIZES), ACTIVATIONS, "softmax", "adam", BATCH_SIZE, **SETTINGS["adam"], l2=0.1,
        weight_decay=0.3, **ALL_SETTINGS,
    )  # fmt: skip
    trainer.run(X, targets, order)
    copied = how(trainer)
    assert {name: getattr(copied, name) for name in ALL_SETTINGS} == ALL_SETTINGS
    assert copied.optimizer.weight_decay == 0.3
    assert copied.optimizer.step_count == N_BATCHES
    assert copied.run(X, targets, order) == trainer.run(X, targets, order)
    assert copied.network.parameters.tobytes() == trainer.network.parameters.tobytes()
    assert copied.memories.tobytes() == trainer.memories.tobytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dropout": (0.5,)}, "dropout must have 2 rates, one for each hidden layer, or none, got 1"),
        ({"dropout": (0.5, 1.0)}, r"dropout must have rates of at least 0 and below 1, got \(0.5, 1.0\)"),
        ({"dropout": (-0.1, 0.5)}, "dropout must have rates of at least 0"),
        ({"clip_norm": 0.0}, "clip_norm must be above 0, got 0.0"),
        ({"clip_norm": float("nan")}, "clip_norm must be above 0, got nan"),
        (
            {"loss": Loss("logistic", "logistic", 3)},
            "loss must have 3 outputs with the head 'softmax', .* got 3 with 'logistic'",
        ),
        ({"loss": Loss("softmax", "softmax", 4)}, "loss must have 3 outputs .*, got 4 with 'softmax'"),
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
        (("hinge", "identity", 3), "loss must be one of softmax, logistic, .*, got 'hinge'"),
        (("logistic", "softmax", 3), "head must be 'logistic' with the loss 'logistic', got 'softmax'"),
        (
            ("squared_error", "softmax", 3),
            "head must be one of identity, .* with the loss 'squared_error', got 'softmax'",
        ),
        (("softmax", "softmax", 3, [0.1, 0.2, 0.3]), "settings must be one number with the loss 'softmax'"),
        (("huber", "identity", 3, [0.1, 0.2]), "settings must be 1 number or 3, one for each output, got 2"),
        (("softmax", "softmax", 3, 0.0, [2, 2]), r"groups must be positive and add up to 3 outputs, got \(2, 2\)"),
        (("logistic", "logistic", 3, 0.0, [1, 2]), "groups must be None"),
    ],
)
def test_loss_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        Loss(*arguments)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"weights": np.ones(N - 1)}, r"len\(weights\) must be 45, one for each sample, got 44"),
        ({"weights": np.ones((N, 2))}, "weights must have shape .* got .*2"),
        ({"rates": np.ones(N_BATCHES - 1)}, r"rates must have shape \(6,\), one for each batch, got \(5,\)"),
        ({"rates": np.ones((N_BATCHES, 1))}, r"rates must have shape \(6,\), one for each batch, got \(6, 1\)"),
    ],
)
def test_run_refuses(keywords, message, data, rng):
    trainer = make_trainer(random_weights(rng, SIZES), ACTIVATIONS, "softmax", "sgd", BATCH_SIZE, learning_rate=0.1)
    with pytest.raises(ValueError, match=message):
        trainer.run(*data, **keywords)


# -- by an estimator's parameters --------------------------------------------------------------------------------------

# What each stochastic solver is by default in the reference, and which parameters its decays are.
SOLVED_BY = {
    "sgd": ("nesterov", {"decay_1": "momentum"}),
    "rmsprop": ("rmsprop", {"decay_1": "rho"}),
    "adam": ("adam", {"decay_1": "beta_1", "decay_2": "beta_2"}),
    "adamw": ("adam", {"decay_1": "beta_1", "decay_2": "beta_2"}),
    "adagrad": ("adagrad", {}),
}
PARAMETERS = {
    "defaults": {},
    "the optimizer's": {"momentum": 0.6, "rho": 0.7, "beta_1": 0.6, "beta_2": 0.9, "epsilon": 0.01},
    "rate and penalty": {"learning_rate_init": 0.02, "alpha": 0.3},
    "weight decay": {"weight_decay": 0.7},
    "clipping": {"clip_norm": 0.2},
    "dropout": {"dropout": 0.3},
    "dropout, first layer": {"dropout": (0.5, 0.0)},
    "dropout, second layer": {"dropout": (0.0, 0.5)},
    "label smoothing": {"label_smoothing": 0.3},
}


@pytest.mark.filterwarnings("ignore:rho=.* has no effect without:UserWarning")
@pytest.mark.parametrize("parameters", PARAMETERS.values(), ids=PARAMETERS)
@pytest.mark.parametrize("solver", [solver for solver in SOLVERS if solver != "lbfgs"])
def test_every_parameter_reaches_the_engine(solver, parameters, data, rng):
    X, targets, _ = data
    weights = random_weights(rng, SIZES)
    model = MLPClassifier.from_weights(
        *weights, activation=ACTIVATIONS, solver=solver, batch_size=BATCH_SIZE, shuffle=False, random_state=0,
        **parameters,
    )  # fmt: skip
    p = model.get_params()
    optimizer, decays = SOLVED_BY[solver]
    dropout = np.broadcast_to(p["dropout"], 2)
    seed = np.random.RandomState(0).randint(2**31 - 1)
    expected, loss, _ = reference.train(
        weights, ACTIVATIONS, Loss("softmax", "softmax", 3, p["label_smoothing"]), X, targets, np.arange(N), BATCH_SIZE,
        optimizer, clip_norm=p["clip_norm"] or np.inf, masks=numpy_masks(seed, dropout) if dropout.any() else None,
        learning_rate=p["learning_rate_init"], l2=p["alpha"], epsilon=p["epsilon"],
        weight_decay=parameters.get("weight_decay", 0.01 if solver == "adamw" else 0.0),
        **{setting: p[name] for setting, name in decays.items()},
    )  # fmt: skip
    model.partial_fit(X, targets)
    assert model.loss_ == pytest.approx(loss / N, rel=1e-12)
    for got, its in zip(chain(model.coefs_, model.intercepts_), chain(*expected), strict=True):
        np.testing.assert_allclose(got, its, rtol=0, atol=1e-11)
