"""Exported models run: by onnxruntime, or where that lacks an operator of float64 by onnx's reference."""

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from scipy.special import erf

FUNCTIONS = {
    "Affine": lambda z, alpha, beta: alpha * z + beta,
    "Elu": lambda z, alpha, beta: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "LeakyRelu": lambda z, alpha, beta: np.where(z > 0, z, alpha * z),
    "Relu": lambda z, alpha, beta: np.maximum(z, 0),
    "Sigmoid": lambda z, alpha, beta: 1 / (1 + np.exp(-z)),
    "Softplus": lambda z, alpha, beta: np.logaddexp(0, z),
    "Tanh": lambda z, alpha, beta: np.tanh(z),
}
NEEDS = {"Affine": (True, True), "Elu": (True, False), "LeakyRelu": (True, False)}


def functions(names, alphas, betas):
    """The activations, each with its own of the alphas and betas."""
    alphas, betas = iter(alphas or ()), iter(betas or ())

    def one(name):
        takes_alpha, takes_beta = NEEDS.get(name, (False, False))
        alpha, beta = next(alphas) if takes_alpha else 0, next(betas) if takes_beta else 0
        return lambda z: FUNCTIONS[name](z, alpha, beta)

    return [one(name) for name in names]


class _Recurrent(OpRun):
    """What onnx's reference ignores: activations, and lengths of sequences."""

    op_domain = ""

    def _run(self, X, W, R, B=None, sequence_lens=None, *rest, **attributes):
        n_steps, n, _ = X.shape
        n_directions, units = len(W), R.shape[-1]
        lengths = np.full(n, n_steps) if sequence_lens is None else sequence_lens
        B = np.zeros((n_directions, 2 * W.shape[1])) if B is None else B
        made = np.zeros((n_steps, n_directions, n, units), X.dtype)
        last = np.zeros((n_directions, n, units), X.dtype)
        each = functions(attributes["activations"], attributes["activation_alpha"], attributes["activation_beta"])
        n_functions = len(each) // n_directions
        for way in range(n_directions):
            of_way = each[way * n_functions : (way + 1) * n_functions]
            for i, length in enumerate(lengths):
                x = X[:length, i][:: -1 if way else 1]
                h = self.through(x @ W[way].T, R[way].T, *np.split(B[way], 2), units, of_way)
                last[way, i] = h[-1]
                made[:length, way, i] = h[:: -1 if way else 1]
        return made, last


class RNN(_Recurrent):
    def through(self, sums, R, bias, recurrent_bias, units, f):
        h, made = np.zeros(units), []
        for z in sums:
            h = f[0](z + h @ R + bias + recurrent_bias)
            made.append(h)
        return made


class GRU(_Recurrent):
    def through(self, sums, R, bias, recurrent_bias, units, f):
        h, made = np.zeros(units), []
        for of_x in sums + bias:
            z, r, g = zip(np.split(of_x, 3), np.split(h @ R + recurrent_bias, 3), strict=True)
            z, r = f[0](sum(z)), f[0](sum(r))
            h = (1 - z) * f[1](g[0] + r * g[1]) + z * h
            made.append(h)
        return made


class LSTM(_Recurrent):
    def through(self, sums, R, bias, recurrent_bias, units, f):
        h, c, made = np.zeros(units), np.zeros(units), []
        for of_x in sums + bias + recurrent_bias:
            i, o, forget, g = np.split(of_x + h @ R, 4)
            c = f[0](forget) * c + f[0](i) * f[1](g)
            h = f[0](o) * f[2](c)
            made.append(h)
        return made


class Erf(OpRun):
    """onnx's is of float32."""

    op_domain = ""

    def _run(self, x):
        return (erf(x),)


class MaxPool(OpRun):
    """onnx's makes other sizes where more is added after than before."""

    op_domain = ""

    def _run(self, x, kernel_shape=None, pads=None, strides=None, **others):
        n_axes = len(kernel_shape)
        borders = [(0, 0), (0, 0), *zip(pads[:n_axes], pads[n_axes:], strict=True)]
        axes = tuple(range(2, 2 + n_axes))
        windows = np.lib.stride_tricks.sliding_window_view(
            np.pad(x, borders, constant_values=-np.inf), kernel_shape, axes
        )
        steps = (slice(None), slice(None), *(slice(None, None, stride) for stride in strides))
        return (windows[steps].max(axis=tuple(range(2 + n_axes, 2 + 2 * n_axes))),)


OPERATORS = [MaxPool, RNN, GRU, LSTM, Erf]


def run(model, inputs):
    """What a model answers, by the names of its answers, and whether onnxruntime could run it."""
    onnx.checker.check_model(model, full_check=True)
    names = [output.name for output in model.graph.output]
    try:
        options = onnxruntime.SessionOptions()
        options.log_severity_level, options.intra_op_num_threads = 4, 1
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
        return dict(zip(names, session.run(names, inputs), strict=True)), True
    except Exception as error:
        if "double" not in str(error) and "NOT_IMPLEMENTED" not in str(error):
            raise
    with np.errstate(all="ignore"):
        return dict(zip(names, ReferenceEvaluator(model, new_ops=OPERATORS).run(names, inputs), strict=True)), False


def padded(X, dtype):
    """Sequences of any length as one array, padded by numbers that nobody may read, and their lengths."""
    lengths = np.array([len(x) for x in X], np.int64)
    whole = np.issubdtype(dtype, np.integer)
    n_channels = X[0].shape[1] if X[0].ndim == 2 else 1
    array = np.full((len(X), lengths.max() + 2, n_channels), 0 if whole else 1e3, dtype)
    for row, x in zip(array, X, strict=True):
        row[: len(x)] = np.reshape(x, (len(x), -1))
    return {"X": array, "lengths": lengths}


# -- what a model of fastnn answers beside its export -----------------------------------------------------------------


def inputs_of(model, X, exported):
    """The inputs of an exported model, for X as fastnn has it."""
    types = {
        each.name: onnx.helper.tensor_dtype_to_np_dtype(each.type.tensor_type.elem_type)
        for each in exported.graph.input
    }
    if "lengths" in types:
        return padded(X, types["X"])
    shape = [dim.dim_value for dim in exported.graph.input[0].type.tensor_type.shape.dim[1:]]
    return {"X": np.asarray(X, types["X"]).reshape(len(X), *shape)}


def of_steps(answer, n_steps):
    """One answer after the other, of as many steps of each sequence as count."""
    if n_steps is None:
        return answer
    return np.concatenate([each[:n] for each, n in zip(answer, n_steps, strict=True)])


def one_after_the_other(answer, per_step):
    return np.concatenate(list(answer)) if per_step else np.asarray(answer)


def largest_difference(a, b):
    """The largest difference, relative to numbers above 1."""
    if not a.size:
        return 0.0
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(all="ignore"):
        return float(np.where(same, 0, np.abs(a - b) / np.maximum(1, np.abs(b))).max())


def compare(model, X, exported):
    """Compare what an exported model answers with what the model does.

    Returns
    -------
    difference : float
        The largest one of all numbers.
    n_wrong : int
        The number of labels that differ where it is no matter of rounding.
    by_onnxruntime : bool
    """
    got, by_onnxruntime = run(exported, inputs_of(model, X, exported))
    per_step = "n_steps" in got or (hasattr(model, "_chain") and model._chain.ends_in_sequence)
    n_steps = got.pop("n_steps", None)
    if per_step and n_steps is None:
        n_steps = [next(iter(got.values())).shape[1]] * len(X)
    got = {name: of_steps(answer, n_steps) for name, answer in got.items()}
    if "predictions" in got:
        expected = one_after_the_other(model.predict(X), per_step)
        return largest_difference(got["predictions"], expected), 0, by_onnxruntime
    if "scores" in got:
        expected, given = [model.decision_function(X)], [got["scores"]]
    else:
        probabilities = model.predict_proba(X)
        columns = [probabilities] if "probabilities" in got else probabilities
        expected = [one_after_the_other(column, per_step) for column in columns]
        given = [answer for name, answer in got.items() if name.startswith("probabilities")]
    difference = max(largest_difference(a, b) for a, b in zip(given, expected, strict=True))
    labels = one_after_the_other(model.predict(X), per_step)
    wrong = got["label"] != labels
    if wrong.any():
        wrong &= ~undecided(expected, labels.shape)
    return difference, int(wrong.sum()), by_onnxruntime


def undecided(probabilities, shape):
    """Where the two largest probabilities, or a label's and its contrary's, are the same but for rounding."""

    def close(p):
        if p.ndim == 1:
            return np.abs(p) < 1e-5
        ordered = np.sort(p, axis=1)
        return ordered[:, -1] - ordered[:, -2] < 1e-5

    if len(probabilities) == 1 and len(shape) == 2:  # of labels
        return np.abs(probabilities[0] - 0.5) < 1e-5
    return np.stack([close(p) for p in probabilities], axis=1).reshape(shape)
