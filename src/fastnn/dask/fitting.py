"""One fit on a cluster: rounds of local SGD, one after the other, from one common state to the next."""

import copy
import math
import time
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastnn.dask.needed import needed
from fastnn.dask.reading import evaluated
from fastnn.dask.rounds import CommonState, Plan, Work, average, parts_of, train_from, tree_levels
from fastnn.training.fit import Fit
from fastnn.training.interruption import Interruption
from fastnn.training.loop import all_finite, divergence
from fastnn.training.schedules import ENDING

# Up to so many shards, each averages all of them itself at the beginning of the next round.
FEW_SHARDS = 4
# After so many rounds, one begins with the common state that the client has. Dask remembers the tasks that led to a
# state, and should the state be lost with its worker, it computes it again from the last round that began so.
LINKED_ROUNDS = 16
# So many workers fetch the average from one, and as many from each of these, and so on.
FAN_OUT = 3


def same(value):
    """What it is given, as a task: Dask keeps what it is given with the task, and can make it again."""
    return value


def stripped(model):
    """A model as workers need it: its parameters and layers, without what it has learnt and without a callback."""
    made = copy.copy(model)
    for name in ("_network", "_trainer", "_state"):
        vars(made).pop(name, None)
    made.callback, made.verbose = None, False
    if callable(made.learning_rate):  # rates are computed by the client
        made.learning_rate = "constant"
    return made


class AllRows:
    """As many samples as all shards have: what a Fit has to know of them, which the client has not."""

    def __init__(self, n_rows):
        self.n_rows = n_rows

    def __len__(self):
        return self.n_rows


@dataclass
class Submitted:
    """The tasks of a round.

    Attributes
    ----------
    works : list of Work
    n_linked : int
        The number of rounds, this one included, since one began with the state that the client has.
    leaves : list of Future
        What each shard comes to.
    root : Future
        The average.
    names : dict of Future to str
        For messages.
    times : list of float
        When the round was submitted and, once it is done, when that was.
    """

    works: list
    n_linked: int = 0
    leaves: list = field(default_factory=list)
    root: object = None
    names: dict = field(default_factory=dict)
    times: list = field(default_factory=list)


class DaskFit(Fit):
    """A fit whose epochs are computed by the workers of a cluster.

    Parameters
    ----------
    model : BaseNetwork
        The estimator to be fitted.
    network, targets, state, callbacks, n_epochs
        As for `Fit`.
    shards : Shards
    n_rows : list of int
        The rows that each shard trains on.
    pacing : Pacing
    n_rounds : int
        The rounds before this fit.
    validation : callable or None
        A function of an attempt and of the workers to use that returns the future of the Rows held out.
    counted : tuple or None
        The distinct targets of all shards and their weights.

    Attributes
    ----------
    n_rounds : int
        The number of complete rounds since training began.
    n_own_rounds : int
        The number of this fit's.
    """

    def __init__(
        self,
        model,
        network,
        targets,
        state,
        callbacks,
        n_epochs,
        *,
        shards,
        n_rows,
        pacing,
        n_rounds,
        validation,
        counted,
    ):
        held_out = None if validation is None else partial(self._held_out, validation)
        super().__init__(model, network, targets, AllRows(sum(n_rows)), held_out, state, callbacks, n_epochs)
        self.shards, self.cluster, self.n_rows, self.pacing, self.counted = (
            shards,
            shards.cluster,
            n_rows,
            pacing,
            counted,
        )
        self.n_rounds, self.n_own_rounds, self.monitor, self.interruption = n_rounds, 0, None, Interruption()
        self.cluster.check = self.interruption.check
        self.seed = state.drawn_dropout_seed()
        self.plan = Plan(stripped(model), targets, network.layout() | {"level": self.cluster.level})
        self.n_batches = list(map(self.plan.n_batches, n_rows))
        self.plan_future = self.validation_future = None
        self.last = self.ahead = None  # the last round that is complete, and the next one, if it is submitted
        self.n_submitted, self.last_done = 0, 0.0
        memories = [network.unpack(memory) for memory in self.trainer.memories]
        self.common = CommonState(network.weights(), memories, self.trainer.optimizer.step_count)

    # -- rounds -------------------------------------------------------------------------------------------------------

    def _train(self, monitor):
        self.monitor = monitor
        try:
            with self.interruption:
                stopped = self._train_epochs(monitor)
        except KeyboardInterrupt:
            if self.interruption.is_repeated() or not self.n_own_rounds:
                raise
            monitor.warn("Training interrupted by user.")
            return
        estimator = self.estimator
        if not (stopped or self.is_partial or estimator.learning_rate in ENDING):
            monitor.warn(
                f"Stochastic Optimizer: Maximum iterations ({estimator.max_iter}) reached and the optimization hasn't "
                "converged yet.",
                ConvergenceWarning,
            )

    def _train_epochs(self, monitor):
        """Train; returns whether training ended before the last epoch."""
        epoch, step, n_steps = self.n_epochs_before, 0, max(self.n_batches)
        first = 0 if self.is_partial else epoch
        end, loss, rows = epoch + self.n_epochs, 0.0, 0
        monitor.epoch_begins()
        while epoch < end:
            spans = self.pacing.spans(self.n_rounds, epoch, step, n_steps, end)
            trained = self._round(spans, first, self._next_spans(spans, n_steps, end))
            for i, (_, _, last) in enumerate(spans):
                loss, rows = loss + trained.losses[i], rows + trained.rows[i]
                if last < n_steps:
                    epoch, step = spans[-1][0], last
                    break
                mean, n = loss / rows, rows
                epoch, step, loss, rows = epoch + 1, 0, 0.0, 0
                if not math.isfinite(mean) or not all_finite(self.network.parameters):
                    monitor.diverged(divergence(epoch - self.n_epochs_before, mean, self.trainer))
                    return True
                if i < len(spans) - 1:
                    self._note_inner_epoch(monitor, mean, n)
                elif monitor.epoch_ended(mean, n):
                    return True
                elif epoch < end:
                    monitor.epoch_begins()
        return False

    def _next_spans(self, spans, n_steps, end):
        """What the round after this one covers, or None where it cannot be told before this one has ended."""
        rate = self.estimator.learning_rate
        if self.held_out is not None or rate == "adaptive" or callable(rate):
            return None
        epoch, _, last = spans[-1]
        epoch, step = (epoch, last) if last < n_steps else (epoch + 1, 0)
        return self.pacing.spans(self.n_rounds + 1, epoch, step, n_steps, end) if epoch < end else None

    def _note_inner_epoch(self, monitor, loss, n_rows):
        """Note an epoch after which shards do not synchronise: there is no model of it to judge."""
        monitor.n_epochs += 1
        self.state.loss_curve.append(loss)
        self.state.n_samples_seen += n_rows
        for curve in (self.state.validation_scores, self.state.validation_losses):
            if curve is not None:
                curve.append(np.nan)
        monitor.progress.epoch(monitor.n_epochs, loss, None)

    def _states(self, n_after, n):
        """The states of training before n epochs, the first of which is so many after the present one.

        Schedules are computed from them.
        """
        states = []
        for i in range(n_after, n_after + n):
            state = copy.copy(self.state)
            state.n_samples_seen += i * len(self.samples)
            state.loss_curve = range(len(self.state.loss_curve) + i)
            states.append(state)
        return states

    def _works(self, spans, first, number):
        """What a round does on each shard."""
        states = self._states(spans[0][0] - len(self.state.loss_curve), len(spans))
        schedules = {n: parts_of(spans, self.estimator, states, n, first) for n in set(self.n_batches)}
        return [Work(i, number, self.seed, schedules[n]) for i, n in enumerate(self.n_batches)]

    def _round(self, spans, first, following):
        """One round; the common state is then what it has come to.

        The round after it, if it is known, is submitted, too: workers then need not wait for the client. It takes
        nothing from this round but its average, and is forgotten where this one turns out to be the last one.
        """
        n_steps = sum(last - begin for _, begin, last in spans)
        this = self.ahead or Submitted(self._works(spans, first, self.n_rounds))
        after = following and self._works(following, first, self.n_rounds + 1)
        trained = self.cluster.finish(partial(self._submit_both, this, after), self.cluster.limit(n_steps))
        submitted, done = this.times[0], this.times[-1]
        self.cluster.note_pace(done - max(submitted, self.last_done), n_steps)
        self.last, self.last_done = this, done
        self._take(trained.state)
        self.n_rounds, self.n_own_rounds = self.n_rounds + 1, self.n_own_rounds + 1
        return trained

    def _take(self, common):
        self.common = common
        self.network.set_weights(common.weights)
        for packed, memory in zip(self.trainer.memories, common.memories, strict=True):
            self.network.pack(memory, packed)
        self.trainer.optimizer.step_count = common.step_count

    def _submit_both(self, this, after, attempt, workers):
        """Submit a round, and then the one after it, if there is one that is known."""
        self.shards.place()
        if attempt:
            self.ahead = self.last = None
        if attempt or this.root is None:
            self._submit(this, self.last, attempt, workers)
        self.ahead = None
        if after and this.n_linked < LINKED_ROUNDS:
            self.ahead = Submitted(after)
            self._submit(self.ahead, this, 0, workers)
        return this.root, this.names

    def _submit(self, this, before, attempt, workers):
        """Submit a round, or of one that has failed what is not finished on a good worker."""
        client, key, n = self.cluster.client, self.cluster.key, len(this.works)
        self.n_submitted += 1  # a slow worker may still compute a task that was forgotten, whose name is not free
        number = f"{this.works[0].round}.{self.n_submitted}"
        samples = self.shards.make_samples(attempt, workers)
        kept = self._still_kept(this.leaves) if attempt else {}
        if attempt or self.plan_future is None:
            self.plan_future = client.submit(same, self.plan, key=key("plan", number), workers=workers)
        # One graph, since a scheduler takes longer for many.
        delayed, among = partial(needed("dask").delayed, pure=False), {} if workers is None else {"workers": workers}
        if before is None or before.n_linked >= LINKED_ROUNDS:
            this.n_linked = 1
            with needed("dask").annotate(**among):
                sources = [delayed(same)(self.common, dask_key_name=key("share", number))]
        else:
            this.n_linked = before.n_linked + 1
            sources = before.leaves if n <= FEW_SHARDS else [before.root]
        handed = self._handed_on(sources, number) if workers is None else {}
        train, mean = delayed(train_from), delayed(average)
        trained = {}
        for i in sorted(set(range(n)) - kept.keys()):
            with needed("dask").annotate(**self.shards.placing(i, workers)):
                name, given = key("train-shard", number, i), handed.get(self.shards.place_of(i), sources)
                trained[i] = train(samples[i], this.works[i], self.plan_future, *given, dask_key_name=name)
        nodes = [kept[i] if i in kept else trained[i] for i in range(n)]
        with needed("dask").annotate(**among):
            for level, pairs in enumerate(tree_levels(n)):
                nodes = [
                    mean(*(nodes[i] for i in pair), dask_key_name=key("average", number, level, pair[0]))
                    if len(pair) == 2
                    else nodes[pair[0]]
                    for pair in pairs
                ]
        root = [] if isinstance(nodes[0], needed("distributed").Future) else nodes
        futures = client.compute([*trained.values(), *root], optimize_graph=False)
        kept |= dict(zip(trained, futures, strict=False))
        this.leaves, this.root = [kept[i] for i in range(n)], futures[-1] if root else nodes[0]
        this.names = {
            future: self.shards.name(i) for of_all in (samples, this.leaves) for i, future in enumerate(of_all)
        }
        this.times = times = [time.monotonic()]
        this.root.add_done_callback(lambda _: times.append(time.monotonic()))

    def _handed_on(self, sources, number):
        """What shards train from, by their workers: where there are many, one hands it on to others."""
        hosts = self.shards.hosts()
        if len(sources) > 1 or len(hosts) <= FAN_OUT + 1:
            return {}
        hand_on, handed = needed("dask").delayed(same, pure=False), {}
        for i, host in enumerate(hosts):
            (given,) = sources if i < FAN_OUT else handed[hosts[i // FAN_OUT - 1]]
            with needed("dask").annotate(workers=[host], allow_other_workers=True):
                handed[host] = [hand_on(given, dask_key_name=self.cluster.key("hand-on", number, i))]
        return handed

    def _still_kept(self, leaves):
        """The futures, by their shards, that are finished and on a good worker."""
        bad = self.cluster.silent | self.cluster.slow
        have = [i for i, future in enumerate(leaves) if future.status == "finished"]
        holders = self.cluster.holders([leaves[i] for i in have])
        return {i: leaves[i] for i, held_by in zip(have, holders, strict=True) if held_by - bad}

    # -- validation ---------------------------------------------------------------------------------------------------

    def _held_out(self, validation, attempt, workers):
        if attempt or self.validation_future is None:
            self.validation_future = validation(attempt, workers)
        return self.validation_future

    def _evaluate(self):
        """The loss and the score of the network of the moment, computed once, by one worker."""
        client, key, weights = self.cluster.client, self.cluster.key, self.network.weights()
        number = len(self.state.loss_curve)

        def make(attempt, workers):
            rows = self.held_out(attempt, workers)
            if attempt or self.plan_future is None:
                self.plan_future = client.submit(
                    same, self.plan, key=key("plan", "v", number, attempt), workers=workers
                )
            name = key("validate", number, self.n_own_rounds, attempt)
            future = client.submit(evaluated, rows, weights, self.plan_future, self.counted, key=name, workers=workers)
            return future, {rows: "the samples held out", future: "the samples held out"}

        return self.cluster.finish(make, self.cluster.round_timeout)

    def release(self):
        """Let the cluster forget all that it keeps for this fit."""
        self.shards.release()
        self.held_out = self.plan_future = self.validation_future = self.monitor = self.last = self.ahead = None

    # -- what a lost cluster leaves -----------------------------------------------------------------------------------

    def keep_last_round(self):
        """Make the estimator a fitted one with the last complete round's model.

        Returns
        -------
        bool
            Whether there was a complete round.
        """
        if not self.n_own_rounds:
            return False
        state = self.state.copy()
        state.forget_samples()
        self._fill(self.estimator, self.network, state)
        return True
