"""Models that cannot be saved, and files that cannot be loaded."""

import copy
import functools
import json
import os
import tempfile
from unittest import mock

import numpy as np
from provoke_estimators import COLUMNS, LABELS, NUMBERS, Thing, X, classifier, learnt, perceptron, quantiles, regressor
from provoke_modular import modular
from sklearn.linear_model import Ridge

import fastnn
from fastnn import ModularRegressor, SequentialRegressor
from fastnn.layers import GRU
from fastnn.persistence import saving

OLD = os.path.join(os.path.dirname(__file__), "..", "persistence", "saved_models", "binary.safetensors")
LONG = "x" * 5000  # a file may have names of any length


def saved(model):
    """The bytes of a model's file."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model")
        fastnn.save(model, path)
        with open(path, "rb") as file:
            return file.read()


def load(data):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model")
        with open(path, "wb") as file:
            file.write(data)
        fastnn.load(path)


def file_of(header, arrays=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + arrays


@functools.cache
def example(name):
    make = {
        "classifier": lambda: classifier(early_stopping=True).fit(X, LABELS),
        "regressor": lambda: regressor().fit(X, NUMBERS),
        "quantiles": quantiles,
        "columns": lambda: classifier().fit(X, COLUMNS),
        "perceptron": learnt,
        "plain": lambda: perceptron().fit(X, LABELS),
        "vote": lambda: modular(combine="vote").fit(X, LABELS),
        "stack": lambda: modular(combine=classifier(), targets={"one": 0}).fit(X, COLUMNS),
        "numbers": lambda: ModularRegressor([("one", regressor(), slice(None))]).fit(X, NUMBERS),
        "sequences": lambda: ModularRegressor([("one", SequentialRegressor([GRU(2)], max_iter=1), slice(None))]).fit(
            [X[:2], X[2:5]], [0, 1]
        ),
    }
    if name == "old":
        with open(OLD, "rb") as file:
            return file.read()
    return saved(make[name]())


def load_changed(name, change, more=b""):
    """Load an example whose header and settings a function has changed, with more bytes at its end."""
    data = example(name)
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    settings = json.loads(header["__metadata__"]["model"])
    text = change(header, settings)
    if "model" in header["__metadata__"]:
        header["__metadata__"]["model"] = text if isinstance(text, str) else json.dumps(settings)
    load(file_of(header, data[end:] + more))


def with_part(example_name, *place, to):
    """Load an example in whose fitted parts one is another value."""

    def change(_, settings):
        parts = settings["fitted"]["dict"]
        for name in place[:-1]:
            parts = parts[name]
            parts = parts.get("dict", parts) if isinstance(parts, dict) else parts
        parts[place[-1]] = to

    return lambda: load_changed(example_name, change)


def with_parameter(value):
    """Load an example in which a parameter is written so."""
    return lambda: load_changed("classifier", lambda _, settings: settings["parameters"].update(alpha=value))


def with_metadata(**values):
    return lambda: load_changed("classifier", lambda header, _: header["__metadata__"].update(values))


def with_settings(**values):
    return lambda: load_changed("classifier", lambda _, settings: settings.update(values))


def with_entry(**values):
    """Load a file of one array of 4 bytes whose entry in the header is another."""
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} | values
    return lambda: load(file_of({"a": entry, "__metadata__": {}}, bytes(4)))


def without_format(header, _):
    del header["__metadata__"]["format"]


def with_boolean(header, _):
    end = max(entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__")
    header[LONG] = {"dtype": "BOOL", "shape": [1], "data_offsets": [end, end + 1]}


def with_array(fill):
    """Load an example of which an array has another content."""

    def load_filled():
        data = bytearray(example("classifier"))
        end = 8 + int.from_bytes(data[:8], "little")
        start, stop = json.loads(data[8:end])["fitted.weights.0"]["data_offsets"]
        data[end + start : end + stop] = np.full((stop - start) // 8, fill).tobytes()
        load(bytes(data))

    return load_filled


def in_old(name, value):
    return with_part("old", name, to=value)


def random_state(**parts):
    """A generator of which some parts are others: MT19937, key, position, has_gauss, gauss."""

    def change(header, settings):
        state = settings["fitted"]["dict"]["state"]["dict"]["random_state"]["random_state"]
        for i, value in parts.items():
            state[int(i[1:])] = value

    return lambda: load_changed("classifier", change)


def save(model, path="model"):
    with tempfile.TemporaryDirectory() as folder:
        fastnn.save(model, os.path.join(folder, path) if path else path)


def with_nan():
    model = perceptron().fit(X, LABELS)
    model.coef_ = np.full((3, 4), np.nan)
    return model


def with_attribute(**attributes):
    model = copy.copy(classifier())
    vars(model).update(attributes)
    return model


def cut_while_read():
    """A file that another program cuts while it is read."""
    data = example("classifier")
    with mock.patch.object(saving.os, "fstat", lambda number: os.stat_result([0] * 6 + [len(data)] + [0] * 3)):
        load(data[:-8])


OF_SAVING = {
    "a pipeline": lambda: save("model"),
    "an object": lambda: save(Thing()),
    "a module of others": lambda: save(modular([(LONG, Ridge(), slice(None))])),
    "a function": lambda: save(classifier(callback=lambda model: None)),
    "an array of objects": lambda: save(classifier(class_weight={0: np.full((2, 2), None)})),
    "an attribute": lambda: save(with_attribute(comment_="mine")),
    "many attributes": lambda: save(with_attribute(**{f"comment_{i}": i for i in range(5000)})),
    "weights of NaN": lambda: save(with_nan()),
    "long names": lambda: save(perceptron(class_weight={"a" * 2**24: 1.0})),
    "a folder": lambda: save(classifier(), ".."),
    "an empty path": lambda: save(classifier(), ""),
    "a device": lambda: fastnn.save(classifier(), os.devnull),
    "a folder that is not there": lambda: save(classifier(), "nowhere/model"),
}

OF_FILES = {
    "a name twice": lambda: load(file_of(b'{"a": 1, "a": 1}')),
    "NaN in JSON": lambda: load(file_of(b'{"a": NaN}')),
    "deep JSON": lambda: load_changed("classifier", lambda *_: "[" * 10**5),
    "deep settings": lambda: load_changed("classifier", lambda *_: deep()),
    "many parts": lambda: load(file_of(b"[" * (2**19 + 1))),
    "5 bytes": lambda: load(b"12345"),
    "a long header": lambda: load(bytes([9] * 20)),
    "a list as the header": lambda: load(file_of([])),
    "numbers as the metadata": lambda: load(file_of({"__metadata__": {"a": 1}})),
    "an array that begins late": with_entry(data_offsets=[4, 8]),
    "more bytes than arrays": lambda: load(file_of({"__metadata__": {}}, bytes(4))),
    "an entry of a number": lambda: load(file_of({"a": 1})),
    "an entry of other parts": lambda: load(file_of({"a": {LONG: 1}})),
    "an entry with a long name": lambda: load(file_of({LONG: 1})),
    "a dtype of long doubles": with_entry(dtype="F128"),
    "a shape of a text": with_entry(shape=LONG),
    "offsets of a text": with_entry(data_offsets=LONG),
    "an array of all memory": with_entry(shape=[2**61, 4]),
    "an array of other bytes": with_entry(shape=[2]),
    "a boolean of 2": lambda: load_changed("classifier", with_boolean, b"\2"),
    "a file cut meanwhile": cut_while_read,
}


def deep():
    data = example("classifier")
    settings = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["model"])
    settings["parameters"]["alpha"] = 1
    return json.dumps(settings).replace('"alpha": 1', f'"alpha": {"[" * 600}{"]" * 600}')


OF_SETTINGS = {
    "without a format": lambda: load_changed("classifier", without_format),
    "another format": with_metadata(format=LONG),
    "another version": with_metadata(version=LONG),
    "other settings": with_settings(more=1),
    "another class": with_settings(**{"class": LONG}),
    "parameters of a list": with_settings(parameters=[]),
    "another parameter": with_settings(parameters={LONG: 1}),
    "an object without a name": with_parameter({}),
    "an unknown object": with_parameter({LONG: 1}),
    "a number as a list": with_parameter({"tuple": 1}),
    "an item of 3": with_parameter({"items": [[1, 2, 3]]}),
    "a list as a key": with_parameter({"items": [[[], 1]]}),
    "a key twice": with_parameter({"items": [[1, 1], [1, 1]]}),
    "an array that is not there": with_parameter({"array": LONG}),
    "numbers as a text": with_parameter({"text": "fitted.weights.0"}),
    "an array as a scalar": with_parameter({"scalar": {"array": "fitted.weights.0"}}),
    "a float of letters": with_parameter({"float": LONG}),
    "a generator of 2 parts": with_parameter({"random_state": [1, 2]}),
    "a generator's key": random_state(_1={"array": "fitted.weights.0"}),
    "a generator's position": random_state(_2=999),
    "a generator's numbers": random_state(_3=None),
    "an array that nobody has": with_part("classifier", "optimizer", to=None),
}

OF_MODELS = {
    "other parts": with_part("classifier", LONG, to=1),
    "many other parts": lambda: load_changed(
        "classifier", lambda _, settings: settings["fitted"]["dict"].update({f"part_{i}": i for i in range(5000)})
    ),
    "n_iter of a text": with_part("classifier", "n_iter", to=LONG),
    "names of other features": with_part("classifier", "feature_names", to={"objects": ["a"]}),
    "weights of infinity": with_array(np.inf),
    "weights of integers": with_part("classifier", "weights", to=[{"array": "fitted.targets.classes"}]),
    "weights of other shapes": with_part("classifier", "weights", to=[{"array": "fitted.weights.0"}]),
    "old layers without intercepts": in_old("intercepts", []),
    "no classes": with_part("classifier", "targets", "classes", to=[LONG]),
    "an unknown kind of classes": with_part("classifier", "targets", "kind", to=LONG),
    "three binary classes": with_part("classifier", "targets", "kind", to="binary"),
    "another head": with_part("classifier", "head", to=LONG),
    "no quantiles": with_part("quantiles", "targets", "quantiles", to=[]),
    "quantiles of 2": with_part("quantiles", "targets", "quantiles", to=[2.0] * 5000),
    "a loss of classes": with_part("regressor", "targets", "loss", to="softmax"),
    "a huber_delta of 0": with_part("regressor", "targets", "loss", to="huber"),
    "three quantiles of two": with_part("quantiles", "targets", "quantiles", to=[0.1, 0.2, 0.3]),
    "scores without losses": with_part("classifier", "state", "validation_losses", to=None),
    "memories of another optimizer": with_part("classifier", "optimizer", "name", to="sgd"),
    "two modules of one name": with_part("vote", "modules", 1, "name", to="one"),
    "a module without classes": with_part("vote", "classes", to=None),
    "weights of other modules": with_part(
        "vote", "weights", to={"array": "fitted.modules.0.estimator.fitted.weights.1"}
    ),
    "scores of a vote": with_part("stack", "combination", to="vote"),
    "X beside a vote": with_part("vote", "passthrough", to=True),
    "X beside outputs": with_part("stack", "passthrough", to=True),
    "names of sequences": with_part("sequences", "feature_names", to={"objects": ["a"]}),
    "columns of another module": with_part("vote", "modules", 0, "columns", to=None),
    "columns that X lacks": with_part("vote", "modules", 0, "columns", to={"slice": [5, 7, None]}),
    "a slice of one number": with_part("vote", "modules", 0, "columns", to={"slice": [5]}),
    "a task that y lacks": with_part("stack", "modules", 0, "task", to=9),
    "a method of others": with_part("stack", "modules", 0, "method", to="decision_function"),
    "a product of votes": with_part("vote", "combination", to="product"),
    "a mean of other numbers": with_part("numbers", "n_columns_of_y", to=3),
    "intercepts of another dtype": with_part("plain", "intercept", to={"array": "fitted.n_mistakes"}),
}

PROVOCATIONS = OF_SAVING | OF_FILES | OF_SETTINGS | OF_MODELS
