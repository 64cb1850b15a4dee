"""Sequences made from padded arrays and from frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fastnn.data.inputs import refusing
from fastnn.data.quoted import quoted

if TYPE_CHECKING:
    from typing import Any, Literal

    from numpy.typing import ArrayLike, NDArray

    from fastnn.typing import Frame


def from_padded(
    X: ArrayLike,
    lengths: ArrayLike | None = None,
    padding_value: float = np.nan,
    *,
    padding: Literal["post", "pre"] = "post",
) -> list[NDArray[Any]]:
    """The sequences of a padded array, as a list.

    Parameters
    ----------
    X : array-like of shape (n_sequences, n_steps, n_features) or (n_sequences, n_steps)
        Sequences which are padded to the length of the longest one.
    lengths : array-like of int of shape (n_sequences,), default=None
        The number of steps of each sequence. None removes the steps, at one end of each sequence, whose numbers are
        all `padding_value`.
    padding_value : float, default=nan
        What sequences are padded with. It is not used if `lengths` are given.
    padding : {"post", "pre"}, default="post"
        Whether the padding follows a sequence or comes before it.

    Returns
    -------
    list of ndarray of shape (n_steps, n_features) or (n_steps,)
        Parts of X, which are not copied.

    Raises
    ------
    ValueError
        For a sequence that would have no steps, for lengths that do not fit X, and for an X of other axes.

    Examples
    --------
    >>> import numpy as np
    >>> from fastnn.sequences import from_padded
    >>> padded = np.array([[3.0, 1.0, np.nan], [2.0, np.nan, np.nan]])
    >>> from_padded(padded)
    [array([3., 1.]), array([2.])]
    >>> from_padded([[0, 0, 5], [0, 7, 0]], padding_value=0, padding="pre")
    [array([5]), array([7, 0])]
    """
    X = np.asarray(X)
    if X.ndim not in (2, 3):
        raise ValueError(
            f"X must have shape (n_sequences, n_steps, n_features) or (n_sequences, n_steps), got {X.shape}"
        )
    if padding not in ("post", "pre"):
        raise ValueError(f"padding must be 'post' or 'pre', got {quoted(padding)}")
    n_sequences, n_steps = X.shape[:2]
    if lengths is None:
        lengths = _unpadded_lengths(X, padding_value, padding)
    lengths = np.asarray(lengths)
    if lengths.shape != (n_sequences,) or lengths.dtype.kind not in "iu":
        raise ValueError(
            f"lengths must be {n_sequences} integers, one for each sequence, got {quoted(lengths.tolist())}"
        )
    wrong = (lengths < 1) | (lengths > n_steps)
    if wrong.any():
        i = int(np.argmax(wrong))
        raise ValueError(f"X[{i}] must have 1 to {n_steps} steps that are not padding, got {lengths[i]}")
    return [
        row[:length] if padding == "post" else row[n_steps - length :] for row, length in zip(X, lengths, strict=True)
    ]


def _unpadded_lengths(X, padding_value, padding):
    is_padding = np.equal(X, padding_value) | ((X != X) & (padding_value != padding_value))  # NaN is not itself
    is_padding = is_padding.reshape(*X.shape[:2], -1).all(axis=2)
    # Counted from the padded end, the first step that is not padding has as many steps of padding before it.
    from_end = is_padding[:, ::-1] if padding == "post" else is_padding
    return X.shape[1] - np.where(from_end.all(axis=1), X.shape[1], np.argmin(from_end, axis=1))


def from_frame(frame: Frame, by: str | list[str], columns: str | list[str] | None = None) -> list[NDArray[Any]]:
    """The sequences of a frame with a row for each step, as a list.

    Parameters
    ----------
    frame : pandas.DataFrame or polars.DataFrame
        The rows of a sequence follow each other in the order of its steps. Rows of others may lie between them.
    by : str or list of str
        The column, or columns, that say which sequence a row belongs to.
    columns : str or list of str, default=None
        The columns to take. A single name gives sequences of shape (n_steps,), which labels for each step should have.
        None takes all columns but those of `by`.

    Returns
    -------
    list of ndarray of shape (n_steps, n_features) or (n_steps,)
        A sequence for each value of `by`, in the order in which the values appear. That of
        ``frame[by].drop_duplicates()`` in pandas, and of ``frame[by].unique(maintain_order=True)`` in polars, is the
        same.

    Raises
    ------
    ValueError
        For a frame without rows, for missing values in `by`, and for several columns that are not all numbers.

    Examples
    --------
    >>> import pandas as pd
    >>> from fastnn.sequences import from_frame
    >>> frame = pd.DataFrame({
    ...     "patient": ["b", "b", "a", "b", "a"],
    ...     "pulse": [71, 75, 60, 74, 62],
    ...     "state": ["rest", "walk", "rest", "walk", "rest"],
    ... })
    >>> from_frame(frame, by="patient", columns=["pulse"])[1]
    array([[60],
           [62]])
    >>> [list(states) for states in from_frame(frame, by="patient", columns="state")]
    [['rest', 'walk', 'walk'], ['rest', 'rest']]
    """
    by = [by] if isinstance(by, str) else list(by)
    names = [*frame.columns]
    if columns is None:
        columns = [name for name in names if name not in by]
    is_single = not isinstance(columns, (list, tuple))
    for what, given in (("by", by), ("columns", [columns] if is_single else columns)):
        unknown = [name for name in given if name not in names]
        if unknown or not given:
            raise ValueError(f"{what} must be names of columns of the frame, {quoted(names)}, got {quoted(given)}")
    if not len(frame):
        raise ValueError("frame must have at least 1 row, got 0")
    values = frame[columns if is_single else list(columns)].to_numpy()
    if values.dtype == object and not is_single:
        with refusing(f"columns must be numbers, unless it is one name, got {quoted(list(columns))}"):
            values = values.astype(np.float64)
    numbers = _numbers_of_groups(frame, by)
    order = np.argsort(numbers, kind="stable")
    if (np.diff(order) != 1).any():
        values = values[order]
    return np.split(values, np.cumsum(np.bincount(numbers))[:-1])


def _numbers_of_groups(frame, by):
    """The number of each row's group, in order of appearance."""
    for name in by:
        column = frame[name]
        is_missing = (column.isna() if hasattr(column, "isna") else column.is_null()).to_numpy()
        if is_missing.any():
            row = int(np.argmax(is_missing))
            raise ValueError(
                f"frame[{name!r}] must say which sequence each row is of, got {column.to_list()[row]} in row {row}"
            )
    known = {}
    keys = zip(*(frame[name].to_list() for name in by), strict=True)
    return np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.intp)
