"""JAX: a step, and a prediction, are one jitted function each. The optimizers are written out, as JAX has none."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from workloads import (
    ADAM_DECAYS,
    EPSILON,
    RMSPROP_DECAY,
    AveragePooling2D,
    CannotRun,
    Conv2D,
    Dense,
    Dropout,
    MaxPooling2D,
)

VERSION = jax.__version__
ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh, "softmax": lambda z: z}  # softmax is a part of the loss

LAYERS = Dense, Conv2D, MaxPooling2D, AveragePooling2D, Dropout

# -- layers -----------------------------------------------------------------------------------------------------------


def initial(layer, shape, rng):
    """W and b of a layer (Glorot and Bengio 2010), or nothing."""
    match layer:
        case Dense(units, _):
            dims, field = (math.prod(shape), units), 1
        case Conv2D(filters, kernel_size, _, _):
            dims, field = (kernel_size, kernel_size, shape[-1], filters), kernel_size**2
        case _:
            return ()
    bound = math.sqrt(6 / (field * (dims[-2] + dims[-1])))
    return jnp.asarray(rng.uniform(-bound, bound, dims), jnp.float32), jnp.zeros(dims[-1])


def values(layer, parameters, x, key):
    """A layer's values; without a key, no dropout."""
    match layer:
        case Dense(_, activation):
            W, b = parameters
            return ACTIVATIONS[activation](x.reshape(len(x), -1) @ W + b)
        case Conv2D(_, _, activation, padding):
            W, b = parameters
            sums = jax.lax.conv_general_dilated(
                x, W, (1, 1), padding.upper(), dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            return ACTIVATIONS[activation](sums + b)
        case MaxPooling2D(size):
            return pooled(x, size, -jnp.inf, jax.lax.max)
        case AveragePooling2D(size):
            return pooled(x, size, 0.0, jax.lax.add) / size**2
        case Dropout(rate):
            if key is None:
                return x
            return jnp.where(jax.random.bernoulli(key, 1 - rate, x.shape), x / (1 - rate), 0)


def pooled(x, size, first, reduction):
    window = (1, size, size, 1)
    return jax.lax.reduce_window(x, first, reduction, window, window, "VALID")


# -- optimizers: state and gradients to a new state -------------------------------------------------------------------


def averaged(decay, averages, new):
    return jax.tree.map(lambda average, each: decay * average + (1 - decay) * each, averages, new)


def rmsprop(learning_rate, state, grads):
    square = averaged(RMSPROP_DECAY, state["square"], jax.tree.map(jnp.square, grads))
    moved = jax.tree.map(
        lambda w, g, s: w - learning_rate * g / (jnp.sqrt(s) + EPSILON), state["parameters"], grads, square
    )
    return state | {"parameters": moved, "square": square}


def adam(learning_rate, state, grads):
    decay_1, decay_2 = ADAM_DECAYS
    number = state["number"] + 1
    mean = averaged(decay_1, state["mean"], grads)
    square = averaged(decay_2, state["square"], jax.tree.map(jnp.square, grads))
    rate = learning_rate * jnp.sqrt(1 - decay_2**number) / (1 - decay_1**number)
    moved = jax.tree.map(lambda w, m, s: w - rate * m / (jnp.sqrt(s) + EPSILON), state["parameters"], mean, square)
    return {"parameters": moved, "mean": mean, "square": square, "number": number}


# -- the network ------------------------------------------------------------------------------------------------------


def network(workload, X, y, seed):
    for layer in workload.layers:
        if not isinstance(layer, LAYERS):
            raise CannotRun(f"JAX has no layers, and {type(layer).__name__} is not written out for it")
    rng = np.random.default_rng(seed)
    layers = [layer for layer, _ in workload.chain]
    parameters = [initial(layer, shape, rng) for layer, shape in workload.chain]

    def memory():  # an array of its own for each parameter, since a step gives its arrays away
        return jax.tree.map(jnp.zeros_like, parameters)

    state = {"parameters": parameters, "mean": memory(), "square": memory(), "number": jnp.zeros(())}
    moved = functools.partial({"rmsprop": rmsprop, "adam": adam}[workload.solver], workload.learning_rate)
    X, y = jnp.asarray(X), jnp.asarray(y)

    def logits(parameters, x, key=None):
        for i, layer in enumerate(layers):
            x = values(layer, parameters[i], x, None if key is None else jax.random.fold_in(key, i))
        return x

    def loss(parameters, x, y, key):
        return -jnp.take_along_axis(jax.nn.log_softmax(logits(parameters, x, key)), y[:, None], axis=1).mean()

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state, X, y, batch, key):
        return moved(state, jax.grad(loss)(state["parameters"], X[batch], y[batch], key))

    decided = jax.jit(lambda parameters, x: logits(parameters, x).argmax(1))

    def train(n_epochs):
        nonlocal state
        for _ in range(n_epochs):
            order, key = rng.permutation(len(X)), jax.random.key(rng.integers(2**31))
            for first in range(0, len(X), workload.batch_size):
                batch = order[first : first + workload.batch_size]
                state = step(state, X, y, batch, jax.random.fold_in(key, first))
        jax.block_until_ready(state)

    return train, lambda X: np.asarray(decided(state["parameters"], X))
