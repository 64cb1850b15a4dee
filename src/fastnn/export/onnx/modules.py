"""Modular networks by ONNX's operators: each module reads X, and one answer is made of what all of them make."""

import math

import numpy as np

from fastnn.data.quoted import quoted
from fastnn.export.onnx.answers import label_of


class ModularParts:
    """A fitted modular network for ONNX; as `NetworkParts`.

    Parameters
    ----------
    model : BaseModular
    parts_of : callable
        Returns the parts of a model that is not modular.
    """

    def __init__(self, model, parts_of):
        self._modules, self._weights, self._passes_X = model._modules, model._weights, model._reads_X
        self._combination = model._combination
        self._parts = [_parts(f"the module {quoted(each.name)}", each.estimator, parts_of) for each in self._modules]
        self._combiner = None
        if not isinstance(self._combination, str):
            self._combiner = _parts("the estimator `combine`", self._combination, parts_of)
        every = self._parts + ([self._combiner] if self._combiner else [])
        self.dtype = np.result_type(*(part.dtype for part in every))
        reading_all = [part for part, each in zip(self._parts, self._modules, strict=True) if each.columns is None]
        self.has_tokens = any(part.has_tokens for part in reading_all)
        n_features = getattr(model, "n_features_in_", None)
        self.sample_shape = reading_all[0].sample_shape if n_features is None else (n_features,)
        self.classes = getattr(model, "classes_", None)
        self.n_columns = (self._combiner or self._parts[0]).n_columns

    def reads(self, dtype):
        return np.dtype(np.int64) if self.has_tokens else dtype

    def arrays(self):
        return [array for part in [*self._parts, self._combiner] if part is not None for array in part.arrays()]

    def write(self, graph, X, lengths, labels=True):
        of_modules = [
            self._outputs(graph, X, lengths, module, part)
            for module, part in zip(self._modules, self._parts, strict=True)
        ]
        if self._combiner is not None:
            return self._combined(graph, X, of_modules, labels)
        if self.classes is None:
            made = _mean(graph, [each for (each,) in of_modules], self._weights)
            is_vector = self._parts[0].n_columns == 1
            return {"predictions": graph.add("Squeeze", made, graph.integers(1)) if is_vector else made}
        name, scores = "probabilities", [each for (each,) in of_modules]
        if self._combination == "vote":
            name, scores = "votes", self._votes(graph, scores)
        elif self._combination == "mean":
            scores = _mean(graph, scores, self._weights)
        else:
            scores = self._product(graph, scores)
        label = {"label": label_of(graph, self.classes, graph.add("ArgMax", scores, axis=1, keepdims=0))}
        return label | {name: scores} if labels else {name: scores}

    def _outputs(self, graph, X, lengths, module, part):
        """What a module makes, a list of tensors (n, n_columns) of the type that the graph computes in."""
        if module.columns is not None:
            X = self._columns(graph, X, module.columns)
        elif None in part.sample_shape and lengths is None:  # rows are series of one length
            n = self.sample_shape[0]
            X, lengths = graph.add("Reshape", X, graph.integers(0, n, 1)), graph.filled(graph.size(X, 0), np.int64(n))
        elif part.sample_shape != self.sample_shape:
            X = graph.add("Reshape", X, graph.integers(0, *part.sample_shape))
        dtype = part.dtype if graph.dtype == self.dtype else graph.dtype
        reads = part.reads(dtype)
        X = X if reads == self.reads(graph.dtype) else graph.cast(X, reads)
        made = part.columns(graph.computing_in(dtype), X, lengths, module.method)
        if module.classes is None:
            return [self._in_type(graph, each, dtype) for each in made]
        by_column = isinstance(module.classes, list)
        known = zip(part.classes, module.classes, strict=True) if by_column else [(part.classes, module.classes)]
        if by_column and not isinstance(part.classes, list):  # labels, each of which is a column of its own
            return [self._in_type(graph, each, None if module.method == "predict" else dtype) for each in made]
        return [
            _aligned(graph, self._in_type(graph, each, None if module.method == "predict" else dtype), module, *classes)
            for each, classes in zip(made, known, strict=True)
        ]

    def _in_type(self, graph, tensor, dtype):
        """A tensor in the type that the graph computes in; numbers of classes, of dtype None, stay integers."""
        return tensor if dtype is None or dtype == graph.dtype else graph.cast(tensor, graph.dtype)

    def _columns(self, graph, X, columns):
        if isinstance(columns, slice):
            ends = graph.integers(columns.start), graph.integers(columns.stop)
            return graph.add("Slice", X, *ends, graph.integers(1))
        return graph.add("Gather", X, graph.integers(*np.atleast_1d(columns)), axis=1)

    def _votes(self, graph, codes):
        """What the votes for each class come to."""
        counted = []
        for i, (each, module) in enumerate(zip(codes, self._modules, strict=True)):
            weight = 1 if self._weights is None else self._weights[i]
            votes = (np.asarray(module.classes)[:, None] == self.classes) * weight
            rows = graph.add("Squeeze", each, graph.integers(1))
            counted.append(graph.add("Gather", graph.number(votes, "votes"), rows))
        return graph.add("Sum", *counted)

    def _product(self, graph, probabilities):
        logarithms = []
        for i, (each, module) in enumerate(zip(probabilities, self._modules, strict=True)):
            own = np.searchsorted(module.classes, module.target(self.classes))
            each = graph.add("Gather", each, graph.integers(*own), axis=1)
            # So that a module alone cannot rule a class out.
            least = np.finfo(np.promote_types(self._parts[i].dtype, np.float32)).tiny
            logarithm = graph.add("Log", graph.add("Max", each, graph.number(least)))
            weight = 1 if self._weights is None else self._weights[i]
            logarithms.append(logarithm if weight == 1 else graph.add("Mul", logarithm, graph.number(weight)))
        return graph.add("Softmax", graph.add("Sum", *logarithms), axis=1)

    def _combined(self, graph, X, of_modules, labels):
        """What a model makes of the modules' outputs."""
        columns = []
        for made, module, part in zip(of_modules, self._modules, self._parts, strict=True):
            if module.method == "predict" and module.classes is not None:
                made = [graph.cast(codes, graph.dtype) for codes in made]
            elif module.method == "predict_proba" and (isinstance(part.classes, list) or _is_binary(module)):
                made = [_without_first(graph, each) for each in made]
            columns += made
        if self._passes_X:
            columns.append(graph.cast(X, graph.dtype) if self.has_tokens else X)
        dtype = self._combiner.dtype if graph.dtype == self.dtype else graph.dtype
        joined = graph.add("Concat", *columns, axis=1)
        joined = joined if dtype == graph.dtype else graph.cast(joined, dtype)
        shape = self._combiner.sample_shape
        joined = joined if len(shape) == 1 else graph.add("Reshape", joined, graph.integers(0, *shape))
        return self._combiner.write(graph.computing_in(dtype), joined, None, labels)


def _parts(what, estimator, parts_of):
    try:
        return parts_of(estimator)
    except TypeError as error:
        raise TypeError(
            f"{what} must be a network or perceptron of fastnn's for ONNX, got {quoted(estimator)}"
        ) from error


def _mean(graph, outputs, weights):
    weights = np.ones(len(outputs)) if weights is None else weights
    parts = weights / math.fsum(weights)
    return graph.add("Sum", *(graph.add("Mul", *each) for each in zip(outputs, map(graph.number, parts), strict=True)))


def _aligned(graph, made, module, own, classes):
    """Outputs of an estimator that has met only its own of the classes, with 0 for the others."""
    if np.array_equal(own, classes):
        return made
    places = np.searchsorted(classes, own)
    if module.method == "predict":
        return graph.add("Gather", graph.integers(*places), made)
    placed = np.zeros((len(own), len(classes)))
    placed[np.arange(len(own)), places] = 1
    return graph.add("MatMul", made, graph.number(placed, "places"))


def _is_binary(module):
    return not isinstance(module.classes, list) and len(module.classes) == 2


def _without_first(graph, tensor):
    return graph.add("Slice", tensor, graph.integers(1), graph.integers(np.iinfo(np.int64).max), graph.integers(1))
