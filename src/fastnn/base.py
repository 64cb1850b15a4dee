"""What multilayer perceptrons share as scikit-learn estimators: layers, solvers, weights, and how fits fail."""

import warnings
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from fastnn.engine.activation import activation_names
from fastnn.engine.arrays import source_dtypes
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.trainer import Trainer
from fastnn.threads import effective_n_threads
from fastnn.training import train


class BaseMLP(BaseEstimator):
    """What every multilayer perceptron has: layers, a solver, and weights to look at."""

    _parameter_constraints: ClassVar[dict] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(activation_names)), list, tuple],
        "solver": [StrOptions({"sgd", "rmsprop", "adam"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "rho": [Interval(Real, 0, 1, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "dtype": [None, StrOptions({"float32", "float64"}), type, np.dtype],
        "n_threads": [None, Interval(Integral, 1, None, closed="left")],
    }

    # -- weights ------------------------------------------------------------------------------------------------------

    @property
    def coefs_(self):
        """list of ndarray of shape (fan_in, fan_out): the weights of each layer, read-only copies."""
        return self._unpacked()[0]

    @property
    def intercepts_(self):
        """list of ndarray of shape (fan_out,): the biases of each layer, read-only copies."""
        return self._unpacked()[1]

    def _unpacked(self):
        if not hasattr(self, "_network"):
            raise AttributeError(f"This {type(self).__name__} instance is not fitted yet, so it has no weights.")
        coefs, intercepts = self._network.weights()
        for array in (*coefs, *intercepts):
            array.flags.writeable = False  # the network would not notice a change: better an error than silence
        return coefs, intercepts

    # -- training -----------------------------------------------------------------------------------------------------

    def _hidden_sizes(self):
        sizes = self.hidden_layer_sizes
        sizes = list(sizes) if np.iterable(sizes) else [sizes]
        if not all(isinstance(n, Integral) and n > 0 for n in sizes):
            raise ValueError(f"hidden_layer_sizes must be integers > 0, got {sizes}.")
        return [int(n) for n in sizes]

    def _hidden_activations(self, n_hidden):
        if isinstance(self.activation, str):
            return [str(self.activation)] * n_hidden  # the engine takes no np.str_, as a grid search may set
        activations = [str(name) for name in self.activation]
        if len(activations) != n_hidden:
            raise ValueError(f"activation names {len(activations)} functions for {n_hidden} hidden layers.")
        return activations

    def _compute_dtype(self, X):
        dtype = np.result_type(X.dtype, np.float32) if self.dtype is None else np.dtype(self.dtype)
        if dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, got {dtype}.")
        return dtype

    def _optimizer(self):
        """The engine's optimizer for the solver, set as the parameters say."""
        name, decay_1, decay_2 = {
            "sgd": (
                "sgd" if self.momentum == 0 else "nesterov" if self.nesterovs_momentum else "momentum",
                self.momentum,
                0,
            ),
            "rmsprop": ("rmsprop", self.rho, 0),
            "adam": ("adam", self.beta_1, self.beta_2),
        }[self.solver]
        return Optimizer(name, self.learning_rate_init, self.alpha, decay_1, decay_2, self.epsilon)

    def _initial_network(self, sizes, head, dtype, random_state):
        """A network with scikit-learn's initial weights: Glorot and Bengio's uniform ones, biases too."""
        hidden = self._hidden_activations(len(sizes) - 2)
        network = Network(sizes, hidden, head, dtype)
        coefs, intercepts = [], []
        for fan_in, fan_out in pairwise(sizes):
            # scikit-learn has one activation for all layers, so its output layer follows the hidden ones in this.
            bound = np.sqrt((2.0 if self.activation == "logistic" else 6.0) / (fan_in + fan_out))
            coefs.append(random_state.uniform(-bound, bound, (fan_in, fan_out)))
            intercepts.append(random_state.uniform(-bound, bound, fan_out))
        network.set_weights(coefs, intercepts)
        return network

    def _batch_size(self, n_samples):
        if self.batch_size == "auto":
            return min(200, n_samples)
        if self.batch_size > n_samples:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped", stacklevel=6
            )
        return min(self.batch_size, n_samples)

    def _trainer_for(self, network, batch_size):
        """A trainer for the network: the last one if it will do, else a new one that remembers what that did."""
        n_threads = effective_n_threads(self.n_threads)
        optimizer = self._optimizer()
        last = getattr(self, "_trainer", None)
        if last is None or last.network is not network:
            return Trainer(network, optimizer, batch_size, n_threads)
        return last.adapted(optimizer, batch_size, n_threads)

    def _network_to_train(self, going_on, sizes, head, X, random_state):
        """The network there is, where training goes on; else a new one."""
        if not going_on:
            return self._initial_network(sizes, head, self._compute_dtype(X), random_state)
        network = self._network
        if self.dtype is not None and np.dtype(self.dtype) != network.dtype:
            raise ValueError(f"Training cannot go on in another dtype than {network.dtype}: dtype is {self.dtype!r}.")
        if list(network.sizes) != sizes or list(network.activations) != self._hidden_activations(len(sizes) - 2):
            raise ValueError(
                f"Training cannot go on with other layers: the network has sizes {list(network.sizes)} and activations "
                f"{list(network.activations)}, the parameters ask for {sizes} and {self.activation!r}."
            )
        return network

    def _train(self, network, history, X, targets, random_state, one_epoch):
        trainer = self._trainer_for(network, self._batch_size(len(X)))
        with _taken_back_on_error(trainer, history, random_state):
            n_epochs = train(
                trainer,
                X,
                targets,
                random_state=random_state,
                shuffle=self.shuffle,
                max_iter=self.max_iter,
                tol=self.tol,
                n_iter_no_change=self.n_iter_no_change,
                verbose=self.verbose,
                history=history,
                one_epoch=one_epoch,
            )
        self._network, self._trainer, self._history, self._random_state = network, trainer, history, random_state
        self.n_iter_ = n_epochs
        self.n_layers_ = len(network.sizes)
        self.n_outputs_ = network.sizes[-1]
        self.out_activation_ = network.head
        self.t_ = history.n_samples_seen
        self.loss_curve_ = history.loss_curve
        self.loss_ = history.loss_curve[-1] if history.loss_curve else np.nan
        self.best_loss_ = history.best_loss

    # -- prediction ---------------------------------------------------------------------------------------------------

    def _outputs(self, X):
        check_is_fitted(self)
        X = readable(validate_data(self, X, dtype="numeric", reset=False))
        return self._network.forward(X, effective_n_threads(self.n_threads))


# Which call is changing an estimator, by the estimator's id.
_changing = {}


@contextmanager
def all_or_nothing(estimator):
    """A call that fails leaves the estimator as it was, fitted or not; a second call at the same time is refused.

    The refused one must not even look: what it would restore is what the first is changing.
    """
    this_call = object()
    if _changing.setdefault(id(estimator), this_call) is not this_call:
        raise RuntimeError(f"This {type(estimator).__name__} instance is being fitted by another thread.")
    attributes = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(attributes)
        raise
    finally:
        del _changing[id(estimator)]


@contextmanager
def _taken_back_on_error(trainer, history, random_state):
    """Training that fails is taken back, but the optimizer, of whose memories there is no copy, starts afresh."""
    parameters, epochs, random_numbers = trainer.network.parameters.copy(), replace(history), random_state.get_state()
    n_epochs = len(history.loss_curve)
    try:
        yield
    except BaseException:
        trainer.network.parameters[:] = parameters
        trainer.memories[:] = 0
        trainer.optimizer.step_count = 0
        random_state.set_state(random_numbers)
        vars(history).update(vars(epochs))
        del history.loss_curve[n_epochs:]
        raise


def readable(X):
    """X as the engine can read it: rarely a copy, for long doubles and foreign byte orders."""
    native = X.dtype.newbyteorder("=")
    if native == np.bool_ or native in source_dtypes:
        return X.astype(native, copy=False)
    return X.astype(np.float64)
