"""One fit on a cluster: rounds of local SGD, one after the other, from one common state to the next."""

import copy
import math
import time
from functools import partial

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastnn.dask.needed import needed
from fastnn.dask.reading import evaluated
from fastnn.dask.rounds import CommonState, Plan, Work, average, parts_of, train_shard, tree_levels
from fastnn.training.fit import Fit
from fastnn.training.interruption import Interruption
from fastnn.training.loop import all_finite, divergence
from fastnn.training.schedules import ENDING


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
            trained = self._round(spans, first)
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

    def _note_inner_epoch(self, monitor, loss, n_rows):
        """Note an epoch after which shards do not synchronise: there is no model of it to judge."""
        monitor.n_epochs += 1
        self.state.loss_curve.append(loss)
        self.state.n_samples_seen += n_rows
        for curve in (self.state.validation_scores, self.state.validation_losses):
            if curve is not None:
                curve.append(np.nan)
        monitor.progress.epoch(monitor.n_epochs, loss, None)

    def _states(self, n):
        """The states of training before this epoch and the next ones, which schedules are computed from."""
        states = []
        for i in range(n):
            state = copy.copy(self.state)
            state.n_samples_seen += i * len(self.samples)
            state.loss_curve = range(len(self.state.loss_curve) + i)
            states.append(state)
        return states

    def _round(self, spans, first):
        """One round; the common state is then what it has come to."""
        states = self._states(len(spans))
        schedules = {n: parts_of(spans, self.estimator, states, n, first) for n in set(self.n_batches)}
        works = [Work(i, self.n_rounds, self.seed, schedules[n]) for i, n in enumerate(self.n_batches)]
        start, n_steps = time.monotonic(), sum(last - begin for _, begin, last in spans)
        kept = {}
        trained = self.cluster.finish(partial(self._submit, works, kept), self.cluster.limit(n_steps))
        self.cluster.note_pace(time.monotonic() - start, n_steps)
        if trained.state is not None:
            self._take(trained.state)
        self.n_rounds, self.n_own_rounds = self.n_rounds + 1, self.n_own_rounds + 1
        return trained

    def _take(self, common):
        self.common = common
        self.network.set_weights(common.weights)
        for packed, memory in zip(self.trainer.memories, common.memories, strict=True):
            self.network.pack(memory, packed)
        self.trainer.optimizer.step_count = common.step_count

    def _submit(self, works, kept, attempt, workers):
        """Submit a round, or of one that has failed what is not finished on a good worker."""
        client, key, number = self.cluster.client, self.cluster.key, f"{self.n_rounds}.{attempt}"
        samples = self.shards.make_samples(attempt, workers)
        if attempt:
            bad, have = self.cluster.silent | self.cluster.slow, [i for i in kept if kept[i].status == "finished"]
            holders = self.cluster.holders([kept[i] for i in have])
            kept_now = {i: kept[i] for i, held_by in zip(have, holders, strict=True) if held_by - bad}
            kept.clear()
            kept.update(kept_now)
        if attempt or self.plan_future is None:
            self.plan_future = client.submit(same, self.plan, key=key("plan", number), workers=workers)
        # One graph, since a scheduler takes longer for many. The common state is kept with its task: it is never lost.
        delayed = partial(needed("dask").delayed, pure=False)
        common = delayed(same)(self.common, dask_key_name=key("share", number))
        train, mean = delayed(train_shard), delayed(average)
        trained = {
            i: train(samples[i], works[i], self.plan_future, common, dask_key_name=key("train-shard", number, i))
            for i in range(len(works))
            if i not in kept
        }
        nodes = [kept[i] if i in kept else trained[i] for i in range(len(works))]
        for level, pairs in enumerate(tree_levels(len(nodes))):
            nodes = [
                mean(*(nodes[i] for i in pair), dask_key_name=key("average", number, level, pair[0]))
                if len(pair) == 2
                else nodes[pair[0]]
                for pair in pairs
            ]
        root = [] if isinstance(nodes[0], needed("distributed").Future) else nodes
        futures = client.compute([*trained.values(), *root], workers=workers, optimize_graph=False)
        kept.update(zip(trained, futures, strict=False))
        leaves = [kept[i] for i in range(len(works))]
        names = {future: self.shards.name(i) for of_all in (samples, leaves) for i, future in enumerate(of_all)}
        return futures[-1] if root else nodes[0], names

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
        self.held_out = self.plan_future = self.validation_future = self.monitor = None

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
