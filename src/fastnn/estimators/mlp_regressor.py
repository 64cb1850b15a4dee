"""The multilayer perceptron regressor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fastnn.estimators.mlp import BaseMLP
from fastnn.estimators.parameters import with_constructor
from fastnn.estimators.regressor import BaseRegressor
from fastnn.estimators.sklearn_bridge import checked_network, fill_from_weights
from fastnn.estimators.suggestions import with_advice

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal, Self, Unpack

    from numpy.typing import ArrayLike

    from fastnn.typing import Activation, DType, Loss, MLPRegressorParameters, RandomState, Schedule, Solver


@with_advice
@with_constructor
class MLPRegressor(BaseRegressor, BaseMLP):
    # From tools/docstrings: <loss of regressors>, <parameters of multilayer perceptrons>,
    # <parameters of every network>, <parameters of regressors>, <coefs and intercepts>, <attributes of every network>,
    # <references>, <references of regressors>
    """Multilayer perceptron regressor.

    It is trained on the squared error, or another loss. Its parameters have the names, defaults and meanings of
    scikit-learn's. A fresh fit on float64 data with a given ``random_state`` draws the same initial weights and the
    same orders of samples as scikit-learn's, and for one target gives the same model to rounding. docs/differences.md
    lists where the two differ, and what only this one has.

    Parameters
    ----------
    loss : {"squared_error", "absolute_error", "huber", "quantile", "poisson"}, default="squared_error"
        The loss to minimize: half the squared error, whose best prediction is the mean; the absolute error, whose best
        prediction is the median; Huber's loss [10]_, which is squared up to `huber_delta` and linear beyond; the
        pinball loss of a `quantile` [11]_; or half the Poisson deviance, for counts. The loss is averaged over the
        targets, except for poisson, which is summed.
    hidden_layer_sizes : int or array-like of int, default=(100,)
        The number of units in each hidden layer; ``()`` is a generalized linear model.
    activation : str or list of str, default="relu"
        The activation of the hidden layers, or a list with one for each: identity, relu, logistic, tanh, leaky_relu,
        elu, softplus, exp, gelu, silu.
    dropout : float or list of float, default=0.0
        The part of the hidden units, or a list with the part of each hidden layer's, that is left out for each sample
        in training, drawn anew for each step; the other units count for more [7]_. It is not for lbfgs.
    solver : {"sgd", "rmsprop", "adam", "adamw", "adagrad", "lbfgs"}, default="adam"
        How the weights are found: by stochastic gradient descent (with `momentum`), RMSprop [1]_, Adam [2]_, AdamW [3]_
        or AdaGrad [4]_; or by L-BFGS, which uses all samples in every step and is meant for small data.
    alpha : float, default=0.0001
        The strength of the L2 penalty on weights, not on biases, which is divided by the size of the batch when it is
        added to the loss.
    batch_size : int or "auto", default="auto"
        The number of samples in each step; "auto" is ``min(200, n_samples)``. A sequence is one sample, however long it
        is.
    learning_rate : {"constant", "invscaling", "adaptive", "cosine", "one_cycle"} or callable, default="constant"
        How the step size changes from `learning_rate_init` on, with every solver but lbfgs:

        - "constant": it stays the same;
        - "invscaling": it is ``learning_rate_init / (t_ + 1) ** power_t`` after each epoch;
        - "adaptive": it is divided by 5, down to 1e-6, each time that training would have stopped because it did not
          improve; with `warm_start` the next fit continues at that step size, unless the last fit has ended so or
          `learning_rate_init` has changed;
        - "cosine": it falls to 0 along half a period of a cosine over `max_iter` epochs [5]_;
        - "one_cycle": it rises from a 25th of `learning_rate_init`, and falls to a 250,000th, along cosines [6]_;
        - a function: it takes the number of the epoch, from 0 for the first one of the model, and returns the step size
          after the warm-up.
    learning_rate_init : float, default=0.001
        The step size that `learning_rate` starts from.
    power_t : float, default=0.5
        The exponent of learning_rate="invscaling".
    warmup_fraction : float, default=None
        The part of `max_iter`, in [0, 1], over which the step size rises. None is 0.3 for one_cycle and 0 for all
        others.
    max_iter : int, default=200
        The most epochs of a fit; for lbfgs, its most steps.
    shuffle : bool, default=True
        Whether to take the samples in a new order in each epoch.
    random_state : int, RandomState instance or None, default=None
        Where the random numbers come from: for the initial weights [9]_, the samples held out, the orders of samples
        and the dropped units.
    tol : float, default=1e-4
        The least improvement that counts for `n_iter_no_change`. For lbfgs, the largest component of the gradient at
        which it ends.
    verbose : int, default=False
        What to print. 1 is a line for each epoch. 2 is a live bar, drawn by rich or tqdm; it becomes lines where
        neither is installed, where another bar is already shown, and where drawing fails. Output that cannot be written
        is left out.
    warm_start : bool, default=False
        Whether `fit` continues where the last fit ended, with its weights, its optimizer's memory, its random numbers,
        its order of samples and the samples held out. Two fits of 5 epochs then give the same bits as one of 10, also
        when the model is pickled in between. But cosine, one_cycle, the warm-up and lbfgs's memory of curvature begin
        anew.
    momentum : float, default=0.9
        The momentum of solver="sgd", in [0, 1].
    nesterovs_momentum : bool, default=True
        Whether solver="sgd" uses Nesterov's momentum.
    early_stopping : bool, default=False
        Whether to watch samples that are held out (`validation_fraction` of them, or the `X_val` that `fit` is given),
        to stop by the score on them instead of the loss, and to keep the weights of the best epoch, also where training
        diverges after it.
    validation_fraction : float, default=0.1
        The part of the samples that early stopping holds out; of two classes it is the same part of each. `partial_fit`
        holds out nothing.
    scoring : str, callable or None, default=None
        The score on the samples held out: a scorer or its name; "loss", the loss with its sign changed; or None, the
        estimator's `score`. A scorer is given arrays, even where `fit` was given frames, and a model without
        `feature_names_in_`.
    beta_1 : float, default=0.9
        The decay of adam's and adamw's mean of gradients, in [0, 1).
    beta_2 : float, default=0.999
        The decay of adam's and adamw's mean of squared gradients, in [0, 1).
    epsilon : float, default=1e-8
        What keeps the divisions of adam, adamw, rmsprop and adagrad finite.
    rho : float, default=0.9
        The decay of rmsprop's mean of squared gradients, in [0, 1).
    weight_decay : float, default=None
        The part of the weights, times the step size, that every step takes from them whatever the gradient is [3]_.
        None is 0.01 for adamw and 0 for all others. It is not for lbfgs.
    n_iter_no_change : int, default=10
        The number of epochs in a row without an improvement by `tol`, of the loss or the score, after which training
        stops. The loss does not end cosine, one_cycle or a warm-up, which are planned over `max_iter`.
    max_fun : int, default=15000
        The most evaluations of loss and gradient by solver="lbfgs".
    clip_norm : float, default=None
        The largest norm of the gradient over all layers: a larger gradient is scaled down to it [8]_. It is not for
        lbfgs.
    callback : callable, default=None
        A function that is called after each epoch with the model as it is then; if it returns something true, the fit
        ends. Training keeps changing that model: deepcopy what is to be kept. What is set on the estimator itself
        stays, and is for the next fit.
    dtype : {"float32", "float64"} or dtype, default=None
        The type to compute in. None is float32 where X is float32, else the smaller type that holds X exactly, and a
        regressor's y: ``np.result_type(X.dtype, np.float32)``. X itself is never converted as a whole.
    n_threads : int, default=None
        The most threads to use. None is what the environment allows: ``OMP_NUM_THREADS``, threadpoolctl, the affinity
        mask, the cgroup's quota; fits that run at the same time share that. The model has the same bits for any number.
    quantile : float or list of float, default=0.5
        The quantile in (0, 1) that loss="quantile" predicts, or a list of several to predict at once.
    huber_delta : float, default=1.0
        The error beyond which loss="huber" is linear.
    output_activation : str or None, default=None
        The activation of the output layer, which can keep predictions in a range: "logistic", "softplus", "exp" or
        "tanh", for instance. None is "exp" for loss="poisson", which allows no other, and "identity" for all others.

    Attributes
    ----------
    coefs_ : tuple of ndarray of shape (fan_in, fan_out)
        The weights of each layer: read-only copies. Assign a list of arrays to set them all.
    intercepts_ : tuple of ndarray of shape (fan_out,)
        The biases of each layer: read-only copies. Assign a list of arrays to set them all.
    loss_ : float
        The mean loss of the last epoch, penalty included; NaN if Ctrl-C came before an epoch was complete.
    best_loss_ : float or None
        The lowest mean loss of an epoch; None with early stopping.
    loss_curve_ : list of float
        The mean loss of each epoch since training began.
    validation_scores_ : list of float or None
        The score of each epoch on the samples held out, NaN for epochs without any; None if no epoch had any.
    validation_loss_curve_ : list of float or None
        The mean loss of each epoch on the samples held out, without the penalty, NaN for epochs without any; None if no
        epoch had any.
    best_validation_score_ : float or None
        The highest score on the samples held out; None if there were none.
    best_epoch_ : int
        The epoch of `best_validation_score_`, or of `best_loss_` if nothing was ever held out, counted from 1 since
        training began: its place in the curves is ``best_epoch_ - 1``. It is 0 before there is one.
    t_ : int
        The number of samples seen in complete epochs; lbfgs's are not counted.
    n_features_in_ : int
        The number of columns of X; defined only where X has 2 axes.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The names of the columns of X; defined only where all are strings.
    n_iter_ : int
        The number of epochs of the last fit.
    n_layers_ : int
        The number of layers, input and output included.
    n_outputs_ : int
        The number of units of the output layer.
    out_activation_ : str
        The activation of the output layer.

    References
    ----------
    .. [1] T. Tieleman, G. Hinton: "Lecture 6.5 - RMSProp", Coursera: Neural Networks for Machine Learning (2012).
    .. [2] D. Kingma, J. Ba: "Adam: a method for stochastic optimization", ICLR (2015).
    .. [3] I. Loshchilov, F. Hutter: "Decoupled weight decay regularization", ICLR (2019).
    .. [4] J. Duchi, E. Hazan, Y. Singer: "Adaptive subgradient methods for online learning and stochastic
       optimization", JMLR 12 (2011).
    .. [5] I. Loshchilov, F. Hutter: "SGDR: stochastic gradient descent with warm restarts", ICLR (2017).
    .. [6] L. Smith, N. Topin: "Super-convergence: very fast training of neural networks using large learning rates"
       (2018).
    .. [7] N. Srivastava et al.: "Dropout: a simple way to prevent neural networks from overfitting", JMLR 15 (2014).
    .. [8] R. Pascanu, T. Mikolov, Y. Bengio: "On the difficulty of training recurrent neural networks", ICML (2013).
    .. [9] X. Glorot, Y. Bengio: "Understanding the difficulty of training deep feedforward neural networks", AISTATS
       (2010).
    .. [10] P. Huber: "Robust estimation of a location parameter", Annals of Mathematical Statistics 35 (1964).
    .. [11] R. Koenker, G. Bassett: "Regression quantiles", Econometrica 46 (1978).

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn import MLPRegressor
    >>> X = np.random.default_rng(0).uniform(-1, 1, (500, 2))
    >>> y = X[:, 0] ** 2 + X[:, 1]
    >>> model = MLPRegressor(hidden_layer_sizes=(32, 32), max_iter=500, random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.99
    True
    >>> bounds = MLPRegressor("quantile", (32,), quantile=[0.1, 0.9], max_iter=500, random_state=0).fit(X, y)
    >>> bounds.predict(X[:3]).shape
    (3, 2)
    """

    loss: Loss = "squared_error"
    hidden_layer_sizes: int | Sequence[int] = (100,)
    activation: Activation | Sequence[Activation] = "relu"

    if TYPE_CHECKING:  # written by tools/shared_source.py

        def __init__(
            self,
            loss: Loss = "squared_error",
            hidden_layer_sizes: int | Sequence[int] = (100,),
            activation: Activation | Sequence[Activation] = "relu",
            *,
            solver: Solver = "adam",
            alpha: float = 0.0001,
            batch_size: int | Literal["auto"] = "auto",
            learning_rate: Schedule | Callable[[int], float] = "constant",
            learning_rate_init: float = 0.001,
            power_t: float = 0.5,
            warmup_fraction: float | None = None,
            max_iter: int = 200,
            shuffle: bool = True,
            random_state: RandomState | None = None,
            tol: float = 1e-4,
            verbose: int = False,
            warm_start: bool = False,
            momentum: float = 0.9,
            nesterovs_momentum: bool = True,
            early_stopping: bool = False,
            validation_fraction: float = 0.1,
            scoring: str | Callable[..., float] | None = None,
            beta_1: float = 0.9,
            beta_2: float = 0.999,
            epsilon: float = 1e-8,
            rho: float = 0.9,
            weight_decay: float | None = None,
            n_iter_no_change: float = 10,
            max_fun: int = 15000,
            clip_norm: float | None = None,
            callback: Callable[[Any], object] | None = None,
            dtype: DType | None = None,
            n_threads: int | None = None,
            dropout: float | Sequence[float] = 0.0,
            quantile: float | Sequence[float] = 0.5,
            huber_delta: float = 1.0,
            output_activation: Activation | None = None,
        ) -> None: ...

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseRegressor._parameter_constraints,
        **BaseMLP._parameter_constraints,
    }

    @classmethod
    def from_weights(
        cls,
        coefs: Sequence[ArrayLike],
        intercepts: Sequence[ArrayLike],
        *,
        activation: Activation | Sequence[Activation] = "relu",
        **parameters: Unpack[MLPRegressorParameters],
    ) -> Self:
        # From tools/docstrings: <weights>, <outputs of regressors>
        """A fitted network with given weights.

        Parameters
        ----------
        coefs : sequence of array-like of shape (fan_in, fan_out)
            The weights of each layer, the output layer's last.
        intercepts : sequence of array-like of shape (fan_out,)
            The biases of each layer.
        activation : str or list of str, default="relu"
            The activation of the hidden layers, or one for each.
        **parameters
            Other parameters of the constructor. `loss`, `quantile` and `output_activation` say what the outputs are.

        Returns
        -------
        MLPRegressor

        Raises
        ------
        ValueError
            For weights whose shapes do not fit together, or do not fit the quantiles, and for parameters that `fit`
            refuses.

        Examples
        --------
        >>> from fastnn import MLPRegressor
        >>> distance = MLPRegressor.from_weights([[[1.0, -1.0]], [[1.0], [1.0]]], [[0.0, 0.0], [0.0]])
        >>> distance.predict([[3.0], [-2.0]])
        array([3., 2.])
        """
        coefs, intercepts, (_, *hidden_sizes, n_outputs) = checked_network(coefs, intercepts)
        model = cls(hidden_layer_sizes=tuple(hidden_sizes), activation=activation, **parameters)
        model._validate_params()
        return fill_from_weights(model, model._targets_of(n_outputs, "intercepts[-1]"), coefs, intercepts)
