"""The solver lbfgs: SciPy's L-BFGS-B, for which the engine finds loss and gradient over all samples."""

import numpy as np
from scipy.optimize import minimize as scipy_minimize
from sklearn.utils.optimize import _check_optimize_result

from fastnn.interruption import Interruption
from fastnn.training import Segments, all_finite
from fastnn.user_warnings import warn_user

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
    parameters : MLPParameters
    monitor : Monitor
        Is told of each step as if it were an epoch.

    Raises
    ------
    ValueError
        When the loss at the start is not finite.

    Warns
    -----
    ConvergenceWarning
        When `max_iter` steps, or `max_fun` evaluations, were not enough.
    UserWarning
        When interrupted by Ctrl-C; the network keeps what it has learnt.
    """
    network = trainer.network
    order = np.arange(len(samples), dtype=np.intp) if samples.rows is None else samples.rows
    is_weight = _packed_mask(network)
    total = samples.total_weight()
    last = {"x": None, "loss": np.nan}

    with Interruption() as interruption:
        segments = Segments(trainer, interruption)

        def loss_and_gradient(x):
            network.parameters[:] = x
            trainer.memories[:] = 0
            summed = segments.run_epoch(samples, order)
            interruption.check()
            weights = network.parameters.astype(np.float64) * is_weight
            penalised = (summed + 0.5 * parameters.alpha * np.dot(weights, weights)) / total
            last["x"], last["loss"] = x.copy(), penalised
            return penalised, (trainer.memories[0] + parameters.alpha * weights) / total

        def step_ended(x):
            # SciPy ends a line search on the point it takes, so its loss is the last one found.
            penalised = last["loss"] if np.array_equal(x, last["x"]) else loss_and_gradient(x)[0]
            network.parameters[:] = x
            accepted[:] = x
            if monitor.epoch_ended(penalised, len(samples)):
                raise _Stopped
            monitor.epoch_begins()

        accepted = network.parameters.astype(np.float64)
        start_loss = loss_and_gradient(accepted.copy())[0]
        if not np.isfinite(start_loss):
            raise ValueError(f"The loss of the initial weights is {start_loss}: scale the input.")
        monitor.epoch_begins()
        try:
            result = scipy_minimize(
                loss_and_gradient,
                accepted.copy(),
                method="L-BFGS-B",
                jac=True,
                callback=step_ended,
                options={
                    "maxfun": parameters.max_fun,
                    "maxiter": parameters.max_iter,
                    "gtol": parameters.tol,
                    # SciPy's own, unless the loss cannot be told so exactly.
                    "ftol": max(2.220446049250313e-09, float(np.finfo(network.dtype).eps)),
                },
            )
            accepted = result.x
            _check_optimize_result("lbfgs", result, parameters.max_iter)
        except _Stopped:
            pass
        except KeyboardInterrupt:
            warn_user("Training interrupted by user.")
        finally:
            network.parameters[:] = accepted
    if not all_finite(network.parameters):
        raise ValueError("Solver produced non-finite weights: scale the input.")


def _packed_mask(network):
    """1 where a packed parameter is a weight, 0 for biases and padding."""
    mask = np.zeros_like(network.parameters)
    shapes = list(zip(network.sizes, network.sizes[1:], strict=False))
    network.pack([np.ones(shape) for shape in shapes], [np.zeros(n) for _, n in shapes], mask)
    return mask
