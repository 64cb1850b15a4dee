"""The classifier whose layers the user writes."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import ClassVar

from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.utils.validation import check_is_fitted

from fastnn._sklearn import target_type
from fastnn.data.class_targets import Labels
from fastnn.estimators.classifier import BaseClassifier
from fastnn.estimators.docstrings import documented
from fastnn.estimators.sequential import BaseSequential
from fastnn.estimators.sequential_bridge import (
    fill_from_layers,
    from_sklearn_network,
    last_names,
    n_outputs_of,
    to_sklearn_network,
)
from fastnn.estimators.sklearn_bridge import check_is_sklearn, sklearn_estimator
from fastnn.estimators.suggestions import with_advice
from fastnn.layers import Dense


@with_advice
@documented
@dataclass(eq=False, repr=False)
class SequentialClassifier(BaseClassifier, BaseSequential):
    """Classifier whose layers you write: dense, convolutional, pooling and others, one after the other.

    It is trained on the log-loss. Its output layer follows from y, and all but its layers is as in `MLPClassifier`:
    ``SequentialClassifier([Dense(100)])`` and ``MLPClassifier((100,))`` give the same bits.

    Parameters
    ----------
    <layers>
    <parameters of every network>
    <parameters of classifiers>

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,), or a list of such
        The labels, sorted; for several columns of classes, a list with the labels of each column.
    <weights of layers>
    <attributes of every network>

    References
    ----------
    <references>

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

    layers: Sequence = (Dense(100),)
    _: KW_ONLY
    input_shape: Sequence[int] | None = None

    _parameter_constraints: ClassVar[dict] = {
        **BaseClassifier._parameter_constraints,
        **BaseSequential._parameter_constraints,
    }

    @classmethod
    @documented
    def from_weights(cls, layers, weights, *, input_shape=None, classes=None, multilabel=False, **parameters):
        """A fitted network with given weights.

        Parameters
        ----------
        <weights of given layers>
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

    @classmethod
    def from_sklearn(cls, fitted):
        """The network of a fitted `sklearn.neural_network.MLPClassifier`, as a model of fastnn.

        Parameters
        ----------
        fitted : sklearn.neural_network.MLPClassifier
            A fitted one.

        Returns
        -------
        SequentialClassifier
            Its layers are dense. It has the parameters and weights of `fitted`, predicts the same, and can be trained
            further, with a fresh optimizer.

        Raises
        ------
        TypeError
            For an estimator of another class.
        NotFittedError
            For an estimator that is not fitted.
        """
        check_is_sklearn(fitted, SklearnClassifier)
        targets = Labels.of_type(target_type(fitted), fitted.classes_)
        return from_sklearn_network(cls, fitted, lambda model: targets)

    def to_sklearn(self):
        """This network as a fitted `sklearn.neural_network.MLPClassifier`.

        Returns
        -------
        sklearn.neural_network.MLPClassifier
            It predicts the same. Parameters that scikit-learn does not have, and values that it does not know, keep
            scikit-learn's defaults.

        Raises
        ------
        ValueError
            For layers, activations and types of targets that scikit-learn does not have.
        """
        check_is_fitted(self)
        return self._set_sklearn_labels(to_sklearn_network(self, sklearn_estimator(self, SklearnClassifier)))
