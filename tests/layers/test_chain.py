"""From layers to the engine's: shapes, descriptions, what X is, and what does not fit."""

import numpy as np
import pytest

from fastnn.layers import (
    Activation,
    AveragePooling1D,
    AveragePooling2D,
    BatchNormalization,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling1D,
    LayerNormalization,
    MaxPooling1D,
    MaxPooling2D,
    Rescaling,
    Reshape,
)
from fastnn.layers.chain import Chain, check_layers, sample_shape

OUTPUT = ("dense", 3, "identity")


def chain(layers, shape, **settings):
    check_layers(layers)
    return Chain(layers, sample_shape(layers, shape), 3, **settings)


@pytest.mark.parametrize(
    ("layers", "shape", "input_shape", "description"),
    [
        ([], (5,), (5,), []),
        ([Dense(7)], (5,), (5,), [("dense", 7, "relu")]),
        ([Dense(7)], (5, 4, 3), (60,), [("dense", 7, "relu")]),
        ([Dense(7, "linear", use_bias=False)], (5,), (5,), [("dense", 7, "identity", False)]),
        ([Dense(7, "sigmoid", trainable=False)], (5,), (5,), [("dense", 7, "logistic", True, False)]),
        ([Flatten(), Dense(7), None], (5, 4), (20,), [("dense", 7, "relu")]),
        (
            [Conv2D(4, 3)],
            (8, 8),
            (8, 8, 1),
            [("convolution", 4, (3, 3), (1, 1), "valid", (1, 1), 1, "relu"), ("reshape", (144,), "identity")],
        ),
        (
            [Conv2D(4, (3, 2), strides=2, padding="same", groups=2, activation="swish", use_bias=False), Dense(2)],
            (8, 7, 6),
            (8, 7, 6),
            [
                ("convolution", 4, (3, 2), (2, 2), "same", (1, 1), 2, "silu", False),
                ("reshape", (64,), "identity"),
                ("dense", 2, "relu"),
            ],
        ),
        (
            [Dense(2), Conv1D(4, 3, padding="causal"), MaxPooling1D(2, strides=1), GlobalMaxPooling1D()],
            (9,),
            (9, 1),
            [
                ("dense", 2, "relu"),
                ("convolution", 4, (3,), (1,), "causal", (1,), 1, "relu"),
                ("max_pooling", (2,), (1,), "valid"),
                ("global_max_pooling",),
            ],
        ),
        (
            [Rescaling(0.5), AveragePooling2D(), GlobalAveragePooling2D()],
            (8, 8, 3),
            (8, 8, 3),
            [
                ("rescaling", 0.5, 0.0),
                ("average_pooling", (2, 2), (2, 2), "valid"),
                ("global_average_pooling",),
            ],
        ),
        (
            [Reshape((4, 5)), Conv1D(2, 2, activation=None), Flatten()],
            (20,),
            (20,),
            [
                ("reshape", (4, 5), "identity"),
                ("convolution", 2, (2,), (1,), "valid", (1,), 1, "identity"),
                ("reshape", (6,), "identity"),
            ],
        ),
        (
            [BatchNormalization(), LayerNormalization(trainable=False)],
            (5,),
            (5,),
            [("batch_normalization", 0.99, 1e-3, "identity"), ("layer_normalization", 1e-3, "identity", False)],
        ),
    ],
)
def test_descriptions(layers, shape, input_shape, description):
    made = chain(layers, shape)
    assert made.input_shape == input_shape
    assert made.description == (*description, OUTPUT)
    assert len(made.links) == len(layers) + 1
    assert made.dropout == (0.0,) * len(description)


@pytest.mark.parametrize(
    ("layers", "description", "dropout", "depths"),
    [
        ([Dense(7), Dropout(0.2)], [("dense", 7, "relu")], (0.2,), [1, 1]),
        ([Dense(7), Dropout(0)], [("dense", 7, "relu")], (0.0,), [1, 1]),
        (
            [Dense(7), Dropout(0.2), Dropout(0.1)],
            [("dense", 7, "relu"), ("reshape", (7,), "identity")],
            (0.2, 0.1),
            [1, 1, 2],
        ),
        ([Dropout(0.1)], [("reshape", (5,), "identity")], (0.1,), [1]),
        (
            [Rescaling(2), Dropout(0.1)],
            [("rescaling", 2.0, 0.0), ("reshape", (5,), "identity")],
            (0.0, 0.1),
            [1, 2],
        ),
        ([Dense(7, None), Activation("tanh"), Dropout(0.3)], [("dense", 7, "tanh")], (0.3,), [None, 1, 1]),
        ([Dense(7, None), Activation(None)], [("dense", 7, "identity")], (0.0,), [1, 1]),
        (
            [Dense(7), Activation("tanh")],
            [("dense", 7, "relu"), ("reshape", (7,), "tanh")],
            (0.0, 0.0),
            [1, 2],
        ),
        (
            [Dense(7, None), Dropout(0.3), Activation("tanh")],
            [("dense", 7, "identity"), ("reshape", (7,), "tanh")],
            (0.3, 0.0),
            [1, 1, 2],
        ),
        ([Activation("tanh")], [("reshape", (5,), "tanh")], (0.0,), [1]),
        (
            [BatchNormalization(), Activation("relu")],
            [("batch_normalization", 0.99, 1e-3, "relu")],
            (0.0,),
            [None, 1],
        ),
    ],
)  # fmt: skip
def test_what_the_engine_does_in_one_pass(layers, description, dropout, depths):
    made = chain(layers, (5,))
    assert made.description == (*description, OUTPUT)
    assert made.dropout == dropout
    assert [link.depth for link in made.links[:-1]] == depths


def test_unfused_each_layer_has_an_output():
    layers = [None, Flatten(), Dense(7, None), Activation("tanh"), Dropout(0), Activation(None)]
    made = chain(layers, (5,)).unfused()
    assert [link.depth for link in made.links] == [1, 2, 3, 4, 5, 6, 7]
    assert made.weight_shapes() == chain(layers, (5,)).weight_shapes()


@pytest.mark.parametrize("n", range(1, 12))
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_valid_windows_are_those_that_fit(n, stride, dilation, size):
    starts = [i for i in range(0, n, stride) if i + (size - 1) * dilation < n]
    layer = Conv1D(2, size, strides=stride, dilation_rate=dilation)
    if starts:
        assert layer.output_shape((n, 1)) == (len(starts), 2)
    else:
        with pytest.raises(ValueError, match=f"kernel_size must be at most {(n - 1) // dilation + 1} for Conv1D"):
            layer.output_shape((n, 1))
    for padding in ("same", "causal"):
        layer = Conv1D(2, size, strides=stride, dilation_rate=dilation, padding=padding)
        assert layer.output_shape((n, 1)) == (len(range(0, n, stride)), 2)


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        (["relu"], (5,), r"layers\[0\] must be a layer of fastnn.layers, such as Dense\(100\), or None, got 'relu'"),
        ([Dense], (5,), r"layers\[0\] must be a layer"),
        ([Dense(3), Dense(-1)], (5,), r"layers\[1\].units must be an integer .*, got -1"),
        ([Conv2D(4, 3)], (64,), r"X must have shape \(n_samples, height, width, channels\) for layers\[0\], "
         r"Conv2D\(4, 3\), got \(n_samples, 64\): give X all of these axes, or set input_shape"),
        ([Dense(3), Conv1D(4, 3)], (8, 8, 3), r"X must have shape \(n_samples, steps, channels\) for layers\[1\], "
         r"Conv1D\(4, 3\), got \(n_samples, 8, 8, 3\)"),
        ([Flatten(), Conv1D(4, 3)], (8, 3), r"layers\[1\], Conv1D\(4, 3\), must read a sequence \(steps, channels\), "
         r"got shape \(24,\)"),
        ([Conv2D(4, 3), Dense(2), MaxPooling2D()], (8, 8, 1), r"layers\[2\], MaxPooling2D\(\), must read a map "
         r"\(height, width, channels\), got shape \(2,\)"),
        ([Conv2D(4, 3), MaxPooling2D((3, 7))], (8, 8, 1), r"layers\[1\].pool_size must be at most \(6, 6\) for "
         r"MaxPooling2D over a map of shape \(6, 6, 4\), got \(3, 7\)"),
        ([AveragePooling1D(9)], (8,), r"layers\[0\].pool_size must be at most 8 for AveragePooling1D over a "
         r"sequence of shape \(8, 1\), got 9"),
        ([Conv2D(4, 3, dilation_rate=4)], (8, 9, 1), r"layers\[0\].kernel_size must be at most \(2, 3\) for Conv2D "
         r"with dilation_rate=4 over a map of shape \(8, 9, 1\), got 3"),
        ([Conv2D(4, 3, groups=2)], (8, 8, 3), r"layers\[0\].groups must divide the 3 channels of Conv2D, which reads "
         r"shape \(8, 8, 3\), got 2"),
        ([Conv2D(5, 3, groups=2)], (8, 8, 4), r"layers\[0\].groups must divide the 5 filters of Conv2D"),
        ([Reshape((4, 5))], (8, 3), r"layers\[0\].target_shape must have 24 numbers for Reshape of shape \(24,\), got "
         r"\(4, 5\)"),
        ([Conv2D(2**31 - 1, 3)], (8, 8, 1), r"layers\[0\] must have at most 2\*\*31 - 1 numbers .*, got shape \(6, "),
        ([Conv1D(2, 2**20 + 1, padding="causal")], (8, 1), r"layers\[0\].kernel_size must have at most 1048576 "
         r"positions, got 1048577"),
        ([AveragePooling2D(2**16, padding="same")], (8, 8, 1), r"layers\[0\].pool_size must have at most 2147483647"),
        ([Conv2D(2, (1, 2**20), padding="same")], (8, 8, 2**11), r"the weights of layers\[0\] must have at most "
         r"2\*\*31 - 1"),
    ],
)  # fmt: skip
def test_layers_that_do_not_fit(layers, shape, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        chain(layers, shape)


def test_weights_by_layer():
    made = chain(
        [Conv2D(4, (3, 2), groups=2), BatchNormalization(), MaxPooling2D(), Dense(6, use_bias=False)], (5, 5, 2)
    )
    assert made.weight_shapes() == [
        {"kernel": (3, 2, 1, 4), "bias": (4,)},
        dict.fromkeys(["gamma", "beta", "moving_mean", "moving_variance"], (4,)),
        {},
        {"kernel": (8, 6)},
        {"kernel": (6, 3), "bias": (3,)},
    ]
    weights = made.initial_weights(np.random.RandomState(0), made.gain())
    groups = [(3 * 2, 2), (2,), (3 * 2, 2), (2,)]
    assert [array.shape for array in weights] == [*groups, (4,), (4,), (4,), (4,), (8, 6), (6, 3), (3,)]
    by_layer = made.by_layer(weights)
    np.testing.assert_array_equal(by_layer[0]["kernel"][1, 0, 0], np.hstack([weights[0][2], weights[2][2]]))
    np.testing.assert_array_equal(by_layer[1]["moving_variance"], 1)
    assert not by_layer[0]["bias"].any()
    assert by_layer[4]["bias"].any()  # as scikit-learn draws it


@pytest.mark.parametrize(
    ("layers", "gain"),
    [
        ([], 6),
        ([Dense(2, "logistic"), Dense(3, "sigmoid")], 2),
        ([Dense(2, None), Activation("sigmoid"), Flatten()], 2),
        ([Dense(2, "logistic"), Dense(3)], 6),
        ([Dense(2, "logistic"), Dropout(0.2), Dropout(0.2)], 2),
    ],
)
def test_the_gain_of_initial_weights(layers, gain):
    assert chain(layers, (5,)).gain() == gain
