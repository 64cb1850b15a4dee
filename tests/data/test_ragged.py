"""Sequences of any length, from all that users have them in."""

import numpy as np
import pytest

from fastnn.data.ragged import Sequences, as_objects
from fastnn.data.sequence_forms import as_sequences, in_form_of

pl = pytest.importorskip("polars")
pd = pytest.importorskip("pandas")

LENGTHS = 2, 3, 1


@pytest.fixture
def arrays(rng):
    return [rng.normal(size=(length, 2)) for length in LENGTHS]


def check_equal(sequences, expected):
    assert sequences.lengths.tolist() == [len(each) for each in expected]
    assert len(sequences) == len(expected)
    for own, other in zip(sequences, expected, strict=True):
        np.testing.assert_array_equal(own, np.reshape(other, (len(other), -1)))


def test_lists_and_arrays_of_objects(arrays):
    forms = (
        arrays, tuple(arrays), as_objects(arrays), [each.tolist() for each in arrays], pd.Series(arrays),
        pd.DataFrame({"series": arrays}), as_objects(arrays)[:, None],
    )  # fmt: skip
    for form in forms:
        sequences = as_sequences(form)
        check_equal(sequences, arrays)
        assert sequences.shape == (3, None, 2)
        assert (sequences.ndim, sequences.dtype) == (3, np.float64)


def test_sequences_of_one_length_are_sequences():
    for form in ([np.ones((2, 2))] * 3, as_objects([np.ones((2, 2))] * 3), as_objects([np.ones(2)] * 3)):
        assert as_sequences(form).lengths.tolist() == [2, 2, 2]


@pytest.mark.parametrize(
    "table",
    [
        [[1, 2], [3, 4]],
        [[[1]], [[2]]],
        [np.ones(2)] * 2,
        [1, 2],
        [],
        ["a", "b"],
        np.ones((2, 3)),
        pd.DataFrame({"a": [1]}),
    ],
)
def test_tables_are_not(table):
    assert as_sequences(table) is None


def test_a_single_channel():
    for form in ([[1, 2], [3]], [np.array([1, 2]), [3]], [[[1], [2]], [[3]]]):
        sequences = as_sequences(form)
        check_equal(sequences, [[1, 2], [3]])
        assert sequences.shape == (2, None, 1)


def test_types_are_joined():
    assert as_sequences([np.ones(2, np.float32), np.ones(3, np.int8)]).dtype == np.float32
    assert as_sequences([np.ones(2, ">f4"), np.ones(3, ">f4")]).dtype == np.dtype("=f4")
    assert as_sequences([np.ones(2, bool), np.ones(3, bool)]).dtype == bool


def test_list_columns_of_polars():
    for column in (pl.Series([[1.0, 2.0], [3.0]]), pl.DataFrame({"x": [[1.0, 2.0], [3.0]]})):
        check_equal(as_sequences(column), [[1, 2], [3]])
    nested = [[[1, 2], [3, 4]], [[3, 5]]]
    for dtype in (pl.List(pl.List(pl.Int16)), pl.List(pl.Array(pl.Int16, 2))):
        sequences = as_sequences(pl.Series(nested, dtype=dtype))
        check_equal(sequences, nested)
        assert sequences.dtype == np.int16
    assert as_sequences(pl.Series([1, 2])) is None
    assert as_sequences(pl.DataFrame({"a": [1], "b": [2]})) is None
    assert as_sequences(pl.DataFrame({"a": [1], "b": [[2]]})) is None


def test_list_columns_of_several_features(rng):
    """As a table gives them that is grouped by sequences."""
    frame = pl.DataFrame({"of": ["a", "b", "a"], "x": [1, 2, 3], "y": [0.5, 1.5, 2.5]})
    grouped = frame.group_by("of", maintain_order=True).agg("x", "y").drop("of")
    steps = [[[1, 0.5], [3, 2.5]], [[2, 1.5]]]
    check_equal(as_sequences(grouped), steps)
    pa = pytest.importorskip("pyarrow")
    check_equal(as_sequences(pa.table({"x": [[7], [1, 3], [2]], "y": [[7], [0.5, 2.5], [1.5]]})[1:]), steps)


def test_list_columns_of_polars_are_not_copied(rng):
    series = pl.Series([rng.normal(size=1000), rng.normal(size=7)])
    assert np.shares_memory(as_sequences(series).values, as_sequences(series).values)


def test_list_columns_of_arrow():
    pa = pytest.importorskip("pyarrow")
    column = pa.array([[9.0], [1.0, 2.0], [3.0]])
    for form in (column[1:], pa.chunked_array([column[1:2], column[2:]]), pa.table({"x": column[1:]})):
        check_equal(as_sequences(form), [[1, 2], [3]])
    nested = [[[1, 2], [3, 4]], [[3, 5]]]
    for inner in (pa.list_(pa.int16()), pa.list_(pa.int16(), 2), pa.large_list(pa.int16())):
        check_equal(as_sequences(pa.array(nested, type=pa.list_(inner))), nested)
    assert np.shares_memory(as_sequences(column).values, column.values.to_numpy())
    assert as_sequences(pa.array([1, 2])) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([np.ones((1, 2)), np.ones((2, 3))], r"X\[1\] must have 2 features, as X\[0\] has, got 3"),
        ([np.ones((1, 2)), np.ones(3)], r"X\[1\] must have 2 features, as X\[0\] has, got one number for each step"),
        ([np.ones((1, 2)), np.ones((0, 2))], r"X\[1\] must have at least 1 step, got 0"),
        ([np.ones((1, 0)), np.ones((2, 0))], r"X\[0\] must have at least 1 feature, got 0"),
        ([[[1, 2]], [[1, 2], [3]]], r"X\[1\] must be an array of shape .*, got steps of several lengths"),
        ([np.ones((1, 2, 3))] * 2, r"X\[0\] must be an array of shape .*, got shape \(1, 2, 3\)"),
        ([["a"], ["b", "c"]], r"X\[0\] must be numbers, got .*'a'.* in an array of type <U1"),
        ([np.ones(2), [1, None, 3]], r"X\[1\] must be numbers, got None in an array of type object"),
        ([np.ones(2, complex), np.ones(1, complex)], r"X\[0\] must be numbers, got .* in an array of type complex128"),
        (pl.Series([[1.0], None]), r"X\[1\] must be a list, got null"),
        (pl.Series([[1.0], []]), r"X\[1\] must have at least 1 step, got 0"),
        (pl.Series([[1.0], [2.0, None]]), r"X\[1\] must be numbers, got null"),
        (pl.Series([["a"], ["b"]]), "X must be numbers"),
        (pl.Series([[[1, 2], [3]], [[3, 5]]]), r"X must have steps of one number of features, .*, got \[1 2\]"),
        (
            pl.DataFrame({"a": [[1], [2]], "b": [[1], [2, 3]]}),
            r"X\[1\] must have 1 step in each column, as in the first one, got 2 in column 1",
        ),
        (pl.Series([], dtype=pl.List(pl.Int64)), "X must have at least 1 sequence, got 0"),
    ],
)
def test_what_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        as_sequences(given)


def test_what_is_refused_of_arrow():
    pa = pytest.importorskip("pyarrow")
    for values, message in (([[1.0], None], "a list, got null"), ([[1.0], [2.0, None]], "numbers, got null")):
        with pytest.raises(ValueError, match=rf"X\[1\] must be {message}"):
            as_sequences(pa.array(values))


def test_numbers_that_are_not_finite_are_named():
    Sequences.from_list([[1], [2, 3]]).check()
    sequences = Sequences.from_list([[[1.0, 2.0]], [[3, 4], [5, np.nan]]])
    for part in (sequences, Sequences(np.vstack([[[np.nan] * 2], sequences.values]), sequences.starts + 1)):
        with pytest.raises(ValueError, match=r"X\[1\] must have finite numbers, got nan in step 1"):
            part.check()


def test_rows(arrays):
    sequences = as_sequences(arrays)
    for rows in (
        np.array([2, 0]),
        np.array([True, False, True]),
        slice(1, None),
        slice(None, None, -1),
        np.array([], int),
    ):
        check_equal(sequences[rows], as_objects(arrays)[rows])
    np.testing.assert_array_equal(sequences[-1], arrays[-1])
    with pytest.raises(IndexError):
        sequences[3]
    part = Sequences(sequences.values, sequences.starts[1:])
    check_equal(part[np.array([1, 0])], [arrays[2], arrays[1]])


def test_steps_that_are_kept(arrays):
    sequences = as_sequences(arrays)
    keep = np.array([1, 0, 1, 1, 0, 1], bool)
    check_equal(sequences.kept(keep), [arrays[0][:1], arrays[1][:2], arrays[2]])
    part = Sequences(sequences.values, sequences.starts[1:])
    check_equal(part.kept(keep[2:]), [arrays[1][:2], arrays[2]])


def test_arrays_are_not_copied(rng):
    for X in (rng.normal(size=(4, 3, 2)), rng.normal(size=(4, 3))):
        sequences = Sequences.from_array(X)
        check_equal(sequences, X)
        assert np.shares_memory(sequences.values, X)


def test_results_have_the_form_of_what_was_given(arrays):
    starts, flat = as_sequences(arrays).starts, np.arange(6)
    for form in (arrays, tuple(arrays), pl.Series([each.tolist() for each in arrays])):
        assert list(map(list, in_form_of(form, flat, starts))) == [[0, 1], [2, 3, 4], [5]]
        assert isinstance(in_form_of(form, flat, starts), list)
    for form in (as_objects(arrays), pd.Series(arrays)):
        made = in_form_of(form, flat, starts)
        assert (made.dtype, made.shape) == (object, (3,))
    even = np.array([0, 3, 6])
    np.testing.assert_array_equal(in_form_of(np.ones((2, 3, 4)), flat, even), [[0, 1, 2], [3, 4, 5]])
    assert in_form_of(np.ones((2, 3, 4)), np.ones((6, 5)), even).shape == (2, 3, 5)
    assert in_form_of(as_objects([np.ones(3)] * 2), flat, even).shape == (2,)
    assert in_form_of(np.ones((3, 4, 2)), flat, starts).shape == (3,)  # steps were removed
