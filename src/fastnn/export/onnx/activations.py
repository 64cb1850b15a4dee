"""Activations by ONNX's operators."""

import numpy as np


def _gelu(graph, z):
    halves = graph.add("Erf", graph.add("Mul", z, graph.number(1 / np.sqrt(2))))
    cdf = graph.add("Mul", graph.add("Add", halves, graph.number(1)), graph.number(0.5))
    return graph.add("Mul", z, cdf)


def _leaky_relu(graph, z):
    if graph.dtype == np.float32:
        return graph.add("LeakyRelu", z, alpha=0.01)
    # Attributes are of float32, in which 0.01 is another number.
    return graph.add("Max", z, graph.add("Mul", z, graph.number(0.01)))


#: For each of the engine's activations, a function that adds its operators.
ACTIVATIONS = {
    "identity": lambda graph, z: z,
    "relu": lambda graph, z: graph.add("Relu", z),
    "logistic": lambda graph, z: graph.add("Sigmoid", z),
    "tanh": lambda graph, z: graph.add("Tanh", z),
    "leaky_relu": _leaky_relu,
    "elu": lambda graph, z: graph.add("Elu", z),
    "softplus": lambda graph, z: graph.add("Softplus", z),
    "exp": lambda graph, z: graph.add("Exp", z),
    "gelu": _gelu,
    "silu": lambda graph, z: graph.add("Mul", z, graph.add("Sigmoid", z)),
}

#: The names that ONNX's recurrent operators have for activations, with their alpha and beta. They lack exp.
OF_CELLS = {
    "identity": ("Affine", 1.0, 0.0),
    "relu": ("Relu", None, None),
    "logistic": ("Sigmoid", None, None),
    "tanh": ("Tanh", None, None),
    "leaky_relu": ("LeakyRelu", 0.01, None),
    "elu": ("Elu", 1.0, None),
    "softplus": ("Softplus", None, None),
}
