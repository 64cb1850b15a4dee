"""The perceptron's fit to samples that come in chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import scipy.sparse as sp
from sklearn.utils.multiclass import unique_labels

from fastnn._sklearn import _fit_context
from fastnn.data.chunks import Chunks, check_like, naming_chunk, parts_of
from fastnn.data.inputs import named_as_validation, refusing, validated, validated_y
from fastnn.data.samples import Samples
from fastnn.data.stream import Stream
from fastnn.estimators.perceptron_learning import classes_in, fresh, learn_stream, learnable, numbered
from fastnn.estimators.perceptron_state import DTYPES
from fastnn.estimators.streaming import check_watched, checked_numbers, first_chunk, kind_of, tallied
from fastnn.estimators.suggestions import advising_on_parameters
from fastnn.training.transaction import all_or_nothing, snapshot

if TYPE_CHECKING:
    from typing import TypeVar

    from numpy.typing import ArrayLike

    from fastnn.typing import Chunks as ChunksLike
    from fastnn.typing import Classes, SamplesLike

    Self = TypeVar("Self", bound="PerceptronStreamMixin")


class PerceptronStreamMixin:
    """A perceptron that can be fitted to a stream."""

    @advising_on_parameters
    @_fit_context(prefer_skip_nested_validation=True)
    def fit_stream(
        self: Self,
        chunks: ChunksLike,
        *,
        classes: Classes | None = None,
        n_samples: int | None = None,
        epochs: int | None = None,
        shuffle_buffer: int = 65536,
        X_val: SamplesLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
    ) -> Self:
        # From tools/docstrings: <chunks>, <shuffle_buffer>, <errors of chunks>, <other errors of perceptrons>,
        # <warning of perceptrons>
        """Learn from samples that come in chunks, of which only a few are in memory.

        The next chunk is read in a thread of its own while one is learnt from. All else is as in `fit`, but that all
        units take the samples in the same order. docs/streams.md has examples, and says what is shuffled.

        Parameters
        ----------
        chunks : iterable of (X, y) or (X, y, sample_weight), or callable that returns an iterator
            Samples, targets and weights in the forms that `fit` takes, of one type and one width in all chunks: arrays,
            frames, sparse matrices, lists of sequences. A list or another sequence of chunks, and what `fastnn.streams`
            makes, are read in an order drawn for each epoch; anything else in its own order. An iterator is refused,
            since each epoch goes through all chunks anew.
        classes : array-like of shape (n_classes,), default=None
            All classes that there are in y. None: the y of all chunks is read once before. So it is for
            ``class_weight="balanced"``.
        n_samples : int, default=None
            The number of samples in all chunks together, for a check. None: it is counted in the first epoch.
        epochs : int, default=None
            The most epochs. None is `max_iter`, after which a warning says that mistakes are left.
        shuffle_buffer : int, default=65536
            How many samples wait in a buffer, out of which the next ones are drawn at random: no full shuffle, unless
            the buffer holds all samples. With ``shuffle=False`` there is no buffer.
        X_val : array-like or sparse matrix of shape (n_val, n_features), default=None
            Samples whose score decides when to stop: required with `early_stopping`, and only taken with it.
        y_val : array-like of shape (n_val,), default=None
            Their classes.
        sample_weight_val : array-like of shape (n_val,), default=None
            What each of them counts for. None is 1 for each.

        Returns
        -------
        self : Perceptron

        Raises
        ------
        ValueError
            As for `fit`, with the number of the chunk, from 0, where one is to blame. Also for chunks of other types or
            widths than the first one, for fewer or more samples than `n_samples` or than the first epoch had, and with
            `early_stopping` without `X_val`. The estimator is then as it was before, as it is after what reading chunks
            raises.
        RuntimeError
            When another thread is fitting this very estimator.
        KeyboardInterrupt
            When Ctrl-C is pressed. The estimator is then as it was before.

        Warns
        -----
        ConvergenceWarning
            When `max_iter` epochs were not enough for `tol`, and the last one still made mistakes.

        Examples
        --------
        >>> from sklearn.datasets import load_digits
        >>> from fastnn import Perceptron
        >>> X, y = load_digits(return_X_y=True)
        >>> chunks = [(X[i : i + 100], y[i : i + 100]) for i in range(0, len(X), 100)]
        >>> Perceptron(average=True).fit_stream(chunks, epochs=20).score(X, y) > 0.94
        True
        """
        validation = (X_val, y_val, sample_weight_val)
        check_watched(self, validation)
        if not self.early_stopping and any(part is not None for part in validation):
            raise ValueError("X_val, y_val and sample_weight_val must be None without early_stopping, got samples")
        chunks = Chunks(chunks)
        n_samples, buffer_rows, max_iter = checked_numbers(n_samples, shuffle_buffer, epochs)
        with all_or_nothing(self) as (draft, _):
            counted = _set_classes(draft, chunks, classes)
            first = _first_samples(draft, chunks)
            start = (draft.coef_, draft.intercept_) if draft.warm_start and hasattr(draft, "coef_") else (None, None)
            draft.t_ = 1.0
            running = fresh(draft.classes_, first.X, *start)
            held_out = None if X_val is None else _validation(draft, validation, first.X)
            stream = Stream(chunks, n_samples, buffer_rows, _prepare(draft, kind_of(first)))
            learn_stream(draft, stream, first, counted, held_out, running, max_iter or draft.max_iter)
        if epochs is None:
            self._warn_of_mistakes()
        return self


def _set_classes(draft, chunks, classes):
    """Set `classes_`, and return what "balanced" counts, or None."""
    tally, is_balanced = None, isinstance(draft.class_weight, str)
    if classes is None or is_balanced:
        scratch = snapshot(draft)

        def read(X, y, sample_weight):
            return (validated_y(scratch, y) if X is None else validated(scratch, X, y, dtype=DTYPES)[1]), None

        tally = tallied(chunks, is_balanced, read)
    if classes is None:
        draft.classes_ = classes_in(tally.labels())
    else:
        with refusing("classes must be labels of one type, such as numbers or texts"):
            draft.classes_ = unique_labels(classes)
    return tally.counted([draft.classes_]) if is_balanced else None


def _first_samples(draft, chunks):
    number, chunk = first_chunk(chunks)
    with naming_chunk(number):
        X, y, sample_weight = parts_of(number, chunk)
        X, y = validated(draft, X, y, dtype=DTYPES)
        return numbered(draft, learnable(X), y, sample_weight)


def _prepare(draft, first):
    """A function that makes Samples of a chunk, which have to be like the first ones."""

    def prepared(number, chunk):
        with naming_chunk(number):
            X, y, sample_weight = parts_of(number, chunk)
            X, y = validated(draft, X, y, dtype=DTYPES, reset=False)
            check_like(Samples(X, y, sample_weight), first)  # before it is converted
            return numbered(draft, learnable(X, first.X.dtype), y, sample_weight)

    return prepared


def _validation(draft, validation, X):
    """The samples to score, in the form of X."""
    X_val, y_val, sample_weight_val = validation
    with named_as_validation():
        X_val, y_val = validated(draft, X_val, y_val, dtype=DTYPES, reset=False)
        if sp.issparse(X) != sp.issparse(X_val):
            X_val = sp.csr_matrix(X_val) if sp.issparse(X) else X_val.toarray()
        return numbered(draft, learnable(X_val, X.dtype), y_val, sample_weight_val)
