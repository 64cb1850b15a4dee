"""Multilayer perceptrons as scikit-learn estimators."""

import warnings
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    check_classification_targets,
    type_of_target,
    unique_labels,
)
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from fastnn.engine.activation import activation_names
from fastnn.engine.arrays import source_dtypes
from fastnn.engine.backprop import Trainer
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.targets import LabelEncoder
from fastnn.threads import effective_n_threads
from fastnn.training import History, train


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
        X = _readable(validate_data(self, X, dtype="numeric", reset=False))
        return self._network.forward(X, effective_n_threads(self.n_threads))


# Which call is changing an estimator, by the estimator's id.
_changing = {}


@contextmanager
def _all_or_nothing(estimator):
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


def _readable(X):
    """X as the engine can read it: rarely a copy, for long doubles and foreign byte orders."""
    native = X.dtype.newbyteorder("=")
    if native == np.bool_ or native in source_dtypes:
        return X.astype(native, copy=False)
    return X.astype(np.float64)


class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multilayer perceptron classifier.

    Trained by stochastic gradient descent on the log-loss, with scikit-learn's parameters, defaults and numbers: a
    fresh fit on float64 data with a given ``random_state`` draws the same initial weights and the same orders of
    samples as scikit-learn's, and gives the same model to rounding. The README lists where the two differ.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(100,)
        Units in each hidden layer; ``()`` is a logistic regression.
    activation : str or list of str, default="relu"
        The hidden layers' activation, or one for each: identity, relu, logistic, tanh, leaky_relu (slope 0.01), elu,
        softplus, gelu (exact), silu.
    solver : {"sgd", "rmsprop", "adam"}, default="adam"
        Stochastic gradient descent (with `momentum`), RMSprop [1]_ or Adam [2]_.
    alpha : float, default=0.0001
        Strength of the L2 penalty, which is divided by the batch's size when added to the loss.
    batch_size : int or "auto", default="auto"
        Samples per step; "auto" is ``min(200, n_samples)``.
    learning_rate_init : float, default=0.001
        The step size.
    max_iter : int, default=200
        Epochs at most.
    shuffle : bool, default=True
        Take the samples in a new order in each epoch.
    random_state : int, RandomState instance or None, default=None
        For the initial weights and the orders of samples.
    tol : float, default=1e-4
        See `n_iter_no_change`.
    verbose : bool, default=False
        Print each epoch's loss.
    warm_start : bool, default=False
        Let `fit` go on from the last fit: its weights, its optimizer's memory and its random numbers. The orders of
        samples are drawn from the given one again, so two fits of 5 epochs are one of 10 only without `shuffle`.
    momentum : float, default=0.9
        For sgd; between 0 and 1.
    nesterovs_momentum : bool, default=True
        For sgd with momentum.
    beta_1, beta_2 : float, default=0.9, 0.999
        For adam: decay of its means of gradients and of their squares; in [0, 1).
    epsilon : float, default=1e-8
        For rmsprop and adam: keeps their divisions finite.
    rho : float, default=0.9
        For rmsprop: decay of its mean of squared gradients; in [0, 1).
    n_iter_no_change : int, default=10
        Stop when the loss did not fall by `tol` in so many epochs.
    dtype : {"float32", "float64"} or dtype, default=None
        The type to compute in. None is the smallest that holds X exactly, ``np.result_type(X.dtype, np.float32)``.
        X itself is never converted as a whole.
    n_threads : int, default=None
        Threads at most. None is what the environment allows: ``OMP_NUM_THREADS``, threadpoolctl, the affinity mask,
        the cgroup's quota. The model has the same bits for any number.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    loss_ : float
        The last epoch's mean loss, penalty included.
    best_loss_ : float
        The lowest.
    loss_curve_ : list of float
        Each epoch's.
    t_ : int
        Samples seen in training.
    coefs_ : list of ndarray of shape (fan_in, fan_out)
        Each layer's weights: copies, read-only.
    intercepts_ : list of ndarray of shape (fan_out,)
        Each layer's biases: copies, read-only.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where X has strings for names.
    n_iter_ : int
        Epochs of the last fit.
    n_layers_ : int
        Layers, input and output included.
    n_outputs_ : int
        1 for two classes, else one per class or label.
    out_activation_ : {"logistic", "softmax"}
        The output layer's activation.

    References
    ----------
    .. [1] T. Tieleman, G. Hinton: "Lecture 6.5 - RMSProp", Coursera: Neural Networks for Machine Learning (2012).
    .. [2] D. Kingma, J. Ba: "Adam: a method for stochastic optimization", ICLR (2015).
    .. [3] X. Glorot, Y. Bengio: "Understanding the difficulty of training deep feedforward neural networks",
       AISTATS (2010): the initial weights.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from fastnn import MLPClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> model = MLPClassifier((64,), tol=1e-3, random_state=0).fit(X_train, y_train)
    >>> model.score(X_test, y_test) > 0.95
    True
    >>> model.predict(X_test[:3])
    array([2, 8, 2])
    """

    def __init__(
        self,
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        solver="adam",
        alpha=0.0001,
        batch_size="auto",
        learning_rate_init=0.001,
        max_iter=200,
        shuffle=True,
        random_state=None,
        tol=1e-4,
        verbose=False,
        warm_start=False,
        momentum=0.9,
        nesterovs_momentum=True,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        rho=0.9,
        n_iter_no_change=10,
        dtype=None,
        n_threads=None,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.rho = rho
        self.n_iter_no_change = n_iter_no_change
        self.dtype = dtype
        self.n_threads = n_threads

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Of any real type.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels of any type, or an indicator matrix of labels.

        Returns
        -------
        self : MLPClassifier

        Raises
        ------
        ValueError
            For input that scikit-learn refuses too, for a single class, and when training diverges. The estimator is
            then as it was before.
        RuntimeError
            When another thread is fitting this very estimator.

        Warns
        -----
        ConvergenceWarning
            When `max_iter` epochs were not enough.
        UserWarning
            When interrupted by Ctrl-C: the estimator keeps what it has learnt, the broken-off epoch's part included.
        """
        with _all_or_nothing(self):
            return self._fit(X, y, going_on=self.warm_start and hasattr(self, "_network"), one_epoch=False)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, *, classes=None):
        """Train for one epoch on these samples, going on from where the last fit ended.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Need not hold every class.
        classes : array-like of shape (n_classes,), default=None
            All classes there will be; for multilabel targets the columns' numbers. Required in the first call.

        Returns
        -------
        self : MLPClassifier

        Raises
        ------
        ValueError
            As for `fit`; and in the first call without `classes`.
        RuntimeError
            When another thread is fitting this very estimator.
        """
        with _all_or_nothing(self):
            _check_partial_fit_first_call(self, classes)
            return self._fit(X, y, going_on=hasattr(self, "_network"), one_epoch=True, classes=classes)

    def _fit(self, X, y, going_on, one_epoch, classes=None):
        hidden = self._hidden_sizes()
        X, y = validate_data(self, X, y, dtype="numeric", multi_output=True, reset=not going_on)
        X = _readable(X)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if going_on:
            encoder = self._encoder
        elif one_epoch:
            encoder = LabelEncoder(y if type_of_target(y).startswith("multilabel") else classes)
            if not np.array_equal(encoder.classes, unique_labels(classes)):
                raise ValueError(f"`classes={classes!r}` are not what `y` has: {encoder.classes}")
        else:
            check_classification_targets(y)
            encoder = LabelEncoder(y)
        if going_on and not one_epoch and set(labels := unique_labels(y)) != set(self.classes_):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to fit. Previously "
                f"got {self.classes_}, `y` has {labels}"
            )
        targets = encoder.encode(y)
        random_state = self._random_state if going_on else check_random_state(self.random_state)
        history = self._history if going_on else History()
        sizes = [X.shape[1], *hidden, encoder.n_outputs]
        network = self._network_to_train(going_on, sizes, encoder.head, X, random_state)
        self._train(network, history, X, targets, random_state, one_epoch)
        self._encoder, self.classes_ = encoder, encoder.classes
        return self

    def predict(self, X):
        """The likeliest class of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Labels; for multilabel targets an indicator matrix.
        """
        outputs = self._outputs(X)
        return self._encoder.decode(outputs)

    def predict_proba(self, X):
        """Each class's probability, in the order of `classes_`; of multilabel targets each label's own.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Of the network's type.
        """
        probabilities = self._outputs(X)
        if self._encoder.kind == "binary":
            return np.hstack([1 - probabilities, probabilities])
        return probabilities

    def predict_log_proba(self, X):
        """The logarithms of `predict_proba`: -inf where a probability is too small for its type.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        probabilities = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return np.log(probabilities, out=probabilities)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
