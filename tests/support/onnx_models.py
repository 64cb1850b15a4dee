"""Random fitted models of every kind, with samples: for what is exported, and what is taken over."""

import math

import numpy as np

from fastnn import MLPClassifier, MLPRegressor, SequentialClassifier, SequentialRegressor, layers
from fastnn.engine.activation import activation_names, keeps_input
from fastnn.layers.chain import Chain, sample_shape

ACTIVATIONS = [name for name in activation_names if name != "exp"]  # whose outputs grow too fast in deep networks
IN_CELLS = [name for name in ACTIVATIONS if not keeps_input(name)]
N_TOKENS = 9


def one_of(rng, values):
    return values[rng.integers(len(values))]


def some(rng):
    return bool(rng.integers(2))


# -- layers ------------------------------------------------------------------------------------------------------------


def windowed(rng, shape):
    """A layer that moves a window over a map or a sequence, or pools over all of it."""
    axes, sizes = f"{len(shape) - 1}D", shape[:-1]
    kind = one_of(rng, ["Conv", "Conv", "MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling"])
    if kind.startswith("Global"):
        return getattr(layers, kind + axes)()
    paddings = ["valid", "same", "causal"] if axes == "1D" and kind == "Conv" else ["valid", "same"]
    its = {"padding": one_of(rng, paddings), "strides": tuple(int(n) for n in rng.integers(1, 4, len(sizes)))}
    rates = [int(rng.integers(1, 4)) if kind == "Conv" else 1 for _ in sizes]
    # Sequences of any length may be short, and nothing may be left of none.
    most = [
        4 if its["padding"] != "valid" else 1 if n is None else min(4, (n - 1) // rate + 1)
        for n, rate in zip(sizes, rates, strict=True)
    ]
    window = tuple(int(rng.integers(1, n + 1)) for n in most)
    if kind != "Conv":
        its["strides"] = one_of(rng, [its["strides"], None])
        return getattr(layers, kind + axes)(window, **its)
    groups = one_of(rng, [n for n in (1, 2, 3) if shape[-1] % n == 0])
    return getattr(layers, kind + axes)(
        groups * int(rng.integers(1, 5)), window, dilation_rate=tuple(rates), groups=groups,
        activation=one_of(rng, ACTIVATIONS), use_bias=some(rng), **its,
    )  # fmt: skip


def recurrent(rng, sequences=None):
    kind = one_of(rng, [layers.SimpleRNN, layers.GRU, layers.LSTM])
    its = {"return_sequences": some(rng) if sequences is None else sequences, "use_bias": some(rng)}
    bounded = ["tanh", "tanh", "logistic"]  # others may grow from step to step
    if kind is layers.SimpleRNN:
        bounded += ["relu"]
    else:
        its["recurrent_activation"] = one_of(rng, ["sigmoid", "sigmoid", "tanh"])
    if rng.random() < 0.2:
        bounded = IN_CELLS
        if "recurrent_activation" in its:  # large states, of which onnxruntime's softplus is infinite
            its["recurrent_activation"] = "sigmoid"
    units, activation = int(rng.integers(1, 6)), one_of(rng, bounded)
    if some(rng):
        return layers.Bidirectional(kind(units, activation, **its), one_of(rng, ["concat", "sum", "mul", "ave"]))
    return kind(units, activation, go_backwards=some(rng), **its)


def of_any_shape(rng):
    return one_of(
        rng,
        [
            layers.Activation(one_of(rng, ACTIVATIONS)),
            layers.Rescaling(one_of(rng, [0.5, -1.0, 1.5]), one_of(rng, [0.0, 0.25])),
            layers.LayerNormalization(epsilon=one_of(rng, [1e-3, 0.5])),
            layers.BatchNormalization(epsilon=one_of(rng, [1e-3, 0.5])),
            layers.Dropout(0.5),
            layers.Dense(int(rng.integers(1, 9)), one_of(rng, ACTIVATIONS), use_bias=some(rng)),
            None,
        ],
    )


def reshaping(rng, shape):
    n = math.prod(shape)
    height = one_of(rng, [k for k in range(1, n + 1) if n % k == 0])
    channels = one_of(rng, [k for k in (1, 2, 3) if n // height % k == 0])
    targets = [(n,), (height, n // height), (height, n // height // channels, channels)]
    return one_of(rng, [layers.Flatten(), *map(layers.Reshape, targets)])


def random_layers(rng):
    """Layers, and the shape of a sample that they read."""
    shape = one_of(rng, [(7,), (6, 3), (5, 1), (5, 6, 2), (9, 7, 1), (None, 3), (None, 1), (8, 1)])
    given, chosen = shape, []
    if len(shape) == 2:
        if some(rng) and rng.random() < 0.5:
            chosen.append(layers.Masking(one_of(rng, [0.0, 1.0])))
        if shape[-1] == 1 and some(rng):
            chosen.append(layers.Embedding(N_TOKENS, int(rng.integers(1, 5)), mask_zero=some(rng)))
        if any(layer.removes_steps for layer in chosen):
            shape = None, shape[-1]
        if chosen and isinstance(chosen[-1], layers.Embedding):
            shape = *shape[:-1], chosen[-1].output_dim
    if len(shape) > 1:  # the first layer that is not indifferent says what X is
        first = recurrent(rng) if len(shape) == 2 and some(rng) else windowed(rng, shape)
        chosen.append(first)
        shape = first.output_shape(shape)
    for _ in range(rng.integers(0, 6)):
        kinds = [of_any_shape, of_any_shape]
        kinds += [lambda rng: reshaping(rng, shape)] * (None not in shape)  # noqa: B023
        kinds += [lambda rng: windowed(rng, shape)] * 2 * (len(shape) > 1)  # noqa: B023
        kinds += [recurrent] * 2 * (len(shape) == 2)
        layer = one_of(rng, kinds)(rng)
        chosen.append(layer)
        shape = (math.prod(shape),) if isinstance(layer, layers.Dense) and len(shape) == 3 else shape
        shape = shape if layer is None else layer.output_shape(shape)
    return chosen, given


# -- models ------------------------------------------------------------------------------------------------------------

LABELS = [
    lambda n: list(range(n)),
    lambda n: [f"class {i}" for i in range(n)],
    lambda n: [float(i) for i in range(n)],
    lambda n: [False, True][:n],
]


def targets(rng):
    """The number of outputs, and how a classifier or a regressor says what they are."""
    kind = one_of(rng, ["binary", "multiclass", "multilabel", "columns", "number", "numbers", "quantiles", "counts"])
    labels = one_of(rng, LABELS[:3])
    return {
        "binary": lambda: (1, {"classes": one_of(rng, LABELS)(2)}),
        "multiclass": lambda: (4, {"classes": labels(4)}),
        "multilabel": lambda: (3, {"multilabel": True}),
        "columns": lambda: (5, {"classes": [labels(2), one_of(rng, LABELS[:2])(3)]}),
        "number": lambda: (1, {"loss": one_of(rng, ["squared_error", "huber", "absolute_error"])}),
        "numbers": lambda: (3, {"output_activation": one_of(rng, [None, "logistic", "relu", "gelu"])}),
        "quantiles": lambda: (one_of(rng, [2, 4]), {"loss": "quantile", "quantile": [0.2, 0.8]}),
        "counts": lambda: (1, {"loss": "poisson"}),
    }[kind]()


def weights_of(rng, chain, dtype):
    """Weights of a size that keeps what layers make near 1."""
    return [
        {
            name: (abs(rng.normal(1, 0.2, shape)) if name in ("gamma", "moving_variance")
                   else rng.normal(0, max(1, math.prod(shape[:-1])) ** -0.5, shape)).astype(dtype)
            for name, shape in shapes.items()
        }
        for shapes in chain.weight_shapes()
    ]  # fmt: skip


def samples(rng, chosen, shape, dtype):
    """Samples for layers: an array, or a list of sequences."""
    n = int(one_of(rng, [1, 2, 7, 33]))
    tokens = any(isinstance(layer, layers.Embedding) for layer in chosen)
    masks = any(isinstance(layer, layers.Masking) for layer in chosen)

    def one(shape):
        if tokens:
            x = rng.integers(0, N_TOKENS, shape)
        elif masks:
            x = rng.integers(0, 3, shape).astype(dtype)
        else:
            x = rng.normal(size=shape).astype(dtype)
        if masks or tokens:
            x[rng.integers(len(x))] = 2  # a step, at least, is left
        return x

    if None in shape:
        return [one((int(rng.integers(1, 9)), *shape[1:])) for _ in range(n)]
    return np.stack([one(shape) for _ in range(n)])


def random_model(rng, dtype):
    """A fitted network of random layers, weights and targets, and samples for it."""
    if rng.random() < 0.15:
        return random_mlp(rng, dtype)
    chosen, shape = random_layers(rng)
    n_outputs, its = targets(rng)
    cls = SequentialClassifier if its.keys() & {"classes", "multilabel"} else SequentialRegressor
    weights = weights_of(rng, Chain(chosen, sample_shape(chosen, shape), n_outputs), dtype)
    return cls.from_weights(chosen, weights, input_shape=shape, **its), samples(rng, chosen, shape, dtype)


def random_mlp(rng, dtype):
    sizes = [5, *(int(n) for n in rng.integers(1, 9, rng.integers(0, 4)))]
    n_outputs, its = targets(rng)
    cls = MLPClassifier if its.keys() & {"classes", "multilabel"} else MLPRegressor
    coefs = [rng.normal(0, a**-0.5, (a, b)).astype(dtype) for a, b in zip(sizes, [*sizes[1:], n_outputs], strict=True)]
    intercepts = [rng.normal(0, 0.3, coef.shape[1]).astype(dtype) for coef in coefs]
    activation = [one_of(rng, activation_names) for _ in sizes[1:]]
    model = cls.from_weights(coefs, intercepts, activation=activation, **its)
    return model, rng.normal(size=(int(one_of(rng, [1, 2, 7, 33])), 5)).astype(dtype)
