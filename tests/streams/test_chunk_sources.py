"""Chunks of Parquet files, of arrays and of databases."""

import sqlite3
import subprocess
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from fastnn import MLPClassifier, Perceptron
from fastnn.streams import arrays, parquet, sql

RNG = np.random.default_rng(0)
X = RNG.normal(size=(530, 3)).astype(np.float32)
LABELS = np.where(X[:, 0] > X[:, 1], "high", "low")
FRAME = pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=LABELS, weight=1 + np.arange(530) / 530)


def ordered(**parameters):
    return MLPClassifier((5,), shuffle=False, tol=0.01, random_state=0, **parameters)


def assert_same(model, other):
    for own, others in zip(model.coefs_, other.coefs_, strict=True):
        np.testing.assert_array_equal(own, others)


@pytest.fixture
def folder(tmp_path):
    pytest.importorskip("pyarrow.parquet")
    for i, start in enumerate(range(0, 530, 200)):
        FRAME.iloc[start : start + 200].to_parquet(tmp_path / f"part-{i}.parquet", row_group_size=70)
    return tmp_path


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "database"
    connection = sqlite3.connect(path)
    FRAME.to_sql("points", connection, index=False)
    connection.close()
    return path


def test_parquet_files_in_order(folder):
    chunks = parquet(folder, "y", columns=["a", "b", "c"], sample_weight="weight", batch_rows=30)
    assert chunks.n_samples == 530
    parts = list(zip(*chunks, strict=True))
    np.testing.assert_array_equal(np.concatenate(parts[0]), X)
    np.testing.assert_array_equal(np.concatenate(parts[1]), LABELS)
    np.testing.assert_array_equal(np.concatenate(parts[2]), FRAME.weight)
    assert max(map(len, parts[1])) == 30 and parts[0][0].dtype == np.float32
    fitted = ordered().fit(X, LABELS, FRAME.weight)
    assert_same(ordered().fit_stream(chunks, n_samples=530), fitted)


def test_row_groups_are_shuffled(folder):
    chunks = parquet(folder, "y", columns=["a"], batch_rows=30)
    in_order = dict(enumerate(chunks))
    drawn = list(chunks.shuffled(np.random.RandomState(0)))
    assert [number for number, _ in drawn] != sorted(in_order)
    assert sorted(number for number, _ in drawn) == sorted(in_order)
    for number, (part, labels) in drawn:
        np.testing.assert_array_equal(part, in_order[number][0])
        np.testing.assert_array_equal(labels, in_order[number][1])


def test_a_shuffled_fit_learns(folder):
    model = MLPClassifier((8,), learning_rate_init=0.02, random_state=0)
    model.fit_stream(parquet(folder, "y", columns=["a", "b", "c"]), epochs=20, shuffle_buffer=100)
    assert model.score(X, LABELS) > 0.95


def test_several_targets_and_types(folder):
    chunks = parquet([folder / "part-0.parquet", folder / "part-1.parquet"], ["a", "b"], columns=["c", "weight"])
    part, targets = next(iter(chunks))
    assert part.dtype == np.float64 and targets.shape == (70, 2) and chunks.n_samples == 400


def test_only_targets_are_read_for_the_classes(folder):
    chunks = parquet(folder, "y", columns=["a", "b", "c"])
    chunks._samples = None
    labels = np.concatenate([labels for labels, _ in chunks.targets()])
    np.testing.assert_array_equal(labels, LABELS)


def test_files_of_other_types_have_the_first_ones(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    labels = ["no", "yes", "no"]
    first = pa.table({"a": pa.array([0.5, 1.5, 2.5], pa.float32()), "y": pa.array(labels).dictionary_encode()})
    second = pa.table({"y": pa.array(labels), "a": pa.array([3, 4, 5], pa.int64())})
    pq.write_table(first, tmp_path / "part-0.parquet")
    pq.write_table(second, tmp_path / "part-1.parquet")
    chunks = list(parquet(tmp_path, "y"))
    assert [part.dtype for part, _ in chunks] == [np.float32] * 2
    assert np.concatenate([part for part, _ in chunks]).ravel().tolist() == [0.5, 1.5, 2.5, 3, 4, 5]
    assert [labels.tolist() for _, labels in chunks] == [labels] * 2
    pq.write_table(second.drop_columns("a"), tmp_path / "part-2.parquet")
    with pytest.raises(ValueError, match=r"part-2.parquet must have the column 'a', got \['y'\]"):
        list(parquet(tmp_path, "y"))


def test_decimals_are_numbers_and_categories_labels(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    prices, kinds = [Decimal("1.50"), Decimal("-2.25"), Decimal("3.00")], pa.array(["b", "a", "b"]).dictionary_encode()
    pq.write_table(pa.table({"price": prices, "kind": kinds}), tmp_path / "part.parquet")
    ((part, labels),) = parquet(tmp_path, "kind")
    assert part.dtype == np.float64 and part.ravel().tolist() == [1.5, -2.25, 3.0]
    assert labels.tolist() == ["b", "a", "b"]
    ((_, numbers, weights),) = parquet(tmp_path, "price", columns=["price"], sample_weight="price")
    assert numbers.dtype == weights.dtype == np.float64
    with pytest.raises(ValueError, match="columns must be columns of numbers, got 'kind' of type dictionary<"):
        parquet(tmp_path, "price")


def test_a_row_group_is_decoded_in_chunks(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    rng, n_rows = np.random.default_rng(0), 400_000
    columns = {f"c{i}": rng.standard_normal(n_rows, dtype=np.float32) for i in range(20)}
    pq.write_table(pa.table(columns), tmp_path / "part.parquet", row_group_size=n_rows, use_dictionary=False)
    chunks = parquet(tmp_path, "c0", batch_rows=1000)
    before = pa.total_allocated_bytes()
    for number, (part, _) in enumerate(chunks):
        assert part.shape == (1000, 19)
        assert pa.total_allocated_bytes() - before < n_rows * 20 * 4 / 2
        if number == 20:
            break


def test_a_missing_number_is_refused(tmp_path):
    pytest.importorskip("pyarrow.parquet")
    for i in range(3):
        frame = FRAME.iloc[:90].copy()
        frame.loc[7, "a"] = np.nan if i == 2 else 0
        frame.to_parquet(tmp_path / f"part-{i}.parquet", row_group_size=45)
    with pytest.raises(ValueError, match="chunk 4: Input X contains NaN"):
        MLPClassifier().fit_stream(parquet(tmp_path, "y", columns=["a", "b"]))


def test_columns_that_parquet_files_lack(folder):
    with pytest.raises(ValueError, match=r"y must be among .*, got 'z'"):
        parquet(folder, "z")
    with pytest.raises(ValueError, match=r"columns must be among .*, got 'z'"):
        parquet(folder, "y", columns=["a", "z"])
    with pytest.raises(ValueError, match="columns must be columns of numbers, got 'y' of type"):
        parquet(folder, "a")
    with pytest.raises(ValueError, match=r"columns must have at least 1 column, got \[\]"):
        parquet(folder, "y", columns=[])
    with pytest.raises(ValueError, match="batch_rows must be an integer of at least 1, got 0"):
        parquet(folder, "y", batch_rows=0)


@pytest.mark.parametrize("given", [X, np.asfortranarray(X), sp.csr_matrix(X), FRAME[["a", "b", "c"]]])
def test_slices_of_arrays(given):
    chunks = arrays(given, LABELS, rows=100)
    assert len(chunks) == 6 and len(list(chunks)) == 6 and chunks[5][0].shape == (30, 3)
    assert_same(ordered().fit_stream(chunks, n_samples=530), ordered().fit(given, LABELS))
    assert Perceptron(average=True).fit_stream(chunks, epochs=20).score(given, LABELS) > 0.9


def test_slices_of_a_memory_map(tmp_path):
    np.save(tmp_path / "X.npy", X)
    chunks = arrays(np.load(tmp_path / "X.npy", mmap_mode="r"), LABELS, FRAME.weight, rows=64)
    assert_same(ordered().fit_stream(chunks, n_samples=530), ordered().fit(X, LABELS, FRAME.weight))


def test_arrays_of_other_lengths():
    with pytest.raises(ValueError, match="y must have 530 rows, as X has, got 529"):
        arrays(X, LABELS[1:])
    with pytest.raises(ValueError, match="rows must be an integer of at least 1, got 0"):
        arrays(X, LABELS, rows=0)


def test_an_answer_of_a_database(database):
    chunks = sql(lambda: sqlite3.connect(database), "SELECT * FROM points", "y", sample_weight="weight", rows=100)
    frame = FRAME[["a", "b", "c"]].astype(float)
    fitted = ordered().fit(frame, LABELS, FRAME.weight)
    streamed = ordered().fit_stream(chunks, n_samples=530)
    assert_same(streamed, fitted)
    assert list(streamed.feature_names_in_) == ["a", "b", "c"]


def test_parameters_of_a_query(database):
    query = "SELECT a, y FROM points WHERE a > ?"
    chunks = sql(lambda: sqlite3.connect(database), query, "y", params=(0,))
    assert sum(len(labels) for _, labels in chunks) == (X[:, 0] > 0).sum()


def test_a_column_that_the_answer_lacks(database):
    chunks = sql(lambda: sqlite3.connect(database), "SELECT * FROM points", "z")
    with pytest.raises(ValueError, match=r"y and sample_weight must be columns of the answer, .*, got 'z'"):
        MLPClassifier().fit_stream(chunks)


def test_pyarrow_is_not_needed_before_it_is_used(monkeypatch):
    code = "import sys; sys.modules['pyarrow'] = None; import fastnn.streams; print(fastnn.streams.arrays)"
    assert "arrays" in subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    monkeypatch.setitem(sys.modules, "pyarrow.dataset", None)
    with pytest.raises(ImportError, match=r"needs pyarrow.dataset: pip install 'scikit-fastnn\[stream\]' installs it"):
        parquet("folder", "y")
