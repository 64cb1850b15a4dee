"""The file format: the safetensors package agrees with it, and files with false headers take no memory."""

import json
import os
import tracemalloc

import numpy as np
import pytest

import fastnn
from fastnn import MLPClassifier
from fastnn.persistence.safetensors_file import MOST_HEADER_BYTES, contents, read_arrays, read_header

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def assert_same(ours, theirs):
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)


def test_the_safetensors_package_reads_ours(rng, path):
    safetensors = pytest.importorskip("safetensors.numpy")
    X, y = rng.normal(size=(60, 5)), rng.integers(0, 2, 60)
    model = MLPClassifier((6,), random_state=0, max_iter=3).fit(X, y)
    fastnn.save(model, path)
    arrays = safetensors.load_file(path)
    for i, (W, b) in enumerate(zip(model.coefs_, model.intercepts_, strict=True)):
        assert_same(arrays[f"fitted.weights.{2 * i}"], np.array(W))
        assert_same(arrays[f"fitted.weights.{2 * i + 1}"], np.array(b))
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        metadata = file.metadata()
    assert metadata["format"] == "fastnn"
    assert json.loads(metadata["model"])["class"] == "MLPClassifier"
    # The package's own file of these arrays, in another order, is a model, too.
    safetensors.save_file(arrays, path, metadata)
    assert_same(fastnn.load(path).predict_proba(X), model.predict_proba(X))


def test_another_programs_file_is_refused(path):
    safetensors = pytest.importorskip("safetensors.numpy")
    safetensors.save_file({"weight": np.zeros(3)}, path)
    with pytest.raises(ValueError, match='is not a fastnn model: its header lacks "format"'):
        fastnn.load(path)


def test_every_dtype_both_ways(path):
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = {code: np.arange(6).reshape(2, 3).astype(code) for code in "? b B h H i I q Q e f d".replace(" ", "")}
    arrays |= {
        "none": np.zeros((0, 3)),
        "one": np.array(2.5),
        "F": np.asfortranarray(arrays["d"]),
        ">": arrays["d"].astype(">f8"),
    }
    with open(path, "wb") as file:
        file.writelines(contents(arrays, {"ü": "\ud7ff"}))
    back = safetensors.load_file(path)
    for name, array in arrays.items():
        assert_same(back[name], np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape))
    safetensors.save_file(back, path, {"ü": "\ud7ff"})
    with open(path, "rb") as file:
        layout, metadata = read_header(file)
        again = read_arrays(file, layout)
    assert again.keys() == back.keys()
    for name, array in again.items():
        assert_same(array, back[name])
    assert metadata == {"ü": "\ud7ff"}


NEW_MODEL = {"format": "fastnn", "version": "1", "model": '{"class": "Perceptron", "parameters": {}, "fitted": null}'}


def framed(text, data=b""):
    """A file with the text as its header."""
    return len(text).to_bytes(8, "little") + text + data


HEADERS = {
    "nothing": b"",
    "no length": b"\0\0\0",
    "length 0": bytes(8),
    "length beyond the file": (2**40).to_bytes(8, "little") + b"{}",
    "greatest length": b"\xff" * 8 + b"{}",
    "a text": framed(b"fastnn"),
    "no UTF-8": framed(b'{"\xff": 1}'),
    "UTF-16": framed('{"a": 1}'.encode("utf-16")),
    "a list": framed(b"[]"),
    "nested": framed(b"[" * 10**6),
    "nested objects": framed(b'{"a":' * 10**6),
    "a huge number": framed(b'{"a": ' + b"1" * 10**6 + b"}"),
    "NaN": framed(b'{"a": NaN}'),
    "twice": framed(b'{"__metadata__": {}, "__metadata__": {}}'),
    "nothing in it": framed(b"{}"),
    "pickle": b"\x80\x04\x95" + bytes(30),
    "zip": b"PK\x03\x04" + bytes(30),
}


@pytest.mark.parametrize("data", HEADERS.values(), ids=HEADERS)
def test_headers(data, path):
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="is not a fastnn model: "):
            fastnn.load(path)
        assert tracemalloc.get_traced_memory()[1] < 2**26
    finally:
        tracemalloc.stop()


def filled(start, item, end):
    """A file with the longest header that is allowed."""
    n_items = (MOST_HEADER_BYTES - len(start) - len(end)) // len(item)
    return framed(start + item * n_items + end)


LARGE_HEADERS = {
    "objects": filled(b'{"a": [', b"{},", b"0]}"),
    "lists": filled(b'{"a": [', b"[],", b"0]}"),
    "names": filled(b'{"a": {', b'"abcd":0,', b'"":0}}'),
    "texts": filled(b'{"a": [', b'"ab",', b"0]}"),
    "a text without an end": filled(b'{"a": "', b'\\"', b""),
    "quotes": filled(b'{"a": ', b'"', b""),
    "settings": filled(b'{"__metadata__": {"format": "fastnn", "version": "1", "model": "[', b"{},", b'0]"}}'),
    "longer": (MOST_HEADER_BYTES + 1).to_bytes(8, "little") + b" " * (MOST_HEADER_BYTES + 1),
}


@pytest.mark.parametrize("data", LARGE_HEADERS.values(), ids=LARGE_HEADERS)
def test_large_headers_take_memory_in_proportion(data, path):
    """They take some ten times their length: in Python a short string has 50 bytes."""
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="is not a fastnn model: "):
            fastnn.load(path)
        assert tracemalloc.get_traced_memory()[1] < 16 * MOST_HEADER_BYTES
    finally:
        tracemalloc.stop()


def test_names_of_many_features(path):
    n = 200_000
    model = MLPClassifier.from_weights([np.ones((n, 1))], [np.ones(1)], dtype="float32")
    model.feature_names_in_ = np.array([f'the "{i}"th [{{:' for i in range(n)], dtype=object)
    fastnn.save(model, path)
    np.testing.assert_array_equal(fastnn.load(path).feature_names_in_, model.feature_names_in_)
    model.feature_names_in_ = np.array([f"{i:90}" for i in range(n)], dtype=object)
    with pytest.raises(
        ValueError, match=f"cannot be saved: the names and settings must take at most {MOST_HEADER_BYTES}"
    ):
        fastnn.save(model, path)


def test_arrays_of_no_model_are_not_read(path):
    """Those of a model of another version are not read either."""
    n = 2**31
    for metadata in ({}, {**NEW_MODEL, "version": "9"}, {**NEW_MODEL, "model": '{"class": "Perceptron"}'}):
        header = {"__metadata__": metadata, "a": entry("U8", [n], [0, n])}
        path.write_bytes(framed(json.dumps(header).encode()))
        os.truncate(path, path.stat().st_size + n)
        tracemalloc.start()
        try:
            with pytest.raises(ValueError, match=r"lacks \"format\"|got '9'|settings must be a dict"):
                fastnn.load(path)
            assert tracemalloc.get_traced_memory()[1] < 2**20
        finally:
            tracemalloc.stop()


def entry(dtype, shape, offsets):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


@pytest.mark.parametrize(
    "entries, message",
    [
        ({"a": entry("F64", [2**61], [0, 16])}, "must have at most"),
        ({"a": entry("F64", [2**62, 2**62, 0], [0, 0])}, "must have at most"),
        ({"a": entry("F64", [2**30], [0, 2**33])}, "must have 16 bytes, got 8589934592"),
        ({"a": entry("F64", [10**400], [0, 16])}, "the shape of .* must be .* got .an integer beyond"),
        ({"a": entry("F64", [1] * 60, [0, 8])}, "the shape of .* must be at most 32 integers"),
        ({"a": entry("F64", [-2], [0, 16])}, "the shape of .* must be .* got .-2"),
        ({"a": entry("F64", [True], [0, 16])}, "the shape of .* must be .* got .True"),
        ({"a": entry("F64", [2.0], [0, 16])}, "the shape of .* must be .* got .2.0"),
        ({"a": entry("F64", [2], [0])}, "the data_offsets of .* must be 2 integers .* got .0"),
        ({"a": entry("F64", [2], [16, 0])}, "must have 16 bytes for its shape .2., got -16"),
        ({"a": entry("F64", [2], [0, 8])}, "must have 16 bytes for its shape .2., got 8"),
        ({"a": entry("F64", [1], [0, 8]), "b": entry("F64", [1], [0, 8])}, "must begin at byte 8 of the data, got 0"),
        ({"a": entry("F64", [1], [8, 16])}, "must begin at byte 0 of the data, got 8"),
        ({"a": entry("F64", [1], [0, 8])}, "must have 16 bytes, got 8"),
        ({"a": entry("BF16", [8], [0, 16])}, "must have one of the dtypes BOOL, .* got "),
        ({"a": entry(["F64"], [2], [0, 16])}, "must have one of the dtypes BOOL, .* got "),
        ({"a": {"dtype": "F64"}}, "must have dtype, shape and data_offsets, got dtype"),
        ({"a": entry("BOOL", [16], [0, 16]), "__metadata__": NEW_MODEL}, "must be 0 or 1, got 2"),
        ({"__metadata__": {"a": 1}}, "strings"),
        ({"__metadata__": []}, "strings"),
    ],
)
def test_lying_headers(entries, message, path):
    path.write_bytes(framed(json.dumps(entries).encode(), b"\x02" * 16))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"is not a fastnn model: .*{message}"):
            fastnn.load(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
