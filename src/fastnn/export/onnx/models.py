"""Estimators by ONNX's operators."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from fastnn.estimators.foreign_names import local_advice
from fastnn.estimators.mlp_classifier import MLPClassifier
from fastnn.estimators.mlp_regressor import MLPRegressor
from fastnn.estimators.sequential_classifier import SequentialClassifier
from fastnn.estimators.sequential_regressor import SequentialRegressor
from fastnn.export.onnx import answers
from fastnn.export.onnx.graph import Signal
from fastnn.export.onnx.layers import LAYERS
from fastnn.layers import Dense
from fastnn.layers.chain import Chain
from fastnn.layers.embedding import embedding_of


class NetworkParts:
    """A fitted network for ONNX: what it reads, and the operators from there to what it answers.

    Parameters
    ----------
    model : BaseNetwork
        A fitted one, which nobody changes meanwhile.

    Attributes
    ----------
    dtype : numpy.dtype
        What it computes in.
    reads : numpy.dtype
        The type of X.
    sample_shape : tuple of int
        Of one sample of X; None for a number of steps in which sequences differ.
    """

    def __init__(self, model):
        network = self._network = model._network
        self._targets = model._targets
        self._chain = getattr(model, "_chain", None) or _dense_chain(network)
        self.dtype, self.sample_shape = network.dtype, self._chain.sample_shape
        self.has_tokens = embedding_of(self._chain.layers) is not None
        self.classes = None if self._targets.are_numbers else self._targets.classes
        self.n_columns = self._targets.n_outputs  # of numbers

    def reads(self, dtype):
        """The type of X, for a graph that computes in a type."""
        return np.dtype(np.int64) if self.has_tokens else dtype

    def arrays(self):
        """All arrays of the weights."""
        return self._network.weights()

    def write(self, graph, X, lengths, labels=True):
        """Add the operators.

        Parameters
        ----------
        graph : Graph
            It computes in the type of the network, or in another one that the weights are converted to.
        X : str
            The tensor of samples (n, *sample_shape), of the type that `reads` returns.
        lengths : str or None
            The tensor of the number of steps of each sequence, where they differ.
        labels : bool, default=True
            Whether a classifier answers labels, besides probabilities.

        Returns
        -------
        dict of str to str
            The tensors of what the model answers, by the names of the answers.
        """
        outputs, lengths = self._outputs(graph, X, lengths)
        targets, per_step = self._targets, self._chain.ends_in_sequence
        if targets.are_numbers:
            made = answers.numbers(graph, targets, outputs[0], per_step)
        else:
            made = answers.classes(graph, targets, outputs, labels)
        return made | {"n_steps": lengths} if per_step and lengths is not None else made

    def columns(self, graph, X, lengths, method):
        """What a method returns, as a list of tensors (n, n_columns), one for each column of classes.

        In place of labels they have the numbers of classes.
        """
        outputs, _ = self._outputs(graph, X, lengths)
        if self.classes is None:
            return outputs
        if method == "predict_proba":
            return answers.probabilities(graph, self._targets, outputs)
        codes = answers.codes(graph, self._targets, outputs)
        if self._targets.target_type == "multilabel-indicator":
            return codes
        return [graph.add("Unsqueeze", code, graph.integers(1)) for code in codes]

    def _outputs(self, graph, X, lengths):
        """The network's outputs, of each column of classes, and the number of steps of each sequence or None."""
        chain, network = self._chain, self._network
        signal = Signal(X, self.sample_shape, lengths, tokens=self.has_tokens)
        if len(chain.input_shape) < len(self.sample_shape):
            signal = signal.flat(graph)
        for link, weights in zip(chain.links, chain.by_layer(network.weights()), strict=True):
            in_type = {name: array.astype(graph.dtype, copy=False) for name, array in weights.items()}
            signal = LAYERS[type(link.layer)](graph, link.layer, signal, in_type)
        return answers.head(graph, network.head, signal.tensor, network.groups), signal.lengths


def _dense_chain(network):
    """The layers of a multilayer perceptron, as it was fitted: its parameters may have been set since."""
    hidden = [Dense(units, activation) for _, units, activation, *_ in network.description[:-1]]
    return Chain(hidden, network.input_shape, network.description[-1][1])


class PerceptronParts:
    """A fitted perceptron for ONNX; as `NetworkParts`."""

    has_tokens, n_columns = False, None

    def __init__(self, model):
        self._coef = model.coef_.toarray() if hasattr(model.coef_, "toarray") else model.coef_
        self._intercept, self.classes = model.intercept_, model.classes_
        self.dtype, self.sample_shape = self._coef.dtype, (self._coef.shape[1],)

    def reads(self, dtype):
        return dtype

    def arrays(self):
        return [self._coef, self._intercept]

    def write(self, graph, X, lengths, labels=True):
        scores = self._scores(graph, X)
        made = {"label": answers.label_of(graph, self.classes, self._codes(graph, scores))} if labels else {}
        one = len(self._intercept) == 1
        return made | {"scores": graph.add("Squeeze", scores, graph.integers(1)) if one else scores}

    def columns(self, graph, X, lengths, method):
        scores = self._scores(graph, X)
        if method == "decision_function":
            return [scores]
        return [graph.add("Unsqueeze", self._codes(graph, scores), graph.integers(1))]

    def _scores(self, graph, X):
        coef = graph.constant(np.ascontiguousarray(self._coef.T, graph.dtype), "coef")
        return graph.add("Gemm", X, coef, graph.constant(self._intercept.astype(graph.dtype), "intercept"))

    def _codes(self, graph, scores):
        if len(self._intercept) > 1:
            return graph.add("ArgMax", scores, axis=1, keepdims=0)
        positive = graph.add("Greater", graph.add("Squeeze", scores, graph.integers(1)), graph.number(0))
        return graph.cast(positive, np.int64)


def parts_of(model):
    """A fitted model's parts for ONNX.

    Returns
    -------
    NetworkParts, PerceptronParts or ModularParts

    Raises
    ------
    TypeError
        For a model of another class.
    NotFittedError
    """
    # Not before they are needed: see fastnn's __getattr__.
    from fastnn.estimators.modular_classifier import ModularClassifier
    from fastnn.estimators.modular_regressor import ModularRegressor
    from fastnn.estimators.perceptron import Perceptron
    from fastnn.export.onnx.modules import ModularParts
    from fastnn.training.transaction import snapshot

    parts = {
        **dict.fromkeys((MLPClassifier, MLPRegressor, SequentialClassifier, SequentialRegressor), NetworkParts),
        **dict.fromkeys((ModularClassifier, ModularRegressor), ModularParts),
        Perceptron: PerceptronParts,
    }
    known = next((cls for cls in parts if isinstance(model, cls)), None)
    if known is None:
        names = ", ".join(cls.__name__ for cls in parts)
        raise TypeError(f"model must be one of {names}, got {type(model)}{local_advice(model)}")
    check_is_fitted(model)
    fitted = snapshot(model)
    return ModularParts(fitted, parts_of) if parts[known] is ModularParts else parts[known](fitted)
