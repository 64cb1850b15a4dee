"""Sequences of any length: made from padded arrays and from frames, transformed step by step, and scored.

A list, or an object array, with one array of shape (n_steps, n_features) for each sequence is an X like any other to
`SequentialClassifier` and `SequentialRegressor`, to scikit-learn's `train_test_split`, `cross_val_score` and
`GridSearchCV`.
"""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.metrics import get_scorer
from sklearn.metrics import make_scorer as make_sklearn_scorer
from sklearn.utils import get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from fastnn.data.inputs import refusing
from fastnn.data.per_step import Concatenating, Steps, concatenated, is_per_step
from fastnn.data.quoted import quoted
from fastnn.data.ragged import Sequences, as_sequences, in_form_of

__all__ = ["PerStep", "StepScorer", "from_frame", "from_padded", "make_scorer"]


def from_padded(X, lengths=None, padding_value=np.nan, *, padding="post"):
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


def from_frame(frame, by, columns=None):
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


def _has_inverse(estimator):
    return hasattr(getattr(estimator, "transformer_", estimator.transformer), "inverse_transform")


class PerStep(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):
    """Any transformer of scikit-learn's, such as a scaler, over the steps of all sequences.

    Each step is a sample to the transformer, whichever sequence it is of.

    Parameters
    ----------
    transformer : transformer
        It gives an array with one row for each step. It is cloned: the copy is fitted.

    Attributes
    ----------
    transformer_ : transformer
        The fitted copy.
    n_features_in_ : int
        The number of features of a step.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fastnn.sequences import PerStep
    >>> X = [np.array([[1.0, 10.0], [3.0, 30.0]]), np.array([[2.0, 20.0]])]
    >>> PerStep(StandardScaler()).fit_transform(X)
    [array([[-1.22474487, -1.22474487],
           [ 1.22474487,  1.22474487]]), array([[0., 0.]])]
    """

    def __init__(self, transformer):
        self.transformer = transformer

    def fit(self, X, y=None):
        """Fit the transformer to the steps of all sequences.

        Parameters
        ----------
        X : list of array-like of shape (n_steps, n_features), or array-like of shape (n_sequences, n_steps, n_features)
            The sequences: a list, an object array or a list column with one in each place, or an array. Of each of
            them, the axis of the features may be left out if there is a single one.
        y : array-like, default=None
            Targets, for a transformer that needs them: one for each sequence, which all of its steps then have, or
            one for each step.

        Returns
        -------
        self : PerStep
            The transformer itself, fitted.
        """
        sequences = _sequences(X)
        self._set_fitted(clone(self.transformer).fit(sequences.values, _target_of_steps(y, sequences)), sequences)
        return self

    def fit_transform(self, X, y=None):
        """Fit the transformer to the steps of all sequences, and transform these.

        Parameters
        ----------
        X : list of array-like, or array-like
            The sequences, as for `fit`.
        y : array-like, default=None
            Targets, as for `fit`.

        Returns
        -------
        list of ndarray, or ndarray
            The transformed sequences, in the form that X has.
        """
        sequences, transformer = _sequences(X), clone(self.transformer)
        y = _target_of_steps(y, sequences)
        if hasattr(transformer, "fit_transform"):
            transformed = transformer.fit_transform(sequences.values, y)
        else:
            transformed = transformer.fit(sequences.values, y).transform(sequences.values)
        self._set_fitted(transformer, sequences)
        return _in_form_of(X, transformed, sequences)

    def _set_fitted(self, transformer, sequences):
        self.transformer_, self.n_features_in_ = transformer, sequences.values.shape[1]

    def transform(self, X):
        """Transform the steps of sequences.

        Parameters
        ----------
        X : list of array-like, or array-like
            The sequences, as for `fit`.

        Returns
        -------
        list of ndarray, or ndarray
            The transformed sequences: a list for a list, an object array for one, and an array for an array. Those
            that were given without an axis of features have none if there is still a single feature.
        """
        check_is_fitted(self)
        sequences = _sequences(X)
        return _in_form_of(X, self.transformer_.transform(sequences.values), sequences)

    @available_if(_has_inverse)
    def inverse_transform(self, X):
        """Transform sequences back.

        Parameters
        ----------
        X : list of array-like, or array-like
            Transformed sequences.

        Returns
        -------
        list of ndarray, or ndarray
            The sequences, in the form that X has.
        """
        check_is_fitted(self)
        sequences = _sequences(X)
        return _in_form_of(X, self.transformer_.inverse_transform(sequences.values), sequences)

    def get_feature_names_out(self, input_features=None):
        """The names of the features of a transformed step.

        Parameters
        ----------
        input_features : array-like of str, default=None
            The names of the features of a step. None is x0, x1, ...

        Returns
        -------
        ndarray of str
            What the transformer says.
        """
        check_is_fitted(self)
        return self.transformer_.get_feature_names_out(input_features)

    def __sklearn_is_fitted__(self):
        return hasattr(self, "transformer_")

    def __sklearn_tags__(self):
        tags, inner = super().__sklearn_tags__(), get_tags(self.transformer)
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan, tags.target_tags.required = inner.input_tags.allow_nan, inner.target_tags.required
        if inner.transformer_tags is not None:
            tags.transformer_tags.preserves_dtype = inner.transformer_tags.preserves_dtype
        return tags


def _sequences(X):
    """The sequences of any X, whatever is in them: the transformer checks that."""
    sequences = as_sequences(X, numeric=False)
    if sequences is None:
        X = np.asarray(X)
        if X.ndim not in (2, 3) or not X.size:
            raise ValueError(
                "X must be a list of arrays, or an array of shape (n_sequences, n_steps, n_features) or (n_sequences, "
                f"n_steps), got shape {X.shape}"
            )
        return Sequences.from_array(X)
    if sequences.starts[0] or sequences.starts[-1] < len(sequences.values):  # a part of a column
        values = sequences.values[sequences.starts[0] : sequences.starts[-1]]
        return Sequences(values, sequences.starts - sequences.starts[0])
    return sequences


def _target_of_steps(y, sequences):
    steps = Steps(sequences.lengths)
    if y is None or is_per_step(y):
        return y if y is None else steps.flat(y)
    y = np.asarray(y)
    if len(y) != len(sequences):
        raise ValueError(f"y must have {len(sequences)} targets, one for each sequence, got {len(y)}")
    return y[steps.sequences()]


def _in_form_of(X, transformed, sequences):
    if not hasattr(transformed, "__array__"):
        raise ValueError(
            f"transformer must give dense arrays, such as with sparse_output=False, got {type(transformed).__name__}"
        )
    transformed = np.asarray(transformed)
    if len(transformed) != len(sequences.values):
        raise ValueError(
            f"transformer must give a row for each of {len(sequences.values)} steps, got {len(transformed)}"
        )
    if transformed.ndim == 2 and transformed.shape[1] == 1 and _are_series(X):
        transformed = transformed[:, 0]
    return in_form_of(X, transformed, sequences.starts)


def _are_series(X):
    """Whether the sequences have no axis of features."""
    if isinstance(X, np.ndarray) and X.ndim > 1:
        return X.ndim == 2 and X.shape[1] > 0
    return np.ndim(X[0]) == 1


class StepScorer:
    """A scorer that takes the steps of all sequences one after the other: `make_scorer` makes one.

    Parameters
    ----------
    scorer : callable
        A scorer of scikit-learn's.
    name : str
        How it was named.
    """

    def __init__(self, scorer, name):
        self.scorer, self.name = scorer, name

    def __call__(self, estimator, X, y, sample_weight=None):
        """The score of an estimator's predictions for each step.

        Parameters
        ----------
        estimator : estimator
            A fitted one, which predicts something for each step.
        X : list of array-like, or array-like
            The sequences.
        y : list of array-like of shape (n_steps, ...), or array-like of shape (n_sequences, n_steps, ...)
            The targets of each step. Where y has one target for each sequence, this is scored as usual.
        sample_weight : array-like of shape (n_sequences,), or of the form of y, default=None
            The weight of each sequence, or of each step.

        Returns
        -------
        float
        """
        if is_per_step(y) and not isinstance(estimator, Concatenating):  # in a fit, y is concatenated already
            y, lengths = concatenated(y, "y")
            sample_weight = None if sample_weight is None else Steps(lengths).flat_weights(sample_weight)
            estimator = Concatenating(estimator)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return self.scorer(estimator, X, y, **weights)

    def __repr__(self):
        return f"make_scorer({self.name})"


def make_scorer(scoring, **settings):
    """A scorer for targets of each step, of which scikit-learn's own metrics take no lists.

    Parameters
    ----------
    scoring : str or callable
        The name of a scorer of scikit-learn's, such as ``"f1_macro"``, or a metric, a function of the true and the
        predicted targets.
    **settings
        With a metric: arguments of `sklearn.metrics.make_scorer`, and of the metric.

    Returns
    -------
    StepScorer
        A function of a fitted estimator, X, y and `sample_weight`, to be given as `scoring` to `cross_val_score` and
        `GridSearchCV`.

    Raises
    ------
    ValueError
        For a name that scikit-learn does not know.
    TypeError
        For settings beside a name.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from fastnn.sequences import make_scorer
    >>> make_scorer("f1_macro")
    make_scorer('f1_macro')
    >>> class Same(DummyClassifier):
    ...     def predict(self, X):
    ...         return [np.sign(x[:, 0]) for x in X]
    >>> X = [np.array([[3.0], [-1.0]]), np.array([[2.0]])]
    >>> make_scorer("accuracy")(Same().fit([[0]], [0]), X, [[1, -1], [-1]])
    0.6666666666666666
    """
    if isinstance(scoring, str):
        if settings:
            raise TypeError(f"settings must be empty beside the name {scoring!r}, got {quoted(sorted(settings))}")
        return StepScorer(get_scorer(scoring), repr(scoring))
    if not callable(scoring):
        raise TypeError(f"scoring must be the name of a scorer or a metric, got {quoted(scoring)}")
    return StepScorer(make_sklearn_scorer(scoring, **settings), getattr(scoring, "__name__", quoted(scoring)))
