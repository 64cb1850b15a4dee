"""A round of local SGD: every shard trains from the common state, and what they come to is averaged.

Nothing here knows Dask. A round's part on one shard is a pure function of the shard, the common state, the number of
the round and a seed: wherever and however often it is computed, it gives the same bits.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.engine.network import Network
from fastnn.engine.order import shuffled
from fastnn.engine.trainer import Trainer
from fastnn.runtime.sharing import fitting, most_threads, threads_now
from fastnn.training.schedules import rates
from fastnn.training.solvers import optimizer_for

SYNC_UNITS = ("epoch", "step")
AUTO_BATCH = 200  # of batch_size="auto", as in `fit`, but of the rows of a shard


@dataclass(frozen=True)
class CommonState:
    """What every shard trains from, and what the next round's shards train from.

    Attributes
    ----------
    weights : list of ndarray
        All that the network has learnt, moving statistics among it.
    memories : list of list of ndarray
        What the optimizer remembers: each memory has an array for each of the weights.
    step_count : int
        The number of steps of the optimizer.
    """

    weights: list
    memories: list
    step_count: int


@dataclass(frozen=True)
class Part:
    """Batches of a shard's epoch, from the first to the one before the last; beyond its end a shard has no batches.

    Attributes
    ----------
    epoch, first, last : int
    rates : ndarray of float64, or None
        The factors of the learning rate for the shard's batches among these. None: all are 1.
    """

    epoch: int
    first: int
    last: int
    rates: np.ndarray | None = None


@dataclass(frozen=True)
class Work:
    """What a round does on one shard: `parts` has a Part for each epoch that the round touches."""

    shard: int
    round: int
    seed: int
    parts: tuple


@dataclass(frozen=True)
class Trained:
    """What shards have come to in a round: one of them, or the average of several.

    Attributes
    ----------
    state : CommonState or None
        None where no row was trained on.
    n_rows : int
        The number of rows that were trained on.
    losses : tuple of float
        The summed loss of the rows of each epoch that the round touches.
    rows : tuple of int
        The number of these rows.
    """

    state: CommonState | None
    n_rows: int
    losses: tuple
    rows: tuple


@dataclass(frozen=True)
class Plan:
    """What all rounds of a fit have in common.

    Attributes
    ----------
    model : BaseNetwork
        An estimator with its parameters and its layers, but without weights.
    targets : Labels or Numbers
    layout : dict
        `Network.layout`: the layers, and the instruction set.
    """

    model: Any
    targets: Any
    layout: dict

    def network(self, weights):
        """A network with these weights, for the fit's instruction set."""
        made = self.layout
        return Network(
            made["description"],
            made["input_shape"],
            made["head"],
            made["dtype"],
            made["level"],
            made["groups"],
            weights,
        )

    def batch_size(self, n_rows):
        """The rows of a batch of a shard with so many rows."""
        given = self.model.batch_size
        return max(1, min(AUTO_BATCH if given == "auto" else given, n_rows))

    def n_batches(self, n_rows):
        """The batches of an epoch on a shard with so many rows."""
        return -(-n_rows // self.batch_size(n_rows))


class _Seeded:
    """The part of a TrainingState that a trainer's settings are made of."""

    def __init__(self, seed):
        self.seed = seed

    def drawn_dropout_seed(self):
        return self.seed


def order_of(seed, shard, epoch, n_rows):
    """The order in which a shard's rows are trained on in an epoch: it depends on these numbers only."""
    sequence = np.random.SeedSequence(seed, spawn_key=(0, shard, epoch))
    return shuffled(np.arange(n_rows, dtype=np.intp), np.random.RandomState(np.random.MT19937(sequence)))


def random_state_of(seed, shard):
    """The generator that draws the samples which a shard holds out."""
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed, spawn_key=(2, shard))))


def train_shard(samples, work, plan, common):
    """Train on a shard for one round, from the common state.

    Parameters
    ----------
    samples : Samples or None
        None is a shard without rows.
    work : Work
    plan : Plan
    common : CommonState

    Returns
    -------
    Trained
    """
    n_rows = 0 if samples is None else len(samples)
    batch_size = plan.batch_size(n_rows)
    if all(part.first * batch_size >= n_rows for part in work.parts):
        nothing = tuple(0 for _ in work.parts)
        return Trained(None, 0, tuple(map(float, nothing)), nothing)
    model, network = plan.model, plan.network(common.weights)
    optimizer = optimizer_for(model)
    optimizer.step_count = common.step_count
    dropout = model._dropout_rates(len(network.layers) - 1)
    seed = np.random.SeedSequence(work.seed, spawn_key=(1, work.shard, work.round)).generate_state(1)[0]
    trainer = Trainer(
        network,
        model._loss(plan.targets),
        optimizer,
        batch_size,
        most_threads(model.n_threads),
        memories=common.memories,
        **model._trainer_settings(_Seeded(int(seed)), dropout),
    )
    losses, rows = [], []
    with fitting(model.n_threads, trainer.n_threads):
        for part in work.parts:
            order = order_of(work.seed, work.shard, part.epoch, n_rows) if model.shuffle else np.arange(n_rows)
            order = order[part.first * batch_size : part.last * batch_size]
            given = order if samples.rows is None else samples.rows[order]
            n_threads = max(1, min(trainer.n_threads, threads_now(model.n_threads)))
            loss = trainer.run(
                samples.X,
                samples.targets,
                np.ascontiguousarray(given, np.intp),
                weights=samples.weights,
                rates=part.rates,
                n_threads=n_threads,
            )
            losses.append(loss)
            rows.append(len(order))
    memories = [network.unpack(memory) for memory in trainer.memories]
    state = CommonState(network.weights(), memories, trainer.optimizer.step_count)
    return Trained(state, sum(rows), tuple(losses), tuple(rows))


def train_from(samples, work, plan, *sources):
    """Train on a shard for one round, from the state that the round before has come to.

    Parameters
    ----------
    samples, work, plan
        As for `train_shard`.
    *sources : CommonState, or Trained
        The common state; or, in the order of the shards, the averages of what a few groups of them came to in the round
        before. To average few wherever a shard is trained takes less time than to wait until one worker has done it.

    Returns
    -------
    Trained
    """
    common = sources[0] if isinstance(sources[0], CommonState) else average_all(sources).state
    return train_shard(samples, work, plan, common)


def average(left, right):
    """The average of what two groups of shards have come to, by the rows that each has trained on.

    Equal numbers stay as they are. The larger step count is kept.

    Parameters
    ----------
    left, right : Trained
        The shards of `left` come before those of `right`: exchanged, they may give other bits.

    Returns
    -------
    Trained
    """
    losses = tuple(a + b for a, b in zip(left.losses, right.losses, strict=True))
    rows = tuple(a + b for a, b in zip(left.rows, right.rows, strict=True))
    n_rows = left.n_rows + right.n_rows
    if not left.n_rows or not right.n_rows:
        return Trained((left if left.n_rows else right).state, n_rows, losses, rows)
    a, b, part = left.state, right.state, right.n_rows / n_rows
    state = CommonState(
        _between(a.weights, b.weights, part),
        [_between(*pair, part) for pair in zip(a.memories, b.memories, strict=True)],
        max(a.step_count, b.step_count),
    )
    return Trained(state, n_rows, losses, rows)


def _between(left, right, part):
    """a + (b - a) * part of each pair of arrays, number by number: on any CPU the same."""
    made = []
    for a, b in zip(left, right, strict=True):
        difference = b - a
        difference *= a.dtype.type(part)
        difference += a
        made.append(difference)
    return made


def tree_levels(n_leaves):
    """The shape of the tree that averages: for each level, the pairs of the level below; an odd one is left as it is.

    Parameters
    ----------
    n_leaves : int

    Returns
    -------
    list of list of tuple of int
        Of length 2 for a pair, of length 1 for one that is left.
    """
    levels = []
    while n_leaves > 1:
        levels.append([tuple(range(i, min(i + 2, n_leaves))) for i in range(0, n_leaves, 2)])
        n_leaves = len(levels[-1])
    return levels


def average_all(trained):
    """The average of shards, in their order, by the tree."""
    for level in tree_levels(len(trained)):
        trained = [average(trained[i[0]], trained[i[1]]) if len(i) == 2 else trained[i[0]] for i in level]
    return trained[0]


@dataclass(frozen=True)
class Pacing:
    """When shards synchronise: the estimator's `sync_every`, `sync_unit` and `warmup`."""

    sync_every: int = 1
    sync_unit: str = "epoch"
    warmup: int = 0

    def spans(self, number, epoch, step, n_steps, end):
        """What a round covers.

        Parameters
        ----------
        number : int
            The number of the round since training began.
        epoch, step : int
            Where it begins.
        n_steps : int
            The steps of an epoch: of the shard that has the most.
        end : int
            The epoch before which the fit ends.

        Returns
        -------
        list of tuple of int
            Each is an epoch, its first step, and the step after its last one.
        """
        if number < self.warmup:
            return [(epoch, step, step + 1)]
        if self.sync_unit == "step":
            return [(epoch, step, min(step + self.sync_every, n_steps))]
        last = min(epoch + self.sync_every, end)
        return [(epoch, step, n_steps), *((each, 0, n_steps) for each in range(epoch + 1, last))]


def parts_of(spans, model, states, n_batches, first_epoch):
    """What a round does of the epochs of one shard.

    The factors of the learning rate are worked out here, once for all: the cosine's last bit depends on the CPU.

    Parameters
    ----------
    spans : list of tuple of int
        What `Pacing.spans` has returned.
    model : BaseNetwork
        Its parameters have the schedule.
    states : list of TrainingState
        The state before each of the epochs.
    n_batches : int
        Of an epoch of the shard.
    first_epoch : int
        The number, since training began, of the epoch with which the schedule begins.

    Returns
    -------
    tuple of Part
    """
    parts = []
    for (epoch, first, last), state in zip(spans, states, strict=True):
        factors = rates(model, state, epoch - first_epoch, n_batches) if n_batches else None
        last = min(last, n_batches)
        parts.append(Part(epoch, min(first, last), last, None if factors is None else factors[first:last]))
    return tuple(parts)
