"""A file without a model, or with a damaged one, is refused by a ValueError, before it takes memory."""

import copy
import itertools
import json
import re
import tracemalloc

import numpy as np
import pytest

import fastnn
from fastnn import MLPClassifier, MLPRegressor, ModularClassifier, ModularRegressor, Perceptron, SequentialRegressor
from fastnn.layers import GRU, Bidirectional, Dense, Dropout

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N_MUTANTS = 500  # of each model, in each way
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = RNG.integers(0, 3, 40)
MODELS = {
    "classifier": MLPClassifier((3,), early_stopping=True, dropout=0.1, warm_start=True, max_iter=3, random_state=0),
    "columns": MLPClassifier((2,), solver="sgd", batch_size=7, max_iter=2, dtype="float32", random_state=1),
    "regressor": MLPRegressor("quantile", (3,), quantile=[0.2, 0.7], max_iter=2, random_state=np.random.RandomState(3)),
    "perceptron": Perceptron(average=True, max_iter=2, class_weight={0: 1.0, 1: 2.0, 2: 1.0}),
    "layers": SequentialRegressor([Dense(3, use_bias=False), Dropout(0.2), Dense(2, "sigmoid")], max_iter=2),
    "sequences": SequentialRegressor([Bidirectional(GRU(2, dropout=0.1), "sum")], max_iter=2),
    "names": Perceptron(max_iter=2),
    "modules": ModularClassifier(
        [("one", MLPClassifier((2,), max_iter=2), [0, 2]), ("two", Perceptron(max_iter=2), slice(1, None))],
        targets={"one": 0, "two": 1},
        combine=MLPClassifier((2,), max_iter=2),
        cv=2,
        passthrough=True,
    ),
    "vote": ModularClassifier(
        [(name, Perceptron(max_iter=2), [0, 1]) for name in "ab"], combine="vote", weights=[1, 2]
    ),
    "means": ModularRegressor([("one", MLPRegressor(hidden_layer_sizes=(2,), max_iter=2), slice(None))]),
}
TARGETS = {"columns": np.stack([Y, Y > 1], axis=1), "names": np.array(["a", "bc", "d"])[Y]}
TARGETS["modules"] = TARGETS["columns"]


@pytest.fixture(params=MODELS)
def contents(request, tmp_path):
    MODELS[request.param].fit(X, TARGETS.get(request.param, Y))
    fastnn.save(MODELS[request.param], tmp_path / "model")
    return (tmp_path / "model").read_bytes()


def load_bytes(data, path):
    path.write_bytes(data)
    return fastnn.load(path)


def check_refused_or_sound(data, path):
    """Whether a file is refused; a model that is loaded must predict, and train or refuse to."""
    try:
        model = load_bytes(data, path)
    except ValueError as error:
        assert type(error) is ValueError
        assert str(error).startswith(f"{path} is not a fastnn model: ")
        assert not re.search(r"\bnone\b", str(error))  # which reads as None
        return True
    if not hasattr(model, "n_iter_") and not hasattr(model, "named_modules_"):
        return False
    if hasattr(model, "named_modules_"):  # the same functions have made them
        arrays = ()
    elif isinstance(model, Perceptron):
        arrays = np.asarray(model.coef_.data), model.intercept_
    else:
        arrays = model._network.weights()
    assert all(np.isfinite(array).all() for array in arrays)
    vars(model).pop("feature_names_in_", None)
    with np.errstate(all="ignore"):
        assert len(model.predict(np.ones((4, model.n_features_in_)))) == 4
        resume(model)
    return False


def resume(model):
    """Train the model further: its damaged parameters may be refused."""
    for name, value in model.get_params().items():
        if (str(name).endswith("max_iter") and value > 100) or (str(name).endswith("verbose") and value):
            return
    try:
        if hasattr(model, "partial_fit"):
            model.partial_fit(np.ones((2, model.n_features_in_)), np.zeros(2))
        model.fit(X, Y)
    except (ValueError, TypeError, OverflowError, UserWarning):  # for parameters that scikit-learn's checks accept
        pass


def apart(data):
    """Split a file into its header, the model's settings in it, and its arrays' bytes."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    return header, json.loads(header["__metadata__"]["model"]), data[8 + length :]


def together(header, settings, rest):
    header["__metadata__"]["model"] = settings if isinstance(settings, str) else json.dumps(settings)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + rest


def without(name, header, settings, rest):
    """A file whose metadata lack a name."""
    header["__metadata__"]["model"] = json.dumps(settings)
    del header["__metadata__"][name]
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + rest


def nodes(tree):
    """Every item in nested dicts and lists, as its container and its key."""
    for key, item in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield tree, key
        if isinstance(item, (dict, list)):
            yield from nodes(item)


def test_sound(contents, tmp_path):
    assert not check_refused_or_sound(contents, tmp_path / "model")
    assert not check_refused_or_sound(together(*apart(contents)), tmp_path / "model")


def test_cut_and_lengthened(contents, tmp_path):
    path = tmp_path / "model"
    for n in [*range(0, 200), *range(200, len(contents), 97), len(contents) - 1]:
        assert check_refused_or_sound(contents[:n], path)
    for more in (b"\0", b" " * 8, contents):
        assert check_refused_or_sound(contents + more, path)


def test_damaged_bytes(contents, tmp_path):
    rng = np.random.default_rng(1)
    path = tmp_path / "model"
    for _ in range(N_MUTANTS):
        data = bytearray(contents)
        for _ in range(rng.integers(1, 4)):
            i = int(rng.integers(0, len(data)))
            kind = rng.integers(0, 4)
            if kind == 0:
                data[i] ^= 1 << int(rng.integers(0, 8))
            elif kind == 1:
                data[i] = int(rng.integers(0, 256))
            elif kind == 2:
                data[i:i] = rng.bytes(int(rng.integers(1, 9)))
            else:
                del data[i : i + int(rng.integers(1, 9))]
        check_refused_or_sound(bytes(data), path)


JUNK = [
    *(None, True, False, 0, 1, -1, 2, 3, 7, 2**31, 2**62, 2**63, 2**64, -(2**63), 10**400, 0.5, -0.0, 1e308, -1e300),
    *("", "x", "adam", "relu", "softmax", "float64", "fitted.weights.0", "nan", "inf", "MT19937", "\ud800", "a\0"),
    *([], {}, [0], [[]], [1, 2], ["a", "b"], {"tuple": []}, {"tuple": [1, 2]}, {"array": "fitted.weights.0"}),
    *({"array": "fitted.weights.1"}, {"text": "fitted.weights.0"}, {"float": "nan"}, {"float": "inf"}, {"x": 1}),
    *({"dict": {}}, {"items": []}, {"items": [[[], 1]]}, {"objects": ["a", "b", "c"]}, {"objects": [1, "b", []]}),
    *({"scalar": {"array": "fitted.weights.0"}}, {"type": "float"}, {"dtype": "float32"}, {"random_state": [1, 2]}),
]


@pytest.mark.parametrize("where", ["settings", "header"])
def test_damaged_json(contents, where, tmp_path):
    rng = np.random.default_rng(2)
    path = tmp_path / "model"
    header, settings, rest = apart(contents)
    n_sound = 0
    for _ in range(N_MUTANTS):
        one = copy.deepcopy([header, settings])
        for _ in range(rng.integers(1, 3)):
            places = list(nodes(one[where == "settings"]))
            if not places:
                break
            tree, key = places[rng.integers(0, len(places))]
            kind = rng.integers(0, 4)
            if kind == 0:
                del tree[key]
            elif kind == 1:  # another of its kind
                other, other_key = places[rng.integers(0, len(places))]
                tree[key] = copy.deepcopy(other[other_key])
            elif kind == 2 and type(tree[key]) in (int, float):
                tree[key] += [1, -1, 1e-3, 2**40][rng.integers(0, 4)]
            else:
                tree[key] = copy.deepcopy(JUNK[rng.integers(0, len(JUNK))])
        if isinstance(one[0].get("__metadata__"), dict):
            n_sound += not check_refused_or_sound(together(*one, rest), path)
        else:
            text = json.dumps(one[0]).encode()
            assert check_refused_or_sound(len(text).to_bytes(8, "little") + text + rest, path)
    assert n_sound < N_MUTANTS / 2


def fitted_dict(settings):
    return settings["fitted"]["dict"]


def test_lying_settings(tmp_path):
    """Every rule for the parts of a model is checked."""
    path = tmp_path / "model"
    fastnn.save(MODELS["classifier"].fit(X, Y), path)
    header, settings, rest = apart(path.read_bytes())

    def refused(message, change):
        one = copy.deepcopy([header, settings])
        changed = change(*one)
        with pytest.raises(ValueError, match=f"is not a fastnn model: .*{message}"):
            load_bytes(together(*one, rest) if not isinstance(changed, bytes) else changed, path)

    def put(name, value, part=None):
        def change(_, settings):
            parts = fitted_dict(settings) if part is None else fitted_dict(settings)[part]["dict"]
            assert name in parts
            parts[name] = value

        return change

    refused("version must be one of 1, 2, got '3'", lambda header, _: header["__metadata__"].update(version="3"))
    refused("format must be 'fastnn', got 'pt'", lambda header, _: header["__metadata__"].update(format="pt"))
    for name in ("format", "version", "model"):
        refused(f'header lacks "{name}"', lambda header, _, name=name: without(name, header, settings, rest))
    refused("class must be one of .*, got 'Pipeline'", lambda _, settings: settings.update({"class": "Pipeline"}))
    refused("'alpha' parameter", lambda _, settings: settings["parameters"].update(alpha=-1))
    refused(
        "parameters must be those of .*, got 'fit'",
        lambda _, settings: settings["parameters"].update(fit="x"),
    )
    refused(
        "settings must be a dict",
        lambda _, settings: settings.update({"more": 1}),
    )
    refused("the model must have the parts .*, got .*'more'", lambda _, settings: fitted_dict(settings).update(more=1))
    refused("lacks the array 'fitted.weights.9'", put("weights", [{"array": "fitted.weights.9"}]))
    refused(
        "weights must be 4 different arrays",
        put("weights", fitted_dict(settings)["weights"][:1]),
    )
    refused(
        "weights must be 4 different arrays",
        put("weights", fitted_dict(settings)["weights"][::-1]),
    )
    refused("weights must be 4 different arrays .* got 4 with", put("input_shape", {"tuple": [2**40]}))
    refused("layers of the model must be a list of tuples .*, at least one, got \\[\\]", put("layers", []))
    refused("kind must be one of dense, .*, got 'sparse'", put("layers", [{"tuple": ["sparse", 3]}]))
    for units in (0, -1, 2**40, 1.5, "3", None, True, [3]):
        refused("", put("layers", [{"tuple": ["dense", units, "identity"]}]))
    refused("", put("layers", [{"tuple": ["dense"]}]))
    refused("", put("layers", [{"tuple": []}]))
    refused("", put("layers", [{"tuple": [{}, 3]}]))
    layers = fitted_dict(settings)["layers"]
    refused("activation must be one of", put("layers", [{"tuple": [*layers[0]["tuple"][:2], "sin"]}, *layers[1:]]))
    refused(
        "must be 'identity', got 'relu'", put("layers", [*layers[:-1], {"tuple": [*layers[-1]["tuple"][:2], "relu"]}])
    )
    refused("must have 3 outputs and head='softmax' .* got 3 outputs and head='logistic'", put("head", "logistic"))
    refused(
        "classes must be a sorted array",
        put("classes", {"array": "fitted.state.split.0"}, "targets"),
    )
    refused("classes must be at most 2 with kind='binary', got 3", put("kind", "binary", "targets"))
    refused("feature_names.* must be 3, the number of features, got 1", put("feature_names", {"objects": ["a"]}))
    refused("arrays must be those of the model, got 'fitted.optimizer.* besides", put("optimizer", None))
    refused("optimizer must be one of", put("name", "magic", "optimizer"))
    refused("memories of the optimizer must be .* with name='sgd'", put("name", "sgd", "optimizer"))
    refused(
        "step_count of .* must be an integer from 0 to .*, got 9223",
        put("step_count", 2**63, "optimizer"),
    )
    refused(
        "order of .* must be a permutation of .*, got an array",
        put("order", {"array": "fitted.state.split.0"}, "state"),
    )
    refused("n_iter of the model must be an integer from 0 to .*, got True", put("n_iter", True))
    refused("nested too deeply", lambda _, settings: together(header, "[" * 10**5, rest))
    refused(
        "an object must have each name once",
        lambda _, settings: together(header, '{"class": 1, "class": 1}', rest),
    )
    # NaN and infinity in each array of weights.
    for name, one in header.items():
        if name.startswith("fitted.weights"):
            start, end = one["data_offsets"]
            for value in (np.nan, np.inf):
                array = np.full((end - start) // 8, value)
                data = rest[:start] + array.tobytes() + rest[end:]
                refused("must be finite", lambda header, settings, data=data: together(header, settings, data))


def test_random_numbers_are_where_there_are_some(tmp_path):
    """NumPy reads at any position that it is given, even outside of its state."""
    path = tmp_path / "model"
    fastnn.save(MODELS["classifier"].fit(X, Y), path)
    header, settings, rest = apart(path.read_bytes())
    state = fitted_dict(settings)["state"]["dict"]["random_state"]["random_state"]
    for i, value in itertools.product((2, 3, 4), (625, -1, 2**40, None, "1")):
        if (i, value) in ((3, 625), (3, -1)):
            continue
        before, state[i] = state[i], value
        assert check_refused_or_sound(together(header, settings, rest), path) or i == 3
        state[i] = before


def test_one_array_makes_one_layer(tmp_path):
    path = tmp_path / "model"
    model = MLPClassifier.from_weights([np.eye(100), np.eye(100)], [np.ones(100), np.ones(100)])
    fastnn.save(model, path)
    header, settings, rest = apart(path.read_bytes())
    fitted = fitted_dict(settings)
    fitted["weights"] = fitted["weights"][:2] * 10_000 + fitted["weights"][2:]
    fitted["layers"] = fitted["layers"][:1] * 10_000 + fitted["layers"][1:]
    tracemalloc.start()
    try:
        assert check_refused_or_sound(together(header, settings, rest), path)
        assert tracemalloc.get_traced_memory()[1] < 2**25
    finally:
        tracemalloc.stop()


def test_a_few_bytes_make_no_large_network(tmp_path):
    """A file with thousands of biases in two layers does not allocate millions of weights between them."""
    path = tmp_path / "model"
    n = 20_000
    fastnn.save(MLPClassifier.from_weights([np.ones((n, 1)), np.ones((1, n))], [np.ones(1), np.ones(n)]), path)
    header, settings, rest = apart(path.read_bytes())
    fitted = fitted_dict(settings)
    fitted["weights"][1] = fitted["weights"][3]
    fitted["layers"][0]["tuple"][1] = n
    tracemalloc.start()
    try:
        assert check_refused_or_sound(together(header, settings, rest), path)
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()
