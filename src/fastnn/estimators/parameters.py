"""What can be set on every multilayer perceptron: names, defaults, what is allowed, and what it means.

Names and defaults that scikit-learn's estimators have too are theirs.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from fastnn._sklearn import Options
from fastnn.engine.activation import activation_names
from fastnn.estimators.constraints import Interval, StrOptions
from fastnn.training.schedules import SCHEDULES
from fastnn.training.solvers import SOLVERS

# The activations that scikit-learn's networks may have.
SKLEARN_ACTIVATIONS = "identity", "logistic", "tanh", "relu"

SHARED_PARAMETERS = """\
hidden_layer_sizes : int or array-like of int, default=(100,)
    Units in each hidden layer; ``()`` is a generalized linear model.
activation : str or list of str, default="relu"
    The hidden layers' activation, or one for each: {activations}.
solver : {{{solvers}}}, default="adam"
    Stochastic gradient descent (with `momentum`), RMSprop [1]_, Adam [2]_, AdamW [3]_, AdaGrad [4]_; or L-BFGS, which
    takes all samples in every step and is for small data.
alpha : float, default=0.0001
    Strength of the L2 penalty, which is divided by the batch's size when added to the loss.
batch_size : int or "auto", default="auto"
    Samples per step; "auto" is ``min(200, n_samples)``.
learning_rate : {{{schedules}}} or callable, default="constant"
    How the step size goes on from `learning_rate_init`, with every solver but lbfgs:

    - "constant";
    - "invscaling": after each epoch, ``learning_rate_init / (t_ + 1) ** power_t``;
    - "adaptive": a fifth, each time that training would have stopped for want of improvement, down to 1e-6; with
      `warm_start` it goes on from there, but begins anew once a fit has ended so, or with another
      `learning_rate_init`;
    - "cosine": half a period of a cosine over `max_iter` epochs, down to 0 [5]_;
    - "one_cycle": up from a 25th, and down to a 250,000th, along cosines [6]_;
    - a function of the epoch, the model's first being number 0, that returns the step size (after a warm-up).
learning_rate_init : float, default=0.001
    The step size.
power_t : float, default=0.5
    For invscaling.
warmup_fraction : float, default=None
    The part of `max_iter` over which the step size rises. None is 0.3 for one_cycle, else 0.
max_iter : int, default=200
    Epochs at most; lbfgs's steps.
shuffle : bool, default=True
    Take the samples in a new order in each epoch.
random_state : int, RandomState instance or None, default=None
    For the initial weights [9]_, the samples held out, the orders of samples and the dropped units.
tol : float, default=1e-4
    See `n_iter_no_change`. For lbfgs, the largest component of the gradient at which it ends.
verbose : int, default=False
    1: a line for each epoch. 2: a live bar, by rich or tqdm, whichever is installed; lines if neither is, where
    scikit-learn's ProgressBar or another fit shows one, and where it fails. Output that cannot be written is left out.
warm_start : bool, default=False
    Let `fit` go on where the last fit ended: its weights, its optimizer's memory, its random numbers, its order of
    samples and the ones held out. Two fits of 5 epochs are then the same bits as one of 10, through a pickle too;
    but cosine, one_cycle, the warm-up and lbfgs's memory of curvature begin anew in each fit.
momentum : float, default=0.9
    For sgd; between 0 and 1.
nesterovs_momentum : bool, default=True
    For sgd with momentum.
early_stopping : bool, default=False
    Hold out `validation_fraction` of the samples, or take the `X_val` that `fit` is given; stop by the score on them,
    not by the loss, and keep the best epoch's weights, also where training diverges after it.
validation_fraction : float, default=0.1
    The part to hold out; of two classes evenly. `partial_fit` holds out nothing.
scoring : str, callable or None, default=None
    The score on the samples held out: a scorer or its name, "loss" for minus the loss, None for `score`. A scorer is
    given arrays, where `fit` was given frames, and a model without `feature_names_in_`.
beta_1, beta_2 : float, default=0.9, 0.999
    For adam and adamw: decay of the means of gradients and of their squares; in [0, 1).
epsilon : float, default=1e-8
    For adam, adamw, rmsprop and adagrad: keeps their divisions finite.
rho : float, default=0.9
    For rmsprop: decay of its mean of squared gradients; in [0, 1).
weight_decay : float, default=None
    What every step takes from the weights, in parts of them and of the step size, whatever the gradient [3]_. None is
    0.01 for adamw, else 0. Not for lbfgs.
n_iter_no_change : int, default=10
    Stop when loss or score was not better by `tol` in so many epochs. The loss does not end cosine, one_cycle or a
    warm-up, which are planned over `max_iter`.
max_fun : int, default=15000
    For lbfgs: evaluations of loss and gradient at most.
dropout : float or list of float, default=0.0
    The part of the hidden units, or of each hidden layer's, that each sample does without in training, drawn anew for
    each step; the others count for more [7]_. Not for lbfgs.
clip_norm : float, default=None
    Scale down gradients whose norm, over all layers, is larger [8]_. Not for lbfgs.
callback : callable, default=None
    Called after each epoch with the model as it is then; the fit ends if it returns something true. That model goes on
    changing: deepcopy what is to be kept. What is set on the estimator itself stays, and is for the next fit.
dtype : {{"float32", "float64"}} or dtype, default=None
    The type to compute in. None is the smallest that holds X exactly, ``np.result_type(X.dtype, np.float32)``, and a
    regressor's y likewise, but float32 wherever X is that. X itself is never converted as a whole.
n_threads : int, default=None
    Threads at most. None is what the environment allows: ``OMP_NUM_THREADS``, threadpoolctl, the affinity mask,
    the cgroup's quota. The model has the same bits for any number.
"""

REFERENCES = """\
.. [1] T. Tieleman, G. Hinton: "Lecture 6.5 - RMSProp", Coursera: Neural Networks for Machine Learning (2012).
.. [2] D. Kingma, J. Ba: "Adam: a method for stochastic optimization", ICLR (2015).
.. [3] I. Loshchilov, F. Hutter: "Decoupled weight decay regularization", ICLR (2019).
.. [4] J. Duchi, E. Hazan, Y. Singer: "Adaptive subgradient methods for online learning and stochastic optimization",
   JMLR 12 (2011).
.. [5] I. Loshchilov, F. Hutter: "SGDR: stochastic gradient descent with warm restarts", ICLR (2017).
.. [6] L. Smith, N. Topin: "Super-convergence: very fast training of neural networks using large learning rates" (2018).
.. [7] N. Srivastava et al.: "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15 (2014).
.. [8] R. Pascanu, T. Mikolov, Y. Bengio: "On the difficulty of training recurrent neural networks", ICML (2013).
.. [9] X. Glorot, Y. Bengio: "Understanding the difficulty of training deep feedforward neural networks",
   AISTATS (2010).
"""

SHARED_ATTRIBUTES = """\
loss_ : float
    The last epoch's mean loss, penalty included; NaN if Ctrl-C left none complete.
best_loss_ : float or None
    The lowest; None with early stopping.
loss_curve_ : list of float
    Each epoch's, since training began.
validation_scores_ : list of float or None
    Each epoch's score on the samples held out, if any are; NaN of epochs without.
validation_loss_curve_ : list of float or None
    Each epoch's mean loss on them, without penalty; likewise.
best_validation_score_ : float or None
    The highest score.
best_epoch_ : int
    The epoch, since training began, of `best_validation_score_`, or of `best_loss_` if nothing was ever held out. The
    first is number 1: its place in the curves is ``best_epoch_ - 1``. 0 is none yet.
t_ : int
    Samples seen in the epochs completed, but for lbfgs's.
coefs_ : tuple of ndarray of shape (fan_in, fan_out)
    Each layer's weights: copies, read-only. Assign a list to set them all.
intercepts_ : tuple of ndarray of shape (fan_out,)
    Each layer's biases, likewise.
n_features_in_ : int
    Columns of X.
feature_names_in_ : ndarray of shape (n_features_in_,)
    Their names, where X has strings for names.
n_iter_ : int
    Epochs of the last fit.
n_layers_ : int
    Layers, input and output included.
n_outputs_ : int
    Units of the output layer.
out_activation_ : str
    Its activation.
"""


def documented(cls):
    """Put what all networks share into a class's docstring, where it names it."""
    if cls.__doc__:  # there is none under python -OO
        quoted = [", ".join(f'"{name}"' for name in names) for names in (SOLVERS, SCHEDULES)]
        shared = SHARED_PARAMETERS.format(
            activations=", ".join(activation_names), solvers=quoted[0], schedules=quoted[1]
        )
        cls.__doc__ = (
            inspect.cleandoc(cls.__doc__)
            .replace("<parameters of every network>\n", shared)
            .replace("<attributes of every network>\n", SHARED_ATTRIBUTES)
            .replace("<references>\n", REFERENCES)
        )
    return cls


@dataclass(eq=False, repr=False)
class NetworkParameters:
    """The parameters themselves: a data class, so that each is named and has its default in one place."""

    _: KW_ONLY
    solver: str = "adam"
    alpha: float = 0.0001
    batch_size: int | str = "auto"
    learning_rate: str | Callable = "constant"
    learning_rate_init: float = 0.001
    power_t: float = 0.5
    warmup_fraction: float | None = None
    max_iter: int = 200
    shuffle: bool = True
    random_state: Any = None
    tol: float = 1e-4
    verbose: int = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    scoring: str | Callable | None = None
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    rho: float = 0.9
    weight_decay: float | None = None
    n_iter_no_change: int = 10
    max_fun: int = 15000
    dropout: float | Sequence[float] = 0.0
    clip_norm: float | None = None
    callback: Callable | None = None
    dtype: Any = None
    n_threads: int | None = None

    _parameter_constraints: ClassVar[dict] = {
        "solver": [StrOptions(SOLVERS)],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions(["auto"]), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions(SCHEDULES), callable],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "warmup_fraction": [None, Interval(Real, 0, 1, closed="both")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "scoring": [None, str, callable],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "rho": [Interval(Real, 0, 1, closed="left")],
        "weight_decay": [None, Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left"), "array-like"],
        "clip_norm": [None, Interval(Real, 0, None, closed="neither")],
        "callback": [None, callable],
        "dtype": [None, StrOptions(["float32", "float64"]), type, np.dtype],
        "n_threads": [None, Interval(Integral, 1, None, closed="left")],
    }

    def _dropout_rates(self, n_hidden):
        if not np.iterable(self.dropout):
            return [float(self.dropout)] * n_hidden
        rates = list(self.dropout)
        if len(rates) != n_hidden or not all(isinstance(rate, Real) and 0 <= rate < 1 for rate in rates):
            raise ValueError(
                f"dropout must be a rate in [0, 1), or a list of {n_hidden}, one for each hidden layer, got {rates}"
            )
        return [float(rate) for rate in rates]

    def _compute_dtype(self, X, numbers=None):
        """The type to compute in, for samples and, in a regression, the numbers wanted of them."""
        dtype = np.result_type(X.dtype, np.float32) if self.dtype is None else np.dtype(self.dtype)
        if self.dtype is None and X.dtype != np.float32 and numbers is not None:
            dtype = np.result_type(dtype, numbers.dtype)
        if dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, got {dtype}")
        return dtype
