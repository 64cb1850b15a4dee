"""Where the steps of sequences of any length are: in X, and in what each layer makes of it."""

from typing import NamedTuple

import numpy as np


def starts_of(lengths):
    """Where each sequence begins among the rows of all, and where the last one ends.

    Parameters
    ----------
    lengths : ndarray of shape (..., n_samples)
        The numbers of steps.

    Returns
    -------
    ndarray of intp of shape (..., n_samples + 1)
    """
    starts = np.zeros((*lengths.shape[:-1], lengths.shape[-1] + 1), np.intp)
    np.cumsum(lengths, axis=-1, out=starts[..., 1:])
    return starts


def steps_by_layer(layers, lengths, numbers=None):
    """The numbers of steps of sequences in X, and in what each layer makes of them; None where it makes vectors.

    Parameters
    ----------
    layers : sequence of EngineLayer
    lengths : ndarray of intp of shape (n_samples,)
    numbers : ndarray of intp of shape (n_samples,), default=None
        The sequences' numbers, for the message. None: 0, 1, 2, ...

    Returns
    -------
    list of ndarray or None

    Raises
    ------
    ValueError
        If a sequence would have no step left.
    """
    steps = [lengths]
    for i, layer in enumerate(layers):
        steps.append(None if steps[-1] is None else layer.output_steps(steps[-1]))
        if steps[-1] is not None and len(lengths) and steps[-1].min() < 1:
            sample = int(steps[-1].argmin())
            raise ValueError(
                f"each layer must make at least 1 step of a sequence, got {steps[-1][sample]} by layer {i}, "
                f"{layer.description[0]}, of sequence {sample if numbers is None else numbers[sample]} with "
                f"{lengths[sample]} steps"
            )
    return steps


def most_steps(steps):
    """The most steps of any sequence in X, and in what each layer makes, as `steps_by_layer` has them; else 0."""
    return [0 if of_all is None else int(of_all.max()) for of_all in steps]


def most_scratch(layers, longest):
    """The most numbers that any of these layers needs for the time of one call: `longest` is of `most_steps`."""
    return max(layer.scratch_size(n_steps) for layer, n_steps in zip(layers, longest, strict=False))


def cut_by_rows(starts, most_rows, most_samples, least_samples=1):
    """Cut samples into blocks, each of as many samples as have at most so many rows, and at least so many.

    Parameters
    ----------
    starts : ndarray of intp of shape (n_samples + 1,)
    most_rows, most_samples : int
    least_samples : int, default=1

    Returns
    -------
    ndarray of intp of shape (n_blocks + 1,)
        The first sample of each block, and the number of all samples.
    """
    cuts, n_samples = [0], len(starts) - 1
    while cuts[-1] < n_samples:
        first = cuts[-1]
        fitting = int(np.searchsorted(starts, starts[first] + most_rows, side="right")) - 1
        cuts.append(min(n_samples, max(first + least_samples, min(fitting, first + most_samples))))
    return np.array(cuts, np.intp)


def sorted_by_length(order, lengths, batch_size):
    """The same batches, in each of which longer sequences come first; equal ones stay in their order.

    Neighbours are then about as long, so that recurrent layers have many samples in most steps.
    """
    batches = np.arange(len(order)) // batch_size
    return np.ascontiguousarray(order[np.lexsort((-lengths[order], batches))])


def by_batch(steps, batch_size):
    """Numbers of steps as rows of a batch each, the last of which is filled with zeros."""
    filled = np.zeros(-(-len(steps) // batch_size) * batch_size, np.intp)
    filled[: len(steps)] = steps
    return filled.reshape(-1, batch_size)


def chunk_firsts(batch_size, part_samples, chunk_samples):
    """The first sample of each chunk of a batch, of which each part begins one; and the number of a batch's samples."""
    firsts = [
        first
        for part in range(0, batch_size, part_samples)
        for first in range(part, min(part + part_samples, batch_size), chunk_samples)
    ]
    return [*firsts, batch_size]


def most_rows(starts, firsts):
    """The most rows of any chunk, in any batch.

    Parameters
    ----------
    starts : ndarray of intp of shape (n_batches, batch_size + 1)
    firsts : sequence of int
        The first sample of each chunk of a batch, and the number of a batch's samples.
    """
    return int(np.diff(starts[:, firsts], axis=1).max())


# As `Window` in segment.pxd.
WINDOW = np.dtype(
    [("first", np.uintp), ("n_samples", np.uintp), ("nth", np.uintp), ("first_step", np.uintp), ("counted", float)],
    align=True,
)


def cut_in_windows(steps, n_samples, n_steps):
    """Cut the steps of each batch's sequences into windows, which are batches themselves.

    Parameters
    ----------
    steps : ndarray of shape (n_batches, batch_size)
        The numbers of steps, in each batch the largest first, and zeros behind the last one.
    n_samples : int
        The number of sequences.
    n_steps : int
        The most steps of a window.

    Returns
    -------
    windows : ndarray of WINDOW of shape (n_windows,)
    steps : ndarray of shape (n_windows, batch_size)
    """
    windows, of_windows = [], []
    for batch, lengths in enumerate(steps):
        first = batch * len(lengths)
        per_step = min(len(lengths), n_samples - first) / lengths.sum()
        for nth, first_step in enumerate(range(0, lengths[0], n_steps)):
            left = np.clip(lengths - first_step, 0, n_steps)
            windows.append((first, np.count_nonzero(left), nth, first_step, per_step * left.sum()))
            of_windows.append(left)
    return np.array(windows, WINDOW), np.array(of_windows, np.intp)


class Placed(NamedTuple):
    """Where the steps of a run's sequences are, batch by batch; lists are for X and for what each layer makes."""

    #: The order that the sequences are taken in, a batch after the other.
    order: np.ndarray
    #: Arrays of shape (n_batches, batch_size + 1): where sequences begin among a batch's rows. None: each has one row.
    starts: list
    #: The windows that the batches are then; None: sequences are not cut.
    windows: np.ndarray | None
    #: The most rows of a batch, those of a chunk, and the most steps of a sequence, or 0.
    batch_rows: list
    chunk_rows: list
    longest: list


def place_sequences(layers, lengths, order, batch_size, part_samples, chunk_samples, truncate_steps):
    """Sort the sequences of each batch, cut them into windows if told so, and count their rows.

    Parameters
    ----------
    layers : sequence of EngineLayer
    lengths : ndarray of intp of shape (n_samples,)
    order : ndarray of intp
        The numbers of the run's sequences.
    batch_size, part_samples, chunk_samples : int
    truncate_steps : int or None

    Returns
    -------
    Placed

    Raises
    ------
    ValueError
        If a sequence would have no step left.
    """
    order = sorted_by_length(order, lengths, batch_size)
    steps = [
        None if of_all is None else by_batch(of_all, batch_size)
        for of_all in steps_by_layer(layers, lengths[order], order)
    ]
    windows = None
    if truncate_steps is not None:  # then no layer changes the number of steps
        windows, cut = cut_in_windows(steps[0], len(order), truncate_steps)
        steps = [cut] * len(steps)
    chunks = chunk_firsts(batch_size, part_samples, chunk_samples)
    starts = [None if of_all is None else starts_of(of_all) for of_all in steps]
    batch_rows = [batch_size if level is None else int(level[:, -1].max()) for level in starts]
    chunk_rows = [chunk_samples if level is None else most_rows(level, chunks) for level in starts]
    return Placed(order, starts, windows, batch_rows, chunk_rows, most_steps(steps))


def check_for_windows(network, truncate_steps):
    """Refuse networks that cannot be trained on windows of their sequences.

    Raises
    ------
    ValueError
    """
    if truncate_steps < 1:
        raise ValueError(f"truncate_steps must be at least 1, got {truncate_steps}")
    if not network.is_ragged or not network.makes_sequences():
        raise ValueError(
            "truncate_steps must be None for a network without sequences of any length, and targets for their steps, "
            f"got {truncate_steps}"
        )
    for i, layer in enumerate(network.layers):
        if layer.carried_size() is None:
            raise ValueError(
                f"truncate_steps must be None with a layer that looks ahead or skips steps, got {truncate_steps} with "
                f"layer {i}, {layer.description[0]}"
            )
