"""The solver lbfgs: SciPy's L-BFGS-B, for which the engine computes loss and gradient over all samples."""

import numpy as np
from scipy.optimize import minimize as scipy_minimize
from sklearn.exceptions import ConvergenceWarning

from fastnn.runtime.blas import one_blas_thread
from fastnn.training.interruption import Interruption
from fastnn.training.loop import Segments, all_finite

# Samples in a batch: the gradients of all batches are summed.
BATCH_SIZE = 256


class _Stopped(Exception):
    """Ends the minimisation: the monitor asks for it, or the user's callback has raised StopIteration."""


def minimize(trainer, samples, parameters, monitor):
    """Minimise the penalised loss over all samples.

    SciPy minimises over the network's packed parameters without their padding, which in a small network is most of
    them, and a vector of SciPy's takes as long as the rest of a step. SciPy computes in float64, and the network in its
    own type.

    Parameters
    ----------
    trainer : fastnn.engine.trainer.Trainer
        Its optimizer is "accumulate". Its network is changed in place.
    samples : Samples
    parameters : NetworkParameters
    monitor : Monitor
        It counts each step as an epoch. It gets a warning when `max_iter` steps or `max_fun` evaluations were not
        enough, and when Ctrl-C ended the fit early.

    Raises
    ------
    ValueError
        When the loss at the start is not finite.
    KeyboardInterrupt
        When interrupted by Ctrl-C twice within a second.
    """
    objective = _Objective(trainer, samples, parameters, monitor)
    network = trainer.network
    accepted = objective.current()

    def step_ended(x):
        accepted[:] = x
        try:
            stop = objective.step_ended(x)
        except StopIteration as error:  # the user's: SciPy would mistake it for a request to end
            raise _Stopped from error
        if stop:
            raise _Stopped

    interruption = Interruption()
    try:
        # SciPy's sums have other bits on other numbers of threads, which wait for each other's cores on a busy machine.
        with interruption, one_blas_thread():
            objective.segments = Segments(trainer, interruption, parameters.n_threads)
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
                    # SciPy ends when the loss falls by less: its own 2e-9, but at least the precision of the loss.
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
        objective.restore(accepted)
    if not all_finite(network.parameters):
        monitor.diverged("Training diverged: weights are no longer finite. Scale the input.")


class _Objective:
    """The penalised mean loss over all samples, and its gradient, as functions of packed parameters."""

    def __init__(self, trainer, samples, parameters, monitor):
        self.trainer, self.samples, self.alpha, self.monitor = trainer, samples, parameters.alpha, monitor
        self.order = np.arange(len(samples), dtype=np.intp) if samples.rows is None else samples.rows
        network = trainer.network
        self.packed = np.zeros(network.parameters.shape)
        self.places = np.flatnonzero(_packed(network, [1] * len(network.shapes)))  # of all but the padding
        self.is_weight = _packed(network, network.penalised)[self.places].astype(np.float64)
        self.total = samples.total_weight()
        self.x, self.loss = None, np.nan  # of the last evaluation
        self.in_step = False

    def __call__(self, x):
        if not self.in_step:
            self.monitor.epoch_begins()
            self.in_step = True
        memories = self.trainer.memories
        self.restore(x)
        memories[:] = 0
        summed = self.segments.run_epoch(self.samples, self.order)
        self.segments.interruption.check()
        # In place, of one type, and without np.dot: without memory NumPy crashes when it inspects the references to a
        # large temporary and when it has no buffer to convert in, and OpenBLAS when it starts threads.
        weights = self.current()
        weights *= self.is_weight
        loss = float((summed + 0.5 * self.alpha * np.square(weights).sum()) / self.total)
        if self.x is None:
            if not np.isfinite(loss):
                raise ValueError(f"Training diverged: the loss of the initial weights is {loss}. Scale the input.")
            self.monitor.training_begins(loss)
        self.x, self.loss = x.copy(), loss
        gradient = weights
        gradient *= self.alpha
        gradient += memories[0].take(self.places).astype(np.float64)
        gradient /= self.total
        return loss, gradient

    def current(self):
        """The network's parameters as SciPy has them."""
        return self.trainer.network.parameters.take(self.places).astype(np.float64)

    def restore(self, x):
        """Let the network have parameters of SciPy's."""
        self.packed[self.places] = x
        self.trainer.network.restore(self.packed)

    def step_ended(self, x):
        """Note that SciPy accepts the point x, mostly the last one evaluated; returns whether training is to end."""
        loss = self.loss if np.array_equal(x, self.x) else self(x)[0]
        self.restore(x)
        self.in_step = False
        return self.monitor.epoch_ended(loss, n_samples=0)  # scikit-learn's t_ does not count lbfgs's


def _packed(network, values):
    """An array like the packed parameters: each parameter's value in all of its numbers, and 0 in the padding."""
    packed = np.zeros_like(network.parameters)
    network.pack([np.full(shape, value) for shape, value in zip(network.shapes, values, strict=True)], packed)
    return packed


def _text(message):
    return message.decode() if isinstance(message, bytes) else message  # SciPy's were bytes before 1.9
