"""A plain NumPy network in float64: it defines what is right, and every kernel is held to it.

One short entry per thing that fastnn lists: tests walk the engine's registries and look each name up here, so that
what has no reference fails. Layers are lists of W (fan_in, fan_out) and of b (fan_out,).
"""

import math
from types import SimpleNamespace

import numpy as np
from scipy.special import expit, log_softmax, softmax, xlogy

LEAKY_SLOPE = 0.01


def _normal_density(z):
    return np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)


_erfc = np.vectorize(math.erfc, otypes=[float])  # SciPy's loses three digits in its tail


def _normal_cdf(z):
    """By erfc, whose slope makes good what its argument lost by rounding, if z is a long double."""
    exact = -z * np.sqrt(z.dtype.type(0.5))
    rounded = exact.astype(float)
    return 0.5 * (_erfc(rounded) - np.exp(-(exact**2)) * (exact - rounded) * 2 / np.sqrt(np.pi))


# name: (the function, its derivative), both of z. Long doubles stay long doubles.
ACTIVATIONS = {
    "identity": (lambda z: z, np.ones_like),
    "relu": (lambda z: np.maximum(z, 0), lambda z: np.where(z > 0, 1.0, 0.0)),
    "logistic": (expit, lambda z: expit(z) * expit(-z)),
    "tanh": (np.tanh, lambda z: 4 * expit(2 * z) * expit(-2 * z)),
    "leaky_relu": (lambda z: np.where(z > 0, z, LEAKY_SLOPE * z), lambda z: np.where(z > 0, 1.0, LEAKY_SLOPE)),
    "elu": (lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))), lambda z: np.exp(np.minimum(z, 0))),
    "softplus": (lambda z: np.logaddexp(z, 0), expit),
    "exp": (np.exp, np.exp),
    "gelu": (lambda z: z * _normal_cdf(z), lambda z: _normal_cdf(z) + z * _normal_density(z)),
    "silu": (lambda z: z * expit(z), lambda z: expit(z) * (1 + z * expit(-z))),
}


# -- losses of outputs or logits z, targets t and a setting s: number by number, and their gradients by z --------------


def _logistic(z, t, s):
    t = t * (1 - s) + s / 2
    return np.logaddexp(0, z) - z * t, expit(z) - t


def _poisson(z, t, s):
    return xlogy(t, t) - t - t * z + np.exp(z), np.exp(z) - t


def _huber(z, t, s):
    d = z - t
    return np.where(abs(d) <= s, d**2 / 2, s * (abs(d) - s / 2)), np.clip(d, -s, s)


def _quantile(z, t, s):
    d = z - t
    return np.where(d > 0, (1 - s) * d, -s * d), np.where(d > 0, 1 - s, np.where(d < 0, -s, 0))


# name: (the loss, the head it takes the logits of, or None: it takes outputs; whether it is averaged over them)
LOSSES = {
    "logistic": (_logistic, "logistic", False),
    "poisson": (_poisson, "exp", False),
    "squared_error": (lambda z, t, s: ((z - t) ** 2 / 2, z - t), None, True),
    "absolute_error": (lambda z, t, s: (abs(z - t), np.sign(z - t)), None, True),
    "huber": (_huber, None, True),
    "quantile": (_quantile, None, True),
}


def _softmax_loss(z, labels, s):
    target = s / z.shape[1] + (1 - s) * np.eye(z.shape[1])[labels]
    return -(target * log_softmax(z, axis=1)).sum(axis=1, keepdims=True), softmax(z, axis=1) - target


def loss_and_gradient(name, head, z, targets, weights=None, settings=0.0, groups=None):
    """The loss of logits z (n_samples, n_outputs), with the head's outputs, weighted and summed; its gradient by z.

    targets, weights and settings are what the engine's Loss and Trainer.run take.
    """
    if name == "softmax":
        ends = np.cumsum(groups or [z.shape[1]])[:-1]
        parts, labels = np.split(z, ends, axis=1), np.reshape(targets, (len(z), -1)).T
        each = [_softmax_loss(part, of_part, settings) for part, of_part in zip(parts, labels, strict=True)]
        weights = np.broadcast_to(1.0 if weights is None else np.reshape(weights, (len(z), -1)), (len(z), len(each)))
        loss = sum((weights[:, [i]] * part).sum() for i, (part, _) in enumerate(each))
        return loss, np.hstack([weights[:, [i]] * grad for i, (_, grad) in enumerate(each)])
    function, link, mean = LOSSES[name]
    outputs = z if link else ACTIVATIONS[head][0](z)
    losses, grads = function(outputs, np.asarray(targets, float), np.asarray(settings))
    if not link:
        grads = grads * ACTIVATIONS[head][1](z)
    weights = 1.0 if weights is None else np.reshape(weights, (len(z), -1))
    scale = 1 / z.shape[1] if mean else 1
    return (scale * weights * losses).sum(), scale * weights * grads


OUTPUTS = {name: function for name, (function, _) in ACTIVATIONS.items()} | {"softmax": lambda z: softmax(z, axis=1)}


# -- optimizers: step(settings, grad, weight, memory), which returns the new weight and updates memory, a list ---------


def _gradient(o, grad, weight, memory):
    memory[0] = grad
    return weight


def _accumulate(o, grad, weight, memory):
    memory[0] = memory[0] + grad
    return weight


def _sgd(o, grad, weight, memory):
    return weight - o.learning_rate * grad


def _momentum(o, grad, weight, memory):
    memory[0] = o.decay_1 * memory[0] - o.learning_rate * grad
    return weight + memory[0]


def _nesterov(o, grad, weight, memory):
    memory[0] = o.decay_1 * memory[0] - o.learning_rate * grad
    return weight + o.decay_1 * memory[0] - o.learning_rate * grad


def _rmsprop(o, grad, weight, memory):
    memory[0] = o.decay_1 * memory[0] + (1 - o.decay_1) * grad**2
    return weight - o.learning_rate * grad / (np.sqrt(memory[0]) + o.epsilon)


def _adam(o, grad, weight, memory):
    memory[0] = o.decay_1 * memory[0] + (1 - o.decay_1) * grad
    memory[1] = o.decay_2 * memory[1] + (1 - o.decay_2) * grad**2
    rate = o.learning_rate * np.sqrt(1 - o.decay_2**o.step) / (1 - o.decay_1**o.step)
    return weight - rate * memory[0] / (np.sqrt(memory[1]) + o.epsilon)


def _adagrad(o, grad, weight, memory):
    memory[0] = memory[0] + grad**2
    return weight - o.learning_rate * grad / (np.sqrt(memory[0]) + o.epsilon)


OPTIMIZERS = {
    "gradient": _gradient,
    "accumulate": _accumulate,
    "sgd": _sgd,
    "momentum": _momentum,
    "nesterov": _nesterov,
    "rmsprop": _rmsprop,
    "adam": _adam,
    "adagrad": _adagrad,
}


# -- dropout ----------------------------------------------------------------------------------------------------------


def _philox(counter, key):
    """The block of four words that a counter stands for: NumPy's generator counts up before it makes one."""
    number = (sum(word << 64 * i for i, word in enumerate(counter)) - 1) % 2**256
    before = [number >> 64 * i & (2**64 - 1) for i in range(4)]
    return np.random.Philox(counter=np.array(before, np.uint64), key=np.array(key, np.uint64)).random_raw(4)


def dropout_numbers(seed, step, layer, n_rows, n_units):
    """The 32-bit numbers that decide on a hidden layer's units: eight to a block, the lower half of a word first."""
    blocks = range(-(-n_units // 8))
    words = [[_philox((block, row, layer, step), (seed, 0)) for block in blocks] for row in range(n_rows)]
    return np.array(words, "<u8").reshape(n_rows, -1).view("<u4")[:, :n_units]


def dropout_mask(numbers, rate):
    """What units are multiplied by: 0, with a probability of rate, or 1 / (1 - rate)."""
    return np.where(numbers < rate * 2.0**32, 0, 1 / (1 - rate))


# -- layers -----------------------------------------------------------------------------------------------------------
#
# name: (function, examples). The function takes a batch x (n, *input_shape), the layer's weights and its settings, and
# returns what the layer makes of x in training, what it makes in prediction, and its weights after this batch: the same
# ones, but for state. An example is an input shape and a network to test the layer in, which ends in a vector.


def _dense(x, weights, units, activation, use_bias=True, trainable=True):
    W, *biases = weights
    made = ACTIVATIONS[activation][0](sum(biases, x @ W))
    return made, made, weights


def padding_of(size, kernel_size, stride, dilation, padding):
    """The zeros before and after an axis, as in Keras."""
    reach = (kernel_size - 1) * dilation
    if padding == "causal":
        return reach, 0
    total = max(0, (math.ceil(size / stride) - 1) * stride + reach + 1 - size) if padding == "same" else 0
    return total // 2, total - total // 2


def _convolution(x, weights, filters, kernel_size, strides, padding, dilation_rate, groups, activation, *options):
    """Weights are W (taps * channels, filters) of each group, and its b."""
    use_bias, _, pool_size = (*options, *(True, True, None)[len(options) :])
    settings = zip(x.shape[1:-1], kernel_size, strides, dilation_rate, strict=True)
    borders = [padding_of(*its, padding) for its in settings]
    x = np.pad(x, [(0, 0), *borders, (0, 0)])
    shape = [
        (size - (k - 1) * dilation - 1) // stride + 1
        for size, k, stride, dilation in zip(x.shape[1:-1], kernel_size, strides, dilation_rate, strict=True)
    ]
    taps = [
        tuple(
            slice(t * dilation, t * dilation + (n - 1) * stride + 1, stride)
            for t, n, stride, dilation in zip(tap, shape, strides, dilation_rate, strict=True)
        )
        for tap in np.ndindex(*kernel_size)
    ]
    sums, channels, n_arrays = [], x.shape[-1] // groups, 1 + use_bias
    for group in range(groups):
        W, *b = weights[group * n_arrays : (group + 1) * n_arrays]
        of_group = x[..., group * channels : (group + 1) * channels]
        terms = np.concatenate([of_group[(slice(None), *tap)] for tap in taps], axis=-1)
        sums.append(terms @ W + sum(b))
    made = ACTIVATIONS[activation][0](np.concatenate(sums, axis=-1))
    if pool_size is not None:
        made, _, _ = LAYERS["max_pooling"][0](made, [], pool_size)
    return made, made, weights


def _reshape(x, weights, shape, activation="identity"):
    made = ACTIVATIONS[activation][0](x.reshape(len(x), *shape))
    return made, made, weights


def window_spans(n, pool, stride, padding):
    """Where each window along an axis of n positions begins and ends, without what is beyond the axis: as in Keras."""
    if padding == "valid":
        starts = range(0, n - pool + 1, stride)
    else:
        n_windows = math.ceil(n / stride)
        before = max((n_windows - 1) * stride + pool - n, 0) // 2
        starts = range(-before, n_windows * stride - before, stride)
    return [(max(start, 0), min(start + pool, n)) for start in starts]


def _pooling(reduce):
    def pooled(x, weights, pool_size, strides=None, padding="valid"):
        axes = zip(x.shape[1:-1], pool_size, strides or pool_size, strict=True)
        spans = [window_spans(*axis, padding) for axis in axes]
        made = np.empty((len(x), *map(len, spans), x.shape[-1]))
        for at in np.ndindex(made.shape[1:-1]):
            window = x[:, *(slice(*span[i]) for span, i in zip(spans, at, strict=True))]
            made[:, *at] = reduce(window, axis=tuple(range(1, x.ndim - 1)))
        return made, made, weights

    return pooled


def _global_pooling(reduce):
    def pooled(x, weights):
        made = reduce(x, axis=tuple(range(1, x.ndim - 1)))
        return made, made, weights

    return pooled


def _rescaling(x, weights, scale, offset=0.0):
    made = x * scale + offset
    return made, made, weights


def _layer_normalization(x, weights, epsilon, activation="identity", trainable=True):
    gamma, beta = weights
    normal = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + epsilon)
    made = ACTIVATIONS[activation][0](normal * gamma + beta)
    return made, made, weights


def _batch_normalization(x, weights, momentum, epsilon, activation="identity", trainable=True):
    """Weights are gamma, beta, and the moving mean and variance. Each position of each sample counts once."""
    gamma, beta, moving_mean, moving_variance = weights
    f = ACTIVATIONS[activation][0]
    predicted = f((x - moving_mean) / np.sqrt(moving_variance + epsilon) * gamma + beta)
    if not trainable:
        return predicted, predicted, weights
    axes = tuple(range(x.ndim - 1))
    mean, variance = x.mean(axis=axes), x.var(axis=axes)
    moved = [momentum * old + (1 - momentum) * new for old, new in ((moving_mean, mean), (moving_variance, variance))]
    return f((x - mean) / np.sqrt(variance + epsilon) * gamma + beta), predicted, [gamma, beta, *moved]


_N_GATES = {"simple": 1, "gru": 3, "lstm": 4}


def keras_weights(arrays, cell, n_directions, use_bias=True):
    """The weights of a recurrent layer as Keras lists them, from the engine's: a matrix of each gate, and its bias."""
    rest, weights = iter(arrays), []
    for _ in range(n_directions):
        biases = []
        for has_bias in (use_bias, use_bias and cell == "gru"):
            gates = [[next(rest) for _ in range(1 + has_bias)] for _ in range(_N_GATES[cell])]
            matrix, *bias = (np.concatenate(parts, axis=-1) for parts in zip(*gates, strict=True))
            weights.append(matrix)
            biases += bias
        if use_bias:
            weights.append(np.stack(biases) if cell == "gru" else biases[0])
    return weights


def recurrent_pass(
    batch, arrays, cell, units, activation, recurrent_activation, return_sequences, direction, dropout,
    recurrent_dropout, use_bias=True, trainable=True, **states,
):  # fmt: skip
    """What a recurrent layer of the engine makes of sequences, without dropout: a Pass of recurrent_reference.py."""
    from recurrent_reference import RECURRENT_LAYERS  # which needs this module

    kind = {"simple": "simple_rnn"}.get(cell, cell)
    settings = {"activation": activation, "return_sequences": return_sequences, **states}
    if cell != "simple":
        settings["recurrent_activation"] = recurrent_activation
    if direction in ("forward", "backward"):
        weights = keras_weights(arrays, cell, 1, use_bias)
        return RECURRENT_LAYERS[kind](batch, weights, go_backwards=direction == "backward", **settings)
    weights = keras_weights(arrays, cell, 2, use_bias)
    return RECURRENT_LAYERS["bidirectional"](batch, weights, kind, direction, **settings)


def _recurrent(x, weights, *settings):
    # A step of all samples at a time: what the cells compute of one, they compute of many.
    made = recurrent_pass([x.swapaxes(0, 1)], weights, *settings).values[0]
    made = made.swapaxes(0, 1) if made.ndim == 3 else made
    return made, made, weights


def _embedding(x, weights, input_dim, output_dim, trainable=True):
    (vectors,) = weights
    made = vectors[x[..., 0].astype(int)]
    return made, made, weights


LAYERS = {
    "recurrent": (
        _recurrent,
        [
            (
                (4, 3),
                [
                    ("recurrent", "gru", 5, "tanh", "logistic", True, "concat", 0.0, 0.0),
                    ("recurrent", "simple", 17, "elu", "identity", True, "backward", 0.0, 0.0, False),
                    ("recurrent", "lstm", 4, "tanh", "logistic", False, "forward", 0.0, 0.0),
                    ("dense", 2, "identity"),
                ],
            ),
            (
                (3, 2),
                [
                    ("dense", 3, "tanh"),
                    ("recurrent", "lstm", 3, "tanh", "logistic", True, "mul", 0.0, 0.0, True, False),
                    ("layer_normalization", 1e-3),
                    ("recurrent", "gru", 6, "logistic", "tanh", False, "ave", 0.0, 0.0),
                    ("dense", 2, "identity"),
                ],
            ),
        ],
    ),
    "batch_normalization": (
        _batch_normalization,
        [
            (
                (5,),
                [
                    ("batch_normalization", 0.9, 1e-3, "tanh"),
                    ("dense", 7, "identity"),
                    ("batch_normalization", 0.99, 1e-2, "relu"),
                    ("dense", 3, "identity"),
                ],
            ),
            (
                (5,),
                [
                    ("dense", 37, "elu"),
                    ("batch_normalization", 0.0, 1e-3),
                    ("batch_normalization", 0.8, 1e-3, "silu"),
                    ("dense", 6, "identity"),
                    ("batch_normalization", 0.7, 1e-2, "elu", False),
                    ("dense", 3, "identity"),
                    ("batch_normalization", 0.7, 1e-2),
                ],
            ),
            (
                (6, 7, 2),
                [
                    ("convolution", 3, (3, 2), (1, 1), "valid", (1, 1), 1, "identity"),
                    ("batch_normalization", 0.9, 1e-3, "tanh"),
                    ("convolution", 17, (1, 1), (1, 1), "same", (1, 1), 1, "logistic"),
                    ("batch_normalization", 0.9, 1e-3, "silu"),
                    ("convolution", 2, (1, 1), (1, 1), "same", (1, 1), 1, "identity"),
                    ("batch_normalization", 0.9, 1e-3, "identity", False),
                    ("convolution", 4, (4, 6), (1, 1), "valid", (1, 1), 1, "tanh"),
                    ("batch_normalization", 0.9, 1e-2, "relu"),
                    ("convolution", 2, (1, 1), (1, 1), "valid", (1, 1), 1, "identity"),
                ],
            ),
            (
                (4, 3),
                [
                    ("batch_normalization", 0.9, 1e-3),
                    ("dense", 8, "elu"),
                    ("batch_normalization", 0.9, 1e-3, "tanh"),
                    ("convolution", 3, (4,), (1,), "valid", (1,), 1, "identity"),
                ],
            ),
        ],
    ),
    "convolution": (
        _convolution,
        [
            (
                (6, 7, 2),
                [
                    ("convolution", 3, (3, 2), (1, 1), "valid", (1, 1), 1, "relu"),
                    ("convolution", 20, (2, 3), (1, 1), "same", (1, 1), 1, "tanh"),
                    ("convolution", 5, (4, 6), (1, 1), "valid", (1, 1), 1, "gelu"),
                    ("convolution", 2, (1, 1), (1, 1), "valid", (1, 1), 1, "identity"),
                ],
            ),
            (
                (9, 8, 4),
                [
                    ("convolution", 6, (3, 3), (2, 3), "same", (1, 1), 2, "silu"),
                    ("convolution", 4, (2, 2), (1, 1), "same", (2, 1), 2, "logistic", False),
                    ("convolution", 2, (5, 3), (1, 1), "valid", (1, 1), 1, "identity"),
                ],
            ),
            (
                (11, 3),
                [
                    ("convolution", 5, (3,), (1,), "causal", (2,), 1, "elu"),
                    ("convolution", 4, (4,), (3,), "same", (1,), 1, "tanh"),
                    ("dense", 6, "relu"),
                    ("convolution", 3, (4,), (1,), "valid", (1,), 1, "identity"),
                ],
            ),
            (
                (13, 12, 2),
                [
                    ("convolution", 20, (3, 3), (1, 1), "same", (1, 1), 1, "relu", True, True, (2, 3)),
                    ("convolution", 4, (2, 3), (1, 1), "valid", (1, 1), 2, "leaky_relu", False, True, (2, 1)),
                    ("reshape", (16,)),
                    ("dense", 3, "identity"),
                ],
            ),
        ],
    ),
    "dense": (
        _dense,
        [
            ((5,), [("dense", 7, "tanh"), ("dense", 20, "gelu"), ("dense", 3, "identity")]),
            ((1, 5), [("dense", 9, "logistic"), ("dense", 3, "identity")]),
            ((5,), [("dense", 20, "softplus", False), ("dense", 9, "tanh", True, False), ("dense", 3, "identity")]),
        ],
    ),
    "reshape": (
        _reshape,
        [
            ((3, 4), [("reshape", (12,)), ("dense", 9, "tanh"), ("reshape", (9,), "gelu"), ("dense", 3, "identity")]),
            # From rows that are padded, and to such rows.
            ((3, 4), [("dense", 5, "tanh"), ("reshape", (5, 3), "silu"), ("dense", 2, "identity"), ("reshape", (10,))]),
            (
                (5,),
                [
                    ("dense", 24, "tanh"),
                    ("reshape", (4, 3, 2)),
                    ("max_pooling", (2, 2), (1, 1), "same"),
                    ("average_pooling", (2, 1)),
                    ("reshape", (12,)),
                    ("dense", 3, "identity"),
                ],
            ),
        ],
    ),
    "max_pooling": (
        _pooling(np.max),
        [
            ((5, 6, 3), [("dense", 4, "tanh"), ("max_pooling", (2, 2)), ("reshape", (24,)), ("dense", 2, "identity")]),
            (
                (7, 2),
                [
                    ("dense", 17, "tanh"),
                    ("max_pooling", (3,), (2,), "same"),
                    ("global_average_pooling",),
                    ("dense", 2, "identity"),
                ],
            ),
            ((4, 5, 1), [("max_pooling", (2, 3), (1, 2)), ("reshape", (6,)), ("dense", 3, "identity")]),
        ],
    ),
    "average_pooling": (
        _pooling(np.mean),
        [
            (
                (5, 4, 3),
                [
                    ("dense", 4, "tanh"),
                    ("average_pooling", (3, 2), (2, 3), "same"),
                    ("reshape", (24,)),
                    ("dense", 2, "identity"),
                ],
            ),
            (
                (7, 2),
                [("dense", 17, "tanh"), ("average_pooling", (2,)), ("global_max_pooling",), ("dense", 2, "identity")],
            ),
        ],
    ),
    "global_max_pooling": (
        _global_pooling(np.max),
        [((3, 5, 2), [("dense", 18, "tanh"), ("global_max_pooling",), ("dense", 2, "identity")])],
    ),
    "global_average_pooling": (
        _global_pooling(np.mean),
        [((41, 2), [("dense", 3, "tanh"), ("global_average_pooling",), ("dense", 2, "identity")])],
    ),
    "rescaling": (
        _rescaling,
        [
            ((5,), [("rescaling", 0.5, -1.0), ("dense", 9, "tanh"), ("rescaling", -2.0), ("dense", 3, "identity")]),
            (
                (3, 2),
                [
                    ("rescaling", 2.0),
                    ("rescaling", -0.5, 0.1),
                    ("dense", 4, "tanh"),
                    ("rescaling", 1.5, 0.2),
                    ("global_max_pooling",),
                    ("dense", 2, "identity"),
                ],
            ),
        ],
    ),
    "embedding": (
        _embedding,
        [
            ((4, 1), [("embedding", 9, 3), ("global_average_pooling",), ("dense", 2, "identity")]),
            # More tokens than one task of a step has, and more channels than a panel.
            ((1, 1), [("embedding", 140, 35), ("reshape", (35,), "tanh"), ("dense", 2, "identity")]),
            (
                (5, 1),
                [
                    ("embedding", 7, 20),
                    ("convolution", 3, (3,), (1,), "valid", (1,), 1, "tanh"),
                    ("reshape", (9,)),
                    ("dense", 2, "identity"),
                ],
            ),
            ((3, 1), [("embedding", 5, 4, False), ("dense", 3, "tanh"), ("reshape", (9,))]),
            ((2, 1), [("embedding", 6, 4), ("reshape", (8,))]),
        ],
    ),
    "layer_normalization": (
        _layer_normalization,
        [
            ((5,), [("dense", 20, "tanh"), ("layer_normalization", 1e-3, "gelu"), ("dense", 3, "identity")]),
            (
                (4, 3),
                [
                    ("layer_normalization", 0.1),
                    ("dense", 5, "tanh"),
                    ("layer_normalization", 1e-3, "silu", False),
                    ("max_pooling", (2,)),
                    ("layer_normalization", 1e-3),
                    ("global_average_pooling",),
                    ("dense", 2, "identity"),
                ],
            ),
        ],
    ),
}


def random_samples(input_shape, description, rng, n):
    """Rows that the first layer can read."""
    n_features, (kind, *settings) = math.prod(input_shape), description[0]
    if kind == "embedding":
        return rng.integers(0, settings[0], (n, n_features)).astype(float)
    return rng.normal(size=(n, n_features))


def through_layers(description, weights, x, training=True, masks=None):
    """What a network's layers make of a batch, one after the other; and their weights after it.

    weights has a list for each layer. masks, one per hidden layer, multiply what it makes: dropout, of rows.
    """
    after, masks = [], [1.0] * len(description) if masks is None else [*masks, 1.0]
    for (kind, *settings), layer_weights, mask in zip(description, weights, masks, strict=True):
        trained, predicted, new_weights = LAYERS[kind][0](x, layer_weights, *settings)
        x = trained if training else predicted
        x = (x.reshape(-1, x.shape[-1]) * mask).reshape(x.shape)
        after.append(new_weights)
    return x, after


# -- the network ------------------------------------------------------------------------------------------------------


def forward(coefs, intercepts, activations, X, masks=None):
    """Each layer's sums z = x W + b, the last being the logits, and each layer's inputs x.

    masks, one per hidden layer, multiply what it makes of its sums: dropout.
    """
    inputs, sums = [np.asarray(X, float)], []
    masks = [1.0] * len(activations) if masks is None else masks
    for W, b, name, mask in zip(coefs, intercepts, [*activations, "identity"], [*masks, 1.0], strict=True):
        sums.append(inputs[-1] @ W + b)
        inputs.append(ACTIVATIONS[name][0](sums[-1]) * mask)
    return sums, inputs[:-1]


def gradients(coefs, intercepts, activations, loss, X, targets, weights=None, l2=0.0, masks=None):
    """A batch's loss, with its penalty, summed; the gradients of the mean loss by every W, and by every b.

    loss has name, head, settings and groups, as the engine's has. A batch whose weights add up to 0 has neither loss
    nor gradient.
    """
    sums, inputs = forward(coefs, intercepts, activations, X, masks)
    setting = loss.settings[0] if loss.name == "softmax" else loss.settings
    groups = loss.groups if loss.name == "softmax" else None
    value, delta = loss_and_gradient(loss.name, loss.head, sums[-1], targets, weights, setting, groups)
    value += 0.5 * l2 * sum((W**2).sum() for W in coefs)
    total = len(X) if weights is None else np.reshape(weights, (len(X), -1)).mean(axis=1).sum()
    scale = 1 / total if total > 0 else 0.0
    masks = [1.0] * len(activations) if masks is None else masks
    coef_grads, intercept_grads = [], []
    for i in reversed(range(len(coefs))):
        coef_grads.insert(0, (inputs[i].T @ delta + l2 * coefs[i]) * scale)
        intercept_grads.insert(0, delta.sum(axis=0) * scale)
        if i > 0:
            delta = (delta @ coefs[i].T) * masks[i - 1] * ACTIVATIONS[activations[i - 1]][1](sums[i - 1])
    return value * len(X) * scale, coef_grads, intercept_grads


def train(
    network_weights,
    activations,
    loss,
    X,
    targets,
    order,
    batch_size,
    optimizer,
    *,
    weights=None,
    rates=None,
    clip_norm=np.inf,
    masks=None,
    **settings,
):
    """What Trainer.run does with X[order]: the new weights, the summed loss, and the memories, laid out as weights.

    masks(step, n_rows) returns the dropout masks of a step. settings are an Optimizer's: learning_rate, l2, decay_1,
    decay_2, epsilon, weight_decay.
    """
    defaults = dict.fromkeys(("l2", "decay_1", "decay_2", "epsilon", "weight_decay", "step"), 0.0)
    o = SimpleNamespace(**{**defaults, **settings})
    base_rate = o.learning_rate
    n_layers, total = len(network_weights[0]), 0.0
    parameters = [np.array(p, float) for group in network_weights for p in group]
    memories = [[np.zeros_like(p), np.zeros_like(p)] for p in parameters]

    def by_group(arrays):
        return arrays[:n_layers], arrays[n_layers:]

    for number, first in enumerate(range(0, len(order), batch_size)):
        batch = order[first : first + batch_size]
        o.step += 1
        batch_weights = None if weights is None else weights[batch]
        batch_masks = None if masks is None else masks(o.step, len(batch))
        value, *grads = gradients(
            *by_group(parameters), activations, loss, X[batch], targets[batch], batch_weights, o.l2, batch_masks
        )
        if optimizer == "accumulate":  # sums, not means
            total_weight = len(batch) if weights is None else np.reshape(batch_weights, (len(batch), -1)).mean(1).sum()
            grads = [[g * total_weight for g in group] for group in grads]
            value *= total_weight / len(batch)
        total += value
        grads = [*grads[0], *grads[1]]
        norm = np.sqrt(sum((g**2).sum() for g in grads))
        scale = min(1.0, clip_norm / norm) if norm > 0 else 1.0
        o.learning_rate = base_rate * (1.0 if rates is None else rates[number])
        for i, grad in enumerate(grads):
            if i < n_layers:
                parameters[i] = parameters[i] * (1 - o.learning_rate * o.weight_decay)
            parameters[i] = OPTIMIZERS[optimizer](o, grad * scale, parameters[i], memories[i])
    return by_group(parameters), total, [by_group(list(memory)) for memory in zip(*memories, strict=True)]
