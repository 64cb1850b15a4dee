"""One fit on a cluster: rounds of local SGD, one after the other, from one common state to the next."""

import copy
import math
from functools import partial

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastnn.dask.reading import evaluated
from fastnn.dask.round_tasks import RoundTasks, Submitted
from fastnn.dask.rounds import CommonState, Plan, Work, parts_of
from fastnn.training.fit import Fit
from fastnn.training.interruption import Interruption
from fastnn.training.loop import all_finite, divergence
from fastnn.training.schedules import ENDING


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
        self.shards, self.cluster, self.n_rows = shards, shards.cluster, n_rows
        self.pacing, self.counted = pacing, counted
        self.n_rounds, self.n_own_rounds, self.monitor, self.interruption = n_rounds, 0, None, Interruption()
        self.cluster.check = self.interruption.check
        self.seed = state.drawn_dropout_seed()
        plan = Plan(stripped(model), targets, network.layout() | {"level": self.cluster.level})
        self.tasks, self.n_batches = RoundTasks(self.cluster, shards, plan), list(map(plan.n_batches, n_rows))
        self.validation_future = None
        self.last = self.ahead = None  # the last round that is complete, and the next one, if it is submitted
        self.last_done = 0.0
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
            self.tasks.submit(this, self.last, self.common, attempt, workers)
        self.ahead = None
        if after and not this.is_last_linked:
            self.ahead = Submitted(after)
            self.tasks.submit(self.ahead, this, self.common, 0, workers)
        return this.root, this.names

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
            plan = self.tasks.planned(attempt, workers, "v", number, attempt)
            name = key("validate", number, self.n_own_rounds, attempt)
            future = client.submit(evaluated, rows, weights, plan, self.counted, key=name, workers=workers)
            return future, {rows: "the samples held out", future: "the samples held out"}

        return self.cluster.finish(make, self.cluster.round_timeout)

    def release(self):
        """Let the cluster forget all that it keeps for this fit."""
        self.shards.release()
        self.held_out = self.tasks = self.validation_future = self.monitor = self.last = self.ahead = None

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
