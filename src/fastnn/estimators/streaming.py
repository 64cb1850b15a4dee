"""Fits to samples that come in chunks, more of them than memory holds."""

from __future__ import annotations

from contextlib import closing, nullcontext
from typing import TYPE_CHECKING

from sklearn.base import is_classifier

from fastnn._sklearn import _fit_context, available_if
from fastnn.data.chunks import Chunks, check_like, naming_chunk, parts_of
from fastnn.data.class_tally import ClassTally
from fastnn.data.inputs import as_column, checked_count, counts_classes, validated_y
from fastnn.data.quoted import quoted
from fastnn.data.stream import Stream
from fastnn.estimators.ineffective import warn_of_ineffective
from fastnn.estimators.suggestions import advising_on_parameters
from fastnn.runtime.warnings import warn_user
from fastnn.training.callbacks import Callbacks
from fastnn.training.fit import Fit
from fastnn.training.state import TrainingState
from fastnn.training.transaction import all_or_nothing, resuming, snapshot

if TYPE_CHECKING:
    from typing import TypeVar

    from numpy.typing import ArrayLike

    from fastnn.typing import Chunks as ChunksLike
    from fastnn.typing import Classes, SamplesLike

    # As typing.Self, which Jedi takes for the class that defines a method.
    Self = TypeVar("Self", bound="StreamMixin")


class StreamMixin:
    """A network that can be fitted to a stream."""

    @available_if(lambda self: self._check_stochastic())
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
        # From tools/docstrings: <chunks>, <shuffle_buffer>, <samples to watch>, <the fitted estimator>,
        # <errors of chunks>
        """Train on samples that come in chunks, of which only a few are in memory.

        Batches run across the borders of chunks, and the next chunk is read in a thread of its own while one is
        trained on. Everything else is as in `fit`: the parameters, callbacks, Ctrl-C, `warm_start`. docs/streams.md
        has examples, and says what is shuffled.

        Parameters
        ----------
        chunks : iterable of (X, y) or (X, y, sample_weight), or callable that returns an iterator
            Samples, targets and weights in the forms that `fit` takes, of one type and one width in all chunks: arrays,
            frames, sparse matrices, lists of sequences. A list or another sequence of chunks, and what `fastnn.streams`
            makes, are read in an order drawn for each epoch; anything else in its own order. An iterator is refused,
            since each epoch goes through all chunks anew.
        classes : array-like of shape (n_classes,), or a list of such, default=None
            All classes that there are in y, for a classifier: for multilabel targets the numbers of the columns; for
            several columns of classes a list with the classes of each column. None: the y of all chunks is read once
            before training. So it is for ``class_weight="balanced"``.
        n_samples : int, default=None
            The number of samples in all chunks together. None: it is counted in the first epoch, in which a learning
            rate that changes within an epoch does not do so; and ``batch_size="auto"`` is 200.
        epochs : int, default=None
            The most epochs. None is `max_iter`, after which a warning says that training has not converged.
        shuffle_buffer : int, default=65536
            How many samples wait in a buffer, out of which the next ones are drawn at random: no full shuffle, unless
            the buffer holds all samples. With ``shuffle=False`` there is no buffer.
        X_val : array-like or sparse matrix of shape (n_val, n_features), default=None
            Samples to watch, not to train on: `validation_scores_` and `validation_loss_curve_` are theirs, and with
            `early_stopping` they are the samples held out.
        y_val : array-like of shape (n_val,) or (n_val, n_columns), default=None
            Their targets: required with `X_val`.
        sample_weight_val : array-like of shape (n_val,), default=None
            What each of their losses is multiplied by. None is 1 for each.

        Returns
        -------
        self : BaseNetwork
            The estimator itself, fitted.

        Raises
        ------
        ValueError
            As for `fit`, with the number of the chunk, from 0, where one is to blame. Also for chunks of other types or
            widths than the first one, for fewer or more samples than `n_samples` or than the first epoch had, and with
            `early_stopping` without `X_val`. The estimator is then as it was before, as it is after what reading chunks
            raises.
        AttributeError
            With solver="lbfgs", which needs all samples at once.
        RuntimeError
            When another thread is fitting this very estimator.
        KeyboardInterrupt
            When Ctrl-C is pressed twice within a second. The estimator is then as it was before.

        Warns
        -----
        ConvergenceWarning
            When `max_iter` epochs were not enough, or training diverged after the best epoch that early stopping kept.
        UserWarning
            When Ctrl-C is pressed once: the estimator keeps what it has learnt.

        Examples
        --------
        >>> import numpy as np
        >>> from fastnn import MLPClassifier
        >>> def chunks():
        ...     rng = np.random.default_rng(0)
        ...     for _ in range(20):
        ...         X = rng.normal(size=(500, 2)).astype(np.float32)
        ...         yield X, X[:, 0] > X[:, 1]
        >>> model = MLPClassifier((16,), random_state=0).fit_stream(chunks, classes=[False, True], epochs=5)
        >>> model.predict([[1, 0], [0, 1]])
        array([ True, False])
        """
        validation = (X_val, y_val, sample_weight_val)
        check_watched(self, validation)
        chunks = Chunks(chunks)
        n_samples, buffer_rows, max_epochs = checked_numbers(n_samples, shuffle_buffer, epochs)
        if classes is not None and not is_classifier(self):
            raise ValueError(f"classes must be None for a regressor, got {quoted(classes)}")
        with all_or_nothing(self) as (draft, commit):
            resumes = hasattr(draft, "_network") and draft.warm_start
            callbacks = Callbacks(self, chunks.given, None, None, max_epochs or draft.max_iter)
            targets, counted, first = _begin(draft, chunks, classes, resumes)
            state = draft._state.copy() if resumes else TrainingState.starting(draft.random_state)
            with resuming(self) if resumes else nullcontext():
                network = draft._network_to_train(resumes, targets, first, state)
                held_out = None
                if any(part is not None for part in validation):
                    held_out = draft._validation(targets, validation, counted or (first.targets, None))
                    held_out.samples.check_weights(network.dtype, "held out", "sample_weight_val")
                warn_of_ineffective(draft, held_out is not None)
                first = kind_of(first)
                stream = Stream(chunks, n_samples, buffer_rows, _prepare(draft, targets, counted, first), network.dtype)
                fit = Fit(draft, network, targets, stream, held_out, state, callbacks, None, max_epochs)
                fit.run()
                commit()
                callbacks.end()
        for message, category in fit.warnings:  # last: where a filter makes one an error, the estimator is fitted
            warn_user(message, category)
        return self


def check_watched(model, validation):
    """Refuse early stopping without samples to watch.

    Raises
    ------
    ValueError
    """
    if model.early_stopping and validation[0] is None:
        raise ValueError(
            "early_stopping must be False for fit_stream without X_val and y_val, since nothing is held out of a "
            f"stream, got {quoted(model.early_stopping)}"
        )


def checked_numbers(n_samples, shuffle_buffer, epochs):
    """These parameters as integers, or None where they may be.

    Raises
    ------
    ValueError
    """
    return (
        None if n_samples is None else checked_count("n_samples", n_samples),
        checked_count("shuffle_buffer", shuffle_buffer),
        None if epochs is None else checked_count("epochs", epochs),
    )


def _begin(draft, chunks, classes, resumes):
    """Read what has to be known before training.

    Returns
    -------
    targets : Labels or Numbers
    counted : (ndarray, ndarray) or None
        What "balanced" counts.
    first : Samples
        Those of the first chunk.
    """
    tally = None
    if is_classifier(draft):
        is_balanced = counts_classes(draft.class_weight)
        if classes is None or is_balanced:
            # Layers may have a target for each step: then X says whose steps these are.
            tally = tallied(chunks, is_balanced, _reading_targets(draft), reads_X=hasattr(draft, "layers"))
    number, chunk = first_chunk(chunks)
    with naming_chunk(number):
        X, y, sample_weight, steps = draft._read(*parts_of(number, chunk), reset=not resumes)
        labels = tally.labels() if tally is not None and classes is None else y
        targets = draft._make_targets(labels, classes, resumes, partial=classes is not None)
        counted = tally.counted(targets.of_columns) if tally is not None and tally.counts else None
        return targets, counted, draft._samples(targets, X, y, sample_weight, steps, counted)


def _reading_targets(draft):
    """A function that reads the targets and weights of a chunk, of which each may be another one's first."""
    scratch = snapshot(draft)

    def read(X, y, sample_weight):
        if X is None:
            return as_column(validated_y(scratch, y, multi_output=True, **scratch._y_checks)), sample_weight
        _, y, sample_weight, _ = scratch._read(X, y, sample_weight, reset=True)
        return y, sample_weight

    return read


def first_chunk(chunks):
    """The first chunk and its number.

    Raises
    ------
    ValueError
    """
    with closing(chunks.numbered()) as numbered:
        first = next(numbered, None)
    if first is None:
        raise ValueError("chunks must have at least 1 chunk, got 0")
    return first


def tallied(chunks, counts, read, reads_X=False):
    """The classes in the y of all chunks, and what each counts for.

    Parameters
    ----------
    chunks : Chunks
    counts : bool
        Whether to count.
    read : callable
        A function that returns y and the weights, checked, of X or None, y and the weights.
    reads_X : bool, default=False
        Whether `read` needs X.

    Returns
    -------
    ClassTally

    Raises
    ------
    ValueError
    """
    tally = ClassTally(counts)
    with closing(chunks.targets(reads_X)) as each:
        for number, parts in each:
            with naming_chunk(number):
                tally.add(*read(*parts))
    if tally.columns is None:
        raise ValueError("chunks must have at least 1 chunk, got 0")
    return tally


def _prepare(draft, targets, counted, first):
    """A function that makes Samples of a chunk, which have to be like the first ones."""

    def prepared(number, chunk):
        with naming_chunk(number):
            X, y, sample_weight, steps = draft._read(*parts_of(number, chunk), reset=False)
            samples = draft._samples(targets, X, y, sample_weight, steps, counted)
            check_like(samples, first)
            if targets.are_numbers:  # whole numbers in one chunk may be followed by others
                samples.targets = samples.targets.astype(float)
            return samples

    return prepared


def kind_of(samples):
    """Samples of the same kind, but without any rows: so a chunk does not stay in memory to be compared with."""
    return samples.part(slice(0, 0))
