"""The multilayer perceptron classifier."""

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    check_classification_targets,
    type_of_target,
    unique_labels,
)
from sklearn.utils.validation import column_or_1d, validate_data

from fastnn.base import BaseMLP, all_or_nothing, readable
from fastnn.targets import LabelEncoder
from fastnn.training import History


class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multilayer perceptron classifier.

    Trained by stochastic gradient descent on the log-loss. The parameters it shares with scikit-learn's have the same
    names, defaults and meanings, and a fresh fit on float64 data with a given ``random_state`` draws the same initial
    weights and the same orders of samples, and gives the same model to rounding. The README lists where the two differ.

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
        Let `fit` go on from the last fit: its weights, its optimizer's memory and its random numbers. Each fit shuffles
        the samples as they are given, each epoch what the last one shuffled: with `shuffle`, two fits of 5 epochs take
        the samples in other orders than one of 10.
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
        The last epoch's mean loss, penalty included; NaN if Ctrl-C left none complete.
    best_loss_ : float
        The lowest.
    loss_curve_ : list of float
        Each epoch's.
    t_ : int
        Samples seen in the epochs completed.
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
        with all_or_nothing(self):
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
        with all_or_nothing(self):
            _check_partial_fit_first_call(self, classes)
            return self._fit(X, y, going_on=hasattr(self, "_network"), one_epoch=True, classes=classes)

    def _fit(self, X, y, going_on, one_epoch, classes=None):
        hidden = self._hidden_sizes()
        X, y = validate_data(self, X, y, dtype="numeric", multi_output=True, reset=not going_on)
        X = readable(X)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if going_on:
            encoder = self._encoder
            if not one_epoch and set(labels := unique_labels(y)) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same classes as in the previous call to fit. "
                    f"Previously got {self.classes_}, `y` has {labels}"
                )
        elif one_epoch:
            encoder = LabelEncoder(y if type_of_target(y).startswith("multilabel") else classes)
            if not np.array_equal(encoder.classes, unique_labels(classes)):
                raise ValueError(f"`classes={classes!r}` are not what `y` has: {encoder.classes}")
        else:
            check_classification_targets(y)
            encoder = LabelEncoder(y)
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
