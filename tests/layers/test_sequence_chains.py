"""Chains of layers over sequences that differ in their numbers of steps."""

import numpy as np
import pytest

from fastnn.estimators.summary import rows_of
from fastnn.layers import (
    GRU,
    LSTM,
    Activation,
    AveragePooling1D,
    BatchNormalization,
    Bidirectional,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GlobalAveragePooling1D,
    GlobalMaxPooling1D,
    LayerNormalization,
    Masking,
    MaxPooling1D,
    Rescaling,
    Reshape,
    SimpleRNN,
)
from fastnn.layers.chain import Chain, check_layers, sample_shape

GRU_OF_STEPS = GRU(4, return_sequences=True)


def chain(layers, shape, **settings):
    check_layers(layers)
    return Chain(layers, sample_shape(layers, shape), 3, **settings)


@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        ([Dense(4), GRU_OF_STEPS], (None, 4)),
        ([GRU_OF_STEPS, Activation("relu"), Dropout(0.1), Dropout(0.1)], (None, 4)),
        ([GRU_OF_STEPS, BatchNormalization(), LayerNormalization(), Rescaling(2)], (None, 4)),
        ([Conv1D(5, 3, padding="causal", strides=2)], (None, 5)),
        ([MaxPooling1D(), AveragePooling1D(padding="same")], (None, 2)),
        ([Bidirectional(LSTM(3, return_sequences=True))], (None, 6)),
        ([GRU_OF_STEPS, SimpleRNN(7)], (7,)),
        ([Conv1D(5, 3), GlobalMaxPooling1D(), Dense(6)], (6,)),
        ([GlobalAveragePooling1D()], (2,)),
        ([Masking(), None, GRU_OF_STEPS], (None, 4)),
    ],
)
def test_shapes(layers, shape):
    made = chain(layers, (None, 2))
    assert made.input_shape == (None, 2)
    assert made.links[-1].input_shape == shape
    assert made.links[-1].output_shape == (*shape[:-1], 3)
    assert made.ends_in_sequence == (len(shape) == 2)
    unfused = made.unfused()
    assert unfused.links[-1].output_shape == made.links[-1].output_shape
    assert [link.depth for link in unfused.links] == [*range(1, len(layers) + 2)]


def test_univariate_series():
    assert sample_shape([GRU(3)], (7,)) == (7, 1)
    assert sample_shape([Embedding(9, 3)], (7,)) == (7, 1)
    assert sample_shape([Dense(3), Masking()], (None,)) == (None, 1)


@pytest.mark.parametrize(
    ("layers", "description", "dropout"),
    [
        (
            [GRU(4), Activation("relu"), Dropout(0.2)],
            [("recurrent", "gru", 4, "tanh", "logistic", False, "forward", 0.0, 0.0), ("reshape", (4,), "relu")],
            (0.0, 0.2),
        ),
        (
            [Embedding(9, 4), Dropout(0.3), GlobalMaxPooling1D()],
            [("embedding", 9, 4), ("global_max_pooling",)],
            (0.3, 0.0),
        ),
        (
            [Dropout(0.3), Dropout(0.1), GlobalMaxPooling1D()],
            [("reshape", None, "identity"), ("reshape", None, "identity"), ("global_max_pooling",)],
            (0.3, 0.1, 0.0),
        ),
    ],
)
def test_descriptions_of_sequences(layers, description, dropout):
    made = chain(layers, (None, 1))
    assert made.description == (*description, ("dense", 3, "identity"))
    assert made.dropout == dropout


def test_rates_of_dropout_may_change_from_fit_to_fit():
    made = chain([GRU(4, dropout=0.1), Dense(3)], (None, 1))
    assert made.has_layers_of(chain([GRU(4, recurrent_dropout=0.5, trainable=False), Dense(3)], (None, 1)).description)
    for other in (GRU(5), GRU(4, "relu"), LSTM(4), GRU(4, go_backwards=True), GRU(4, use_bias=False)):
        assert not made.has_layers_of(chain([other, Dense(3)], (None, 1)).description)


@pytest.mark.parametrize("layers", [[Masking(), GRU(4)], [Embedding(9, 3, mask_zero=True), GRU(4)]])
def test_where_steps_are_left_out_their_number_is_open(layers):
    made = chain(layers, (20, 1))
    assert made.sample_shape == (20, 1)
    assert made.input_shape == (None, 1)
    assert made.links[-1].output_shape == (3,)


def test_no_copy_is_before_an_embedding():
    made = chain([None, Masking(), Embedding(9, 3), None, GRU(4)], (None, 1)).unfused()
    assert [kind for kind, *_ in made.description] == ["embedding", "reshape", "recurrent", "dense"]
    assert [link.depth for link in made.links] == [0, 0, 1, 2, 3, 4]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("rate", [1, 2])
@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
def test_steps_are_counted_as_for_one_length(size, stride, rate, padding):
    layer = Conv1D(2, size, strides=stride, dilation_rate=rate, padding=padding)
    layers = [layer] if padding == "causal" else [layer, AveragePooling1D(2, strides=stride, padding=padding)]
    lengths = np.arange(1, 30)
    for n, made in zip(lengths, chain(layers, (None, 1)).output_lengths(lengths), strict=True):
        try:
            expected = chain(layers, (int(n), 1)).links[-1].output_shape[0]
        except ValueError:
            expected = 0
        assert made == expected


def test_lengths_layer_by_layer():
    made = chain([GRU_OF_STEPS, None, Conv1D(2, 3), MaxPooling1D(), GlobalMaxPooling1D(), Dense(6)], (None, 2))
    lengths = [3, 7, 8]
    for n_layers, expected in enumerate([lengths, lengths, lengths, [1, 5, 6], [0, 2, 3], None, None, None]):
        np.testing.assert_array_equal(made.output_lengths(lengths, n_layers), expected)
    assert made.output_lengths(lengths) is None
    fixed = chain([Conv1D(2, 3)], (9, 2))
    np.testing.assert_array_equal(fixed.output_lengths([9, 9]), [7, 7])
    shaped = chain([GlobalMaxPooling1D(), Reshape((2, 3)), GRU_OF_STEPS], (None, 6))
    np.testing.assert_array_equal(shaped.output_lengths([4, 5, 6]), [2, 2, 2])
    assert chain([Dense(3)], (9,)).output_lengths([9]) is None


@pytest.mark.parametrize(
    ("layers", "lengths", "message"),
    [
        ([Conv1D(2, 5)], [9, 5, 4, 3], r"at least 5 steps in each sequence for layers\[0\], Conv1D\(2, 5\), got 4 in "
         r"sequence 2$"),
        ([Conv1D(2, 3), MaxPooling1D(2), GRU(3)], [4, 3, 4], r"at least 4 steps in each sequence for layers\[1\], "
         r"MaxPooling1D\(\), got 3 in sequence 1$"),
        ([GRU(3)], [4, 0], r"at least 1 step in each sequence, got 0 in sequence 1$"),
        ([Masking(), GRU(3)], [4, 0], r"at least 1 step that layers\[0\], Masking\(\), does not leave out in each "
         r"sequence, got 0 in sequence 1$"),
        ([Embedding(9, 3, mask_zero=True), Conv1D(2, 3, strides=2), Conv1D(2, 2)], [4], r"at least 5 steps that "
         r"layers\[0\], Embedding\(9, 3, mask_zero=True\), does not leave out in each sequence for layers\[2\], "
         r"Conv1D\(2, 2\), got 4 in sequence 0$"),
    ],
)  # fmt: skip
def test_sequences_of_which_no_step_is_left(layers, lengths, message):
    with pytest.raises(ValueError, match=f"^X must have {message}"):
        chain(layers, (None, 1)).check_lengths(lengths)


def test_sequences_that_are_long_enough():
    chain([Conv1D(2, 3), MaxPooling1D(2), GRU(3)], (None, 1)).check_lengths([4, 5, 400])
    chain([Conv1D(2, 3, padding="same"), MaxPooling1D(2, padding="same")], (None, 1)).check_lengths([1])


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        ([Dense(3)], (None, 2), r"layers must have one that reads sequences, such as GRU\(64\) or Conv1D\(8, 3\), for "
         r"sequences that differ in their numbers of steps, got \[Dense\(3\)\]"),
        ([Flatten(), GRU(3)], (None, 2), r"layers\[0\], Flatten\(\), must read samples of one size, got sequences that "
         r"differ in their numbers of steps, of shape \(None, 2\): use GlobalMaxPooling1D\(\) instead"),
        ([GRU_OF_STEPS, Reshape((3, 4))], (None, 2), r"layers\[1\], Reshape\(\(3, 4\)\), must read samples of one "
         r"size, got .* of shape \(None, 4\): add GlobalMaxPooling1D\(\) before it"),
        ([Masking(), Flatten()], (9, 2), r"layers\[1\], Flatten\(\), must read samples of one size"),
        ([Conv2D(3, 3)], (None, 2), r"X must have shape \(n_samples, height, width, channels\) for layers\[0\], "
         r"Conv2D\(3, 3\), got \(n_samples, None, 2\)$"),
        ([GRU_OF_STEPS, Conv2D(3, 3)], (None, 2), r"layers\[1\], Conv2D\(3, 3\), must read a map \(height, width, "
         r"channels\), got shape \(None, 4\)"),
        ([GRU(3), GRU(3)], (None, 2), r"layers\[1\], GRU\(3\), must read a sequence \(steps, channels\), got shape "
         r"\(3,\)"),
        ([Dense(3), None, Masking()], (None, 2), r"layers\[2\], Masking\(\), reads X, and must be the first layer, got "
         r"it after layers\[0\], Dense\(3\)"),
        ([Masking(), Masking(1)], (None, 2), r"layers\[1\], Masking\(1\), reads X, and must be the first layer"),
        ([Rescaling(2), Embedding(9, 3)], (None, 1), r"layers\[1\], Embedding\(9, 3\), reads X, and must be the first "
         r"layer but for a Masking, got it after layers\[0\], Rescaling\(2\)"),
        ([Embedding(9, 3)], (None, 2), r"layers\[0\] must read one token at each step for Embedding, got 2 channels"),
        ([Conv1D(2, 3, groups=2)], (None, 3), r"layers\[0\].groups must divide the 3 channels of Conv1D"),
    ],
)  # fmt: skip
def test_layers_that_do_not_fit_sequences(layers, shape, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        chain(layers, shape)


@pytest.mark.parametrize(
    ("layers", "shape", "advice"),
    [
        ([GRU(3, return_sequences=True)], (9, 2), r"set return_sequences=False on layers[0], or add "
         "GlobalMaxPooling1D() or Flatten()"),
        ([GRU_OF_STEPS, Bidirectional(GRU_OF_STEPS), None, Dense(3), Dropout(0.1)], (None, 2), "set "
         "return_sequences=False on layers[1], or add GlobalMaxPooling1D()"),
        ([GRU_OF_STEPS, Conv1D(3, 3)], (9, 2), "add GlobalMaxPooling1D() or Flatten()"),
        ([Dense(3), Conv1D(3, 3), Dense(3)], (None, 2), "add GlobalMaxPooling1D()"),
    ],
)  # fmt: skip
def test_advice_where_one_vector_is_needed(layers, shape, advice):
    assert chain(layers, shape).sequence_advice() == f"the last layer gives a sequence: {advice}"


def test_the_summary_of_sequences():
    layers = [Embedding(9, 2), Bidirectional(LSTM(3, return_sequences=True, trainable=False)), GRU(4)]
    rows, totals = rows_of(chain(layers, (None, 1)), "softmax")
    n_lstm, n_gru = 2 * 4 * 3 * (2 + 3 + 1), 3 * 4 * (6 + 4 + 2)
    assert [row[1:] for row in rows] == [
        ("(None, 2)", "18"), ("(None, 6)", str(n_lstm)), ("(4,)", str(n_gru)), ("(3,)", "15")
    ]  # fmt: skip
    assert totals["Non-trainable params"] == n_lstm
