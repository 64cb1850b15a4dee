"""The classifier whose layers the user writes."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import TYPE_CHECKING, ClassVar

from fastnn.estimators.classifier import BaseClassifier
from fastnn.estimators.parameters import with_constructor
from fastnn.estimators.sequential import BaseSequential
from fastnn.estimators.sequential_bridge import fill_from_layers, last_names, n_outputs_of
from fastnn.estimators.sequential_steps import ClassifierStepsMixin
from fastnn.estimators.suggestions import with_advice
from fastnn.layers import Dense

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal, Self, Unpack

    from fastnn.layers import Layer
    from fastnn.typing import (
        Classes,
        ClassWeight,
        DType,
        LayerWeights,
        RandomState,
        Schedule,
        SequentialClassifierParameters,
        Solver,
    )


@with_advice
@with_constructor
class SequentialClassifier(BaseClassifier, ClassifierStepsMixin, BaseSequential):
    # From tools/docstrings: <layers>, <parameters of every network>, <parameters of classifiers>,
    # <attributes of classifiers>, <weights of layers>, <attributes of every network>, <references>
    """Classifier whose layers you write: dense, convolutional, pooling and others, one after the other.

    It is trained on the log-loss. Its output layer follows from y, and all but its layers is as in `MLPClassifier`:
    ``SequentialClassifier([Dense(100)])`` and ``MLPClassifier((100,))`` give the same bits.

    Parameters
    ----------
    layers : list of layers, default=(Dense(100),)
        The hidden layers, from `fastnn.layers`; the output layer follows from y. A place with None is left out. The
        first layer that takes only images or only sequences says what X is; if no layer says so, each sample is
        flattened. An image is flattened before a `Dense` and before the output layer. A `Dense`, and the output layer,
        work on each step of a sequence by itself: where the last layer gives a sequence, each of its steps has a
        target. Layers such as `GlobalMaxPooling1D` and `Flatten` make one vector of it. Parameters as ``layers__0`` and
        ``layers__0__units`` are for `set_params` and grid searches.
    input_shape : tuple of int, default=None
        The shape of a sample where X has a row for each, as (28, 28, 1). None: the columns are features, or the steps
        of a series of single numbers. X of more axes must have this shape, or any if it is None. (None, channels):
        sequences of any length, also if all that are fitted have one.
    truncate_steps : int, default=None
        Train on windows of so many steps of each sequence, one after the other: the optimizer makes a step with the
        first window of each of a batch's sequences, then one with the second, and so on. Recurrent layers carry their
        state on to the next window, and the error goes back to the window's begin. For long sequences with a target for
        each step, and for layers that depend on earlier steps only. None: on all steps at once.
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
    class_weight : dict, "balanced" or a list of either, default=None
        What the loss of each class's samples is multiplied by, as ``{class: weight}``. "balanced" is in inverse
        proportion to the number of samples of the class, or with `sample_weight` to the sum of their weights. For
        several columns of y it is a list with one for each column. A class that is not listed has the weight 1, and the
        weight of a class that is not in y is ignored; but both at once are an error, since the class is then probably
        misspelt. `partial_fit` does not take "balanced".
    label_smoothing : float, default=0.0
        The part of the target probability that is shared by all classes, in [0, 1): the network becomes less certain.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or a list of such
        The labels, sorted; for several columns of classes, a list with the labels of each column.
    weights_ : tuple of dict of str to ndarray
        The weights of each layer, the output layer's last, by Keras's names and in its shapes: "kernel", whose last
        axis are units or filters, and "bias"; or "gamma" and "beta"; {} for a layer without weights. They are read-only
        copies. Assign such a list to set them all.
    coefs_, intercepts_ : tuple of ndarray
        The weights and the biases as `MLPClassifier` has them, where all layers are dense and have biases.
    input_shape_ : tuple of int
        The shape of a sample. The number of steps is None for sequences of any length.
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

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from fastnn import SequentialClassifier
    >>> from fastnn.layers import Dense, Dropout
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)
    >>> model = SequentialClassifier([Dense(64), Dropout(0.2)], tol=1e-3, random_state=0)
    >>> model.fit(X_train, y_train).score(X_test, y_test) > 0.95
    True
    >>> model.set_params(layers__1=None, layers__0__units=32).layers
    [Dense(32), None]

    Images have a height and a width:

    >>> from fastnn.layers import Conv2D, MaxPooling2D
    >>> layers = [Conv2D(16, 3), MaxPooling2D(), Dense(32)]
    >>> model = SequentialClassifier(layers, learning_rate_init=0.01, tol=1e-3, random_state=0)
    >>> model.fit(X_train.reshape(-1, 8, 8), y_train).score(X_test.reshape(-1, 8, 8), y_test) > 0.95
    True
    >>> model.summary()
    Layer            Output Shape  Param #
    --------------------------------------
    Conv2D(16, 3)    (6, 6, 16)        160
    MaxPooling2D()   (3, 3, 16)          0
    Dense(32)        (32,)           4,640
    output, softmax  (10,)             330
    --------------------------------------
    Total params: 5,130
    Trainable params: 5,130
    Non-trainable params: 0
    """

    layers: Sequence[Layer | None] = (Dense(100),)
    _: KW_ONLY
    input_shape: int | Sequence[int | None] | None = None
    truncate_steps: int | None = None

    if TYPE_CHECKING:  # written by tools/shared_source.py

        def __init__(
            self,
            layers: Sequence[Layer | None] = (Dense(100),),
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
            class_weight: ClassWeight | Sequence[ClassWeight | None] | None = None,
            label_smoothing: float = 0.0,
            input_shape: int | Sequence[int | None] | None = None,
            truncate_steps: int | None = None,
        ) -> None: ...

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseClassifier._parameter_constraints,
        **BaseSequential._parameter_constraints,
    }

    @classmethod
    def from_weights(
        cls,
        layers: Sequence[Layer | None],
        weights: LayerWeights,
        *,
        input_shape: int | Sequence[int | None] | None = None,
        classes: Classes | None = None,
        multilabel: bool = False,
        **parameters: Unpack[SequentialClassifierParameters],
    ) -> Self:
        # From tools/docstrings: <weights of given layers>, <outputs of classifiers>
        """A fitted network with given weights.

        Parameters
        ----------
        layers : list of layers
            The hidden layers.
        weights : list of dict of str to array-like
            The weights of each layer, the output layer's last, as `weights_` has them.
        input_shape : tuple of int, default=None
            The shape of a sample, which layers of images and of sequences need; (None, channels) for sequences of any
            length. None: the number of columns follows from the first weights, or from a `Reshape` before them.
        classes : array-like of shape (n_classes,), or a list of such, default=None
            The classes that the outputs stand for, sorted. None is 0, 1, ...; a list of arrays is several columns of
            classes.
        multilabel : bool, default=False
            Whether each output is a label of its own.
        **parameters
            Other parameters of the constructor.

        Returns
        -------
        SequentialClassifier

        Raises
        ------
        ValueError
            For weights whose shapes do not fit the layers or the classes, and for parameters that `fit` refuses.

        Examples
        --------
        >>> from fastnn import SequentialClassifier
        >>> from fastnn.layers import Dense
        >>> xor = SequentialClassifier.from_weights(
        ...     [Dense(2)],
        ...     [{"kernel": [[1, 1], [1, 1]], "bias": [0, -1]}, {"kernel": [[1], [-2]], "bias": [-0.5]}],
        ...     classes=[False, True],
        ... )
        >>> xor.predict([[0, 0], [0, 1], [1, 0], [1, 1]])
        array([False,  True,  True, False])
        """
        model = cls(layers, input_shape=input_shape, **parameters)
        model._validate_params()
        targets = cls._targets_of(classes, multilabel, n_outputs_of(weights), last_names(weights))
        return fill_from_layers(model, targets, weights)
