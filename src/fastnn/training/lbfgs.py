"""The solver lbfgs: SciPy's L-BFGS-B, for which the engine finds loss and gradient over all samples."""

import numpy as np
from scipy.optimize import minimize as scipy_minimize
from sklearn.exceptions import ConvergenceWarning

from fastnn.training.interruption import Interruption
from fastnn.training.loop import Segments, all_finite

# Samples that go through the network together on the way to the whole gradient.
BATCH_SIZE = 256


class _Stopped(Exception):
    """The monitor has said so."""


def minimize(trainer, samples, parameters, monitor):
    """Minimise the penalised loss over all samples.

    The network's packed parameters are what SciPy sees: their padding has no gradient, and stays zero. SciPy computes
    in float64, the network in its own type.

    Parameters
    ----------
    trainer : fastnn.engine.trainer.Trainer
        With the optimizer accumulate. Its network is changed in place.
    samples : Samples
    parameters : NetworkParameters
    monitor : Monitor
        Is told of each step as if it were an epoch; and what the user is to be told of the outcome: that `max_iter`
        steps, or `max_fun` evaluations, were not enough, or that Ctrl-C has cut the fit short.

    Raises
    ------
    ValueError
        When the loss at the start is not finite.
    KeyboardInterrupt
        When interrupted by Ctrl-C twice within a second.
    """
    objective = _Objective(trainer, samples, parameters, monitor)
    network = trainer.network
    accepted = network.parameters.astype(np.float64)

    def step_ended(x):
        accepted[:] = x
        try:
            stop = objective.step_ended(x)
        except StopIteration as error:  # the user's: SciPy would take it for its own
            raise _Stopped from error
        if stop:
            raise _Stopped

    interruption = Interruption()
    try:
        with interruption:
            objective.segments = Segments(trainer, interruption)
            result = scipy_minimize(
                objective,
                accepted.copy(),
                method="L-BFGS-B",
                jac=True,
                callback=step_ended,
                options={
                    "maxfun": parameters.max_fun,
                    "maxiter": parameters.max_iter,
                    "gtol": parameters.tol,
                    # Where SciPy gives up: 2e-9 is its own. No finer than the loss can be told.
                    "ftol": max(2.220446049250313e-09, float(np.finfo(network.dtype).eps)),
                },
            )
        accepted[:] = result.x
        if result.status != 0:
            monitor.warn(
                f"lbfgs failed to converge after {result.nit} iterations and {result.nfev} evaluations of the loss "
                f"({_text(result.message)}). Increase max_iter or max_fun, or scale the input, for instance with "
                "sklearn.preprocessing.StandardScaler.",
                ConvergenceWarning,
            )
    except _Stopped as stopped:
        if stopped.__cause__ is not None:
            raise stopped.__cause__ from None
    except KeyboardInterrupt:
        if interruption.is_repeated():
            raise
        monitor.warn("Training interrupted by user.")
    finally:
        network.parameters[:] = accepted
    if not all_finite(network.parameters):
        monitor.diverged("Training diverged: weights are no longer finite. Scale the input.")


class _Objective:
    """The penalised mean loss over all samples, and its gradient, as functions of packed parameters."""

    def __init__(self, trainer, samples, parameters, monitor):
        self.trainer, self.samples, self.alpha, self.monitor = trainer, samples, parameters.alpha, monitor
        self.order = np.arange(len(samples), dtype=np.intp) if samples.rows is None else samples.rows
        self.is_weight = _packed_mask(trainer.network)
        self.total = samples.total_weight()
        self.x, self.loss = None, np.nan  # of the last evaluation
        self.in_step = False

    def __call__(self, x):
        if not self.in_step:
            self.monitor.epoch_begins()
            self.in_step = True
        parameters, memories = self.trainer.network.parameters, self.trainer.memories
        parameters[:] = x
        memories[:] = 0
        summed = self.segments.run_epoch(self.samples, self.order)
        self.segments.interruption.check()
        # In place, and without np.dot: of large temporaries NumPy asks who else uses them, and OpenBLAS starts threads,
        # and both crash when there is no memory for that.
        weights = parameters.astype(np.float64)
        weights *= self.is_weight
        loss = float((summed + 0.5 * self.alpha * np.square(weights).sum()) / self.total)
        if self.x is None:
            if not np.isfinite(loss):
                raise ValueError(f"Training diverged: the loss of the initial weights is {loss}. Scale the input.")
            self.monitor.training_begins(loss)
        self.x, self.loss = x.copy(), loss
        gradient = weights
        gradient *= self.alpha
        gradient += memories[0]
        gradient /= self.total
        return loss, gradient

    def step_ended(self, x):
        """Whether training is to end: SciPy takes the point x, which is the one that it last had evaluated."""
        loss = self.loss if np.array_equal(x, self.x) else self(x)[0]
        self.trainer.network.parameters[:] = x
        self.in_step = False
        return self.monitor.epoch_ended(loss, n_samples=0)  # scikit-learn's t_ does not count what lbfgs looks at


def _packed_mask(network):
    """1 where a packed parameter is a weight, 0 for biases and padding."""
    mask = np.zeros_like(network.parameters)
    each = zip(network.shapes, network.penalised, strict=True)
    network.pack([np.full(shape, is_penalised) for shape, is_penalised in each], mask)
    return mask


def _text(message):
    return message.decode() if isinstance(message, bytes) else message  # as SciPy's came until 1.9
