"""Embedding and Masking: tokens, steps that are left out, and their place among the layers."""

import numpy as np
import pytest

from fastnn.layers import GRU, Dense, Embedding, Masking
from fastnn.layers.embedding import check_tokens, embedding_of, steps_to_keep


def test_initial_vectors_are_keras_s():
    (vectors,) = Embedding(1000, 30).initial_weights((None, 1), np.random.RandomState(0), 6.0)
    assert vectors.shape == (1000, 30)
    assert 0.0499 < np.abs(vectors).max() <= 0.05
    (vectors,) = Embedding(9, 3, embeddings_initializer="ones").initial_weights(
        (None, 1), np.random.RandomState(0), 6.0
    )
    assert (vectors == 1).all()


def test_what_the_engine_reads_of_an_embedding():
    layer = Embedding(9, 3)
    assert layer.output_shape((None, 1)) == (None, 3)
    assert layer.output_shape((7, 1)) == (7, 3)
    assert layer.weight_shapes((7, 1)) == {"embeddings": (9, 3)}
    assert layer.operation((7, 1)).description() == ("embedding", 9, 3)
    assert Embedding(9, 3, trainable=False).operation((7, 1)).description() == ("embedding", 9, 3, False)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float16, np.float64])
def test_tokens_of_any_type(dtype):
    tokens = np.arange(10).astype(dtype)
    check_tokens(tokens, np.array([0, 4, 10]), 10, "layers[0]")
    check_tokens(tokens[:, None], np.array([0, 4, 10]), 10, "layers[0]")
    check_tokens(tokens.reshape(2, 5), None, 2**31 - 1, "layers[0]")
    check_tokens(tokens.reshape(2, 5, 1), None, 10, "layers[0]")


@pytest.mark.parametrize(
    ("tokens", "starts", "got"),
    [
        ([0, 1, 10, 3], [0, 2, 4], "10 in sequence 1 at step 0"),
        ([0, 1, 2, -1], [0, 2, 4], "-1 in sequence 1 at step 1"),
        ([99, 1, 2.5, 1], [1, 2, 4], "2.5 in sequence 1 at step 0"),
        ([1, np.nan, 99], [0, 2], "nan in sequence 0 at step 1"),
        ([1, np.inf], [0, 2], "inf in sequence 0 at step 1"),
        ([[1, 2, 3], [4, 5, 11]], None, "11 in sequence 1 at step 2"),
        ([*[0] * 100_000, 10], [0, 3, 99_990, 100_001], "10 in sequence 2 at step 10"),
        ([[0] * 7] * 20_000 + [[0, 0, 10, 0, 0, 0, 11]], None, "10 in sequence 20000 at step 2"),
    ],
)
def test_what_is_not_a_token(tokens, starts, got):
    starts = None if starts is None else np.array(starts)
    message = rf"^X must have tokens from 0 to 9, whole numbers, for layers\[0\], got {got}$"
    with pytest.raises(ValueError, match=message):
        check_tokens(np.array(tokens), starts, 10, "layers[0]")


def test_tokens_of_no_sequences():
    check_tokens(np.zeros(0), np.array([0]), 3, "layers[0]")
    check_tokens(np.zeros((0, 5)), None, 3, "layers[0]")


@pytest.mark.parametrize(
    ("layers", "kept"),
    [
        ([Masking()], [True, False, True, True]),
        ([None, Masking(-1), Dense(3)], [True, True, False, True]),
        ([Masking(2.5)], [True, True, True, True]),
    ],
)
def test_steps_of_which_all_numbers_are_the_mask_s(layers, kept):
    values = np.array([[0, 1], [0, 0], [-1, -1], [-1, 0]])
    for dtype in (np.int8, np.float32, np.float64):
        np.testing.assert_array_equal(steps_to_keep(layers, values.astype(dtype)), kept)
        np.testing.assert_array_equal(steps_to_keep(layers, values.astype(dtype)[None]), [kept])


def test_the_mask_s_number_is_rounded_as_x_is():
    assert not steps_to_keep([Masking(0.1)], np.full((3, 2), 0.1, np.float32)).any()


def test_steps_of_padding():
    tokens = np.array([[1], [0], [2], [3]])
    np.testing.assert_array_equal(steps_to_keep([Embedding(4, 2, mask_zero=True)], tokens), [True, False, True, True])
    both = [Masking(3), Embedding(4, 2, mask_zero=True)]
    np.testing.assert_array_equal(steps_to_keep(both, tokens), [True, False, True, False])
    assert steps_to_keep([Embedding(4, 2), GRU(3), None], tokens) is None


def test_which_layer_reads_tokens():
    embedding = Embedding(4, 2)
    assert embedding_of([None, Masking(), embedding]) is embedding
    assert embedding_of([GRU(3)]) is None
