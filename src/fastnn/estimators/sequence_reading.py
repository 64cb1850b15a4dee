"""X of a network of layers as the engine reads it: rows of one shape, or sequences of any length."""

import math

import numpy as np
import scipy.sparse as sp

from fastnn.data.inputs import as_rows
from fastnn.data.per_step import Steps
from fastnn.data.ragged import Sequences
from fastnn.data.sequence_forms import as_sequences, holds_ragged
from fastnn.layers import Masking
from fastnn.layers.chain import deciding_layer, named
from fastnn.layers.embedding import check_tokens, embedding_of, steps_to_keep


def reads_sequences(layers):
    """Whether the layers say that X is sequences."""
    i = deciding_layer(layers)
    return i is not None and layers[i].reads == "sequence"


def may_read_sequences(layers):
    """Whether a signal between the layers may be a sequence."""
    return any(layer is not None and (layer.reads == "sequence" or layer.reshapes) for layer in layers)


def arranged(X, layers, takes_ragged):
    """X as Sequences, or with a row for each sample; and the shape of a sample, None where X has rows already.

    Parameters
    ----------
    X : object
        As the user gave it.
    layers : sequence of Layer or None
    takes_ragged : bool
        Whether lists of sequences are such of any length, and not of one.

    Returns
    -------
    X : Sequences or object
    shape : tuple of int or None
    """
    sequences = as_sequences(X) if reads_sequences(layers) or holds_ragged(X) else None
    if sequences is None:
        return as_rows(X)
    sequences.check()
    lengths, n_channels = sequences.lengths, sequences.shape[2]
    if takes_ragged or (lengths != lengths[0]).any():
        return sequences, (None, n_channels)
    values = sequences.values[sequences.starts[0] : sequences.starts[-1]]
    return as_rows(values.reshape(len(lengths), lengths[0], n_channels))


def fed(X, shape, chain):
    """X as the engine reads it, without the steps that layers leave out; and the Steps of the outputs, or None.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features), or Sequences
        Checked.
    shape : tuple of int
        The shape of a sample in X.
    chain : Chain

    Returns
    -------
    X : ndarray, CSR matrix or Sequences
    steps : Steps or None
    lengths : ndarray of int or None
        The number of steps of each of the Sequences that are returned.

    Raises
    ------
    ValueError
        For what is not a token, and for sequences of which a layer would leave no step.
    """
    keep = lengths_of_X = lengths = None
    if None in chain.input_shape:
        if not isinstance(X, Sequences):
            X = Sequences.from_array(_dense(X).reshape(X.shape[0], *shape))
        keep = steps_to_keep(chain.layers, X.values[X.starts[0] : X.starts[-1]])
        _check_tokens(X if keep is None or not _masks(chain.layers) else X.kept(keep), chain)
        if keep is not None:
            lengths_of_X, X = X.lengths, X.kept(keep)
        lengths = X.lengths
        chain.check_lengths(lengths)
    else:
        _check_tokens(X, chain)
    if not chain.ends_in_sequence:
        return X, None, lengths
    made = chain.output_lengths(np.zeros(X.shape[0], dtype=np.intp) if lengths is None else lengths)
    return X, Steps(made, lengths_of_X, keep), lengths


def _masks(layers):
    """Whether steps are left out that may have no tokens."""
    return any(isinstance(layer, Masking) for layer in layers)


def _dense(X):
    return X.toarray() if sp.issparse(X) else X


def _check_tokens(X, chain):
    embedding = embedding_of(chain.layers)
    if embedding is None:
        return
    name = named(chain.layers, chain.layers.index(embedding))
    if isinstance(X, Sequences):
        check_tokens(X.values, X.starts, embedding.input_dim, name)
    else:
        check_tokens(_dense(X), None, embedding.input_dim, name)


def removes_steps(layers):
    """Whether layers leave steps out of X."""
    return any(layer is not None and layer.removes_steps for layer in layers)


def shape_of_rows(n_columns, shape):
    """The shape of a sample in rows: that of samples in fit, if it has as many numbers; else a series."""
    return shape if None not in shape and math.prod(shape) == n_columns else (n_columns, 1)


def any_length(shape):
    """The shape of a sequence of any length: of one, and of what has other axes, as it is."""
    return (None, *shape[1:]) if len(shape) in (1, 2) else shape


def samples_of(shape):
    """The shape of samples, for messages."""
    return f"(n_samples, {', '.join('n_steps' if size is None else str(size) for size in shape)})"
