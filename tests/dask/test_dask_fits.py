"""Fits on a cluster: every collection and network, and the same bits for any number of workers."""

import asyncio
import concurrent.futures
import copy
import pickle
import subprocess
import sys
import time
from unittest.mock import patch

import numpy as np
import pytest
from dask_faults import in_mid_round
from dask_problems import CHUNKS, ENDLESS, IGNORED, LABELS, NUMBERS, TEXTS, WEIGHTS, X, bits, chunked, cluster
from scipy.sparse import csr_matrix
from sklearn.base import clone

from fastnn import MLPClassifier, MLPRegressor, SequentialClassifier, SequentialRegressor
from fastnn.dask import DaskClassifier, DaskRegressor
from fastnn.dask.cluster import Cluster
from fastnn.layers import GRU, BatchNormalization, Conv1D, Dense, Dropout, Flatten

pytest.importorskip("distributed")
pytestmark = [pytest.mark.filterwarnings(each) for each in IGNORED]
import dask  # noqa: E402
import dask.array as da  # noqa: E402
import dask.bag as db  # noqa: E402


@pytest.fixture(scope="module")
def client():
    with cluster(3) as client:
        yield client


def small(**parameters):
    return MLPClassifier((8,), **ENDLESS | {"max_iter": 3} | parameters)


MODELS = {
    "adam": lambda: small(batch_size=32),
    "dropout": lambda: small(solver="sgd", dropout=0.3, clip_norm=1.0, learning_rate="cosine"),
    "layers": lambda: SequentialClassifier(
        [Dense(8), BatchNormalization(), Dropout(0.2), Dense(4)], max_iter=3, solver="rmsprop", **ENDLESS
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_the_same_bits_for_any_number_of_workers(client, name):
    settings = {"sync_unit": "step", "sync_every": 2, "warmup": 2} if name == "dropout" else {}
    made = []
    for n_workers in (1, 2, 3):
        with cluster(n_workers, threads_per_worker=1 + n_workers % 2) as own:
            model = DaskClassifier(MODELS[name](), client=own, **settings)
            made.append(bits(model.fit(*chunked(X, TEXTS))))
    assert made[0] == made[1] == made[2]


def test_threads_and_processes_give_the_same_bits(client):
    def fitted(client):
        model = DaskClassifier(small(early_stopping=True), client=client, shards=3)
        return bits(model.fit(*chunked(X, LABELS)))

    with cluster(2, processes=True) as processes:
        assert fitted(client) == fitted(processes)


def test_shards_decide_the_bits_and_chunks_decide_the_shards(client):
    whole = DaskClassifier(small(), client=client, shards=1).fit(*chunked(X, LABELS))
    halves = DaskClassifier(small(), client=client, shards=2).fit(*chunked(X, LABELS))
    again = DaskClassifier(small(), client=client).fit(*chunked(X, LABELS, chunks=(250, 350)))
    assert bits(halves) == bits(again) != bits(whole)
    assert whole.n_rounds_ == halves.n_rounds_ == 3


def test_one_shard_in_order_has_the_bits_of_fit(client):
    estimator = small(shuffle=False)
    model = DaskClassifier(estimator, client=client, shards=1).fit(*chunked(X, TEXTS))
    own = clone(estimator).fit(X, TEXTS)
    assert model.loss_curve_ == own.loss_curve_
    np.testing.assert_array_equal(model.to_local().coefs_[0], own.coefs_[0])
    np.testing.assert_array_equal(model.classes_, own.classes_)


def test_empty_shards_weigh_nothing(client):
    parts = [da.from_array(each, chunks=each.shape) for each in (X[:300], X[:0], X[300:])]
    labels = [da.from_array(each, chunks=each.shape) for each in (LABELS[:300], LABELS[:0], LABELS[300:])]
    model = DaskClassifier(small(), client=client).fit(da.concatenate(parts), da.concatenate(labels))
    assert np.isfinite(model.loss_curve_).all() and model.t_ == 3 * len(X)


def test_frames_with_text(client):
    pd, dd = pytest.importorskip("pandas"), pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(y=TEXTS, weight=WEIGHTS)
    of_dask = dd.from_pandas(frame, npartitions=4)
    model = DaskClassifier(small(max_iter=20, learning_rate_init=0.02), client=client)
    model.fit(of_dask[list("abcdef")], of_dask["y"], of_dask["weight"])
    assert list(model.feature_names_in_) == list("abcdef") and set(model.classes_) == {"low", "middle", "high"}
    lazy = model.predict(of_dask[list("abcdef")])
    assert isinstance(lazy, da.Array)
    np.testing.assert_array_equal(lazy.compute(), model.predict(frame[list("abcdef")]))
    score = model.score(of_dask[list("abcdef")], of_dask["y"])
    assert isinstance(score, da.Array) and float(score) == model.score(frame[list("abcdef")], TEXTS) > 0.6


def test_bags_of_sequences(client):
    sequences = [each[: 2 + i % 5, None] for i, each in enumerate(X)]
    of_dask, labels = db.from_sequence(sequences, npartitions=3), db.from_sequence(list(LABELS), npartitions=3)
    model = DaskClassifier(SequentialClassifier([GRU(4)], max_iter=2, early_stopping=True, **ENDLESS), client=client)
    model.fit(of_dask, labels)
    np.testing.assert_array_equal(model.predict(of_dask).compute(), model.predict(sequences))
    steps = DaskRegressor(
        SequentialRegressor([GRU(4, return_sequences=True)], max_iter=2, early_stopping=True, **ENDLESS), client=client
    )
    steps.fit(of_dask, db.from_sequence([each[:, 0] for each in sequences], npartitions=3))
    assert len(steps.predict(of_dask).compute()) == len(X)


def test_images_and_several_axes(client):
    images = X.reshape(-1, 3, 2)
    model = DaskClassifier(
        SequentialClassifier([Conv1D(4, 2), Flatten(), Dense(4)], max_iter=2, **ENDLESS), client=client
    )
    model.fit(*chunked(images, LABELS))
    assert model.input_shape_ == (3, 2)
    np.testing.assert_array_equal(model.predict(chunked(images)[0]).compute(), model.predict(images))


def test_sparse_blocks(client):
    blocks = chunked(X)[0].map_blocks(csr_matrix)
    model = DaskClassifier(small(), client=client).fit(blocks, chunked(LABELS)[0])
    dense = DaskClassifier(small(), client=client).fit(*chunked(X, LABELS))
    np.testing.assert_allclose(model.loss_curve_, dense.loss_curve_, rtol=1e-5)


@pytest.mark.parametrize("y", [LABELS, np.column_stack([LABELS, TEXTS == "low"]), np.column_stack([LABELS == 1] * 2)])
def test_targets_and_balanced_classes(client, y):
    y = np.ascontiguousarray(y).astype(int)
    chunks = (150, 100, 200, 150)
    model = DaskClassifier(small(class_weight="balanced", shuffle=False), client=client, shards=1)
    model.fit(*chunked(X, y, WEIGHTS, chunks=chunks))
    own = small(class_weight="balanced", shuffle=False).fit(X, y, WEIGHTS)
    np.testing.assert_allclose(model.loss_curve_, own.loss_curve_, rtol=1e-6)
    several = DaskClassifier(small(class_weight="balanced"), client=client).fit(*chunked(X, y, chunks=chunks))
    np.testing.assert_array_equal(several.predict(chunked(X)[0]).compute(), several.predict(X))
    lazy, here = several.predict_proba(chunked(X)[0]), several.predict_proba(X)
    for one, other in zip(lazy, here, strict=True) if isinstance(lazy, list) else [(lazy, here)]:
        np.testing.assert_array_equal(one.compute(), other)


def test_regression_with_weights_and_samples_to_watch(client):
    model = DaskRegressor(
        MLPRegressor(hidden_layer_sizes=(16,), max_iter=20, learning_rate_init=0.05, **ENDLESS), client=client
    )
    data = chunked(X, NUMBERS, WEIGHTS)
    model.fit(*data, X_val=X[:100], y_val=NUMBERS[:100])
    of_dask = clone(model).fit(*data, X_val=data[0], y_val=data[1])
    assert len(of_dask.validation_scores_) == len(model.validation_scores_) == 20
    assert of_dask.loss_curve_ == model.loss_curve_
    assert 0.8 < float(model.score(*data)) == pytest.approx(model.score(X, NUMBERS, WEIGHTS))
    assert of_dask.validation_scores_[-1] == pytest.approx(model.score(X, NUMBERS), abs=1e-6)


def test_early_stopping_has_the_best_weights(client):
    model = DaskClassifier(small(early_stopping=True, learning_rate_init=0.05).set_params(max_iter=8), client=client)
    model.fit(*chunked(X, LABELS))
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.best_epoch_ == 1 + int(np.argmax(model.validation_scores_))
    other = clone(model).set_params(sync_every=3).fit(*chunked(X, LABELS))
    assert np.isnan(other.validation_scores_).tolist() == [True, True, False] * 2 + [True, False]


def test_training_resumes_to_the_bit(client):
    data = chunked(X, LABELS)
    six = DaskClassifier(small(dropout=0.2), client=client).set_params(estimator__max_iter=6).fit(*data)
    three = DaskClassifier(small(dropout=0.2, warm_start=True), client=client).fit(*data)
    before = copy.deepcopy(bits(three))
    assert bits(three.fit(*data)) == bits(six) != before
    parts = DaskClassifier(small(dropout=0.2), client=client)
    for _ in range(3):
        parts.partial_fit(*data, classes=[0, 1, 2], epochs=2)
    assert bits(parts) == bits(six) and parts.n_rounds_ == 6
    local = parts.to_local().partial_fit(X, LABELS)
    assert len(local.loss_curve_) == 7 and len(parts.loss_curve_) == 6


def test_a_callback_ends_the_fit(client):
    epochs = []
    model = DaskClassifier(small(callback=lambda model: epochs.append(model.loss_) or len(epochs) == 2), client=client)
    assert model.fit(*chunked(X, LABELS)).n_iter_ == len(epochs) == 2


def test_rates_of_schedules_and_functions(client):
    data = chunked(X, LABELS)
    for rate in ("invscaling", "adaptive", "one_cycle", lambda epoch: 0.01 / (1 + epoch)):
        model = DaskClassifier(small(learning_rate=rate, shuffle=False, solver="sgd"), client=client, shards=1)
        own = small(learning_rate=rate, shuffle=False, solver="sgd").fit(X, LABELS)
        assert model.fit(*data).loss_curve_ == own.loss_curve_


def test_clones_and_pickles(client):
    model = DaskClassifier(small(), client=client, shards=2)
    assert clone(model).client is client and clone(model).estimator is not model.estimator
    loaded = pickle.loads(pickle.dumps(model.fit(*chunked(X, LABELS))))
    assert loaded.client is None
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_names_of_tasks():
    with cluster(1) as client:
        model = DaskClassifier(small(early_stopping=True), client=client).fit(*chunked(X, LABELS))
        model.predict_proba(chunked(X)[0]).compute(scheduler=client.get)
        names = client.run_on_scheduler(lambda dask_scheduler: set(dask_scheduler.task_prefixes))
    assert {"fastnn-read-shard", "fastnn-train-shard", "fastnn-average", "fastnn-validate"} <= names
    assert "fastnn-predict-proba" in names


def test_nothing_is_left_on_the_cluster(client):
    DaskClassifier(small(), client=client).fit(*chunked(X, LABELS))

    def left(dask_scheduler):
        return [key for key in dask_scheduler.tasks if "fastnn" in str(key)]

    for _ in range(50):
        if not client.run_on_scheduler(left):
            return
        time.sleep(0.1)
    assert client.run_on_scheduler(left) == []


def test_dask_is_not_imported_before_it_is_used():
    code = (
        "import sys; from fastnn.dask import DaskClassifier; from fastnn import MLPClassifier;"
        "DaskClassifier(MLPClassifier()); assert 'dask' not in sys.modules and 'distributed' not in sys.modules;"
        "sys.modules['dask.base'] = sys.modules['distributed'] = None\n"
        "try: DaskClassifier(MLPClassifier()).fit(1, 2)\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'scikit-fastnn[dask]'" in done.stdout


def test_chunks_are_as_expected():
    assert sum(CHUNKS) == len(X) and dask.is_dask_collection(chunked(X)[0])


@pytest.mark.parametrize("n_shards", [2, 5])
def test_rounds_that_are_submitted_ahead_have_the_same_bits(client, monkeypatch, n_shards):
    """Also where an end that nobody could know of makes the round ahead superfluous."""

    def fitted():
        ended = small(callback=lambda model: model.n_iter_ == 5, max_iter=9, learning_rate="invscaling")
        model = DaskClassifier(ended, client=client, shards=n_shards, sync_unit="step", sync_every=2)
        return bits(model.fit(*chunked(X, LABELS)))

    ahead = fitted()
    monkeypatch.setattr("fastnn.dask.round_tasks.LINKED_ROUNDS", 1)
    assert fitted() == ahead
    monkeypatch.setattr("fastnn.dask.round_tasks.FEW_GROUPS", 1 if n_shards == 2 else 10)
    assert fitted() == ahead
    assert len(ahead[2]) == 5


def test_a_tree_hands_the_state_on(monkeypatch):
    """What the client sends; not only where there are many workers. When one of them leaves, others take over."""
    made = []
    for fan_out in (100, 1):
        monkeypatch.setattr("fastnn.dask.round_tasks.FAN_OUT", fan_out)
        with cluster(4) as client:
            leave = in_mid_round(lambda: client.cluster.scale(2))
            made.append(bits(DaskClassifier(small(callback=leave, max_iter=6), client=client).fit(*chunked(X, LABELS))))
            names = client.run_on_scheduler(lambda dask_scheduler: set(dask_scheduler.task_prefixes))
            assert ("fastnn-hand-on" in names) == (fan_out == 1)
    assert made[0] == made[1]


def at_work(client):
    own = Cluster(client, None, check=lambda: None)
    own.level = "baseline"
    return own


class Fleeting:
    """A future that was finished when it was last looked at, and that has changed when its result is fetched."""

    def __init__(self, error, status="cancelled"):
        self.error, self.statuses, self.key = error, ["finished", status], "root"

    @property
    def status(self):
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]

    def add_done_callback(self, function):
        function(self)

    def result(self, timeout):
        raise self.error

    def exception(self, timeout):
        return self.error


@pytest.mark.parametrize(
    "error", [concurrent.futures.CancelledError("by a restart"), asyncio.CancelledError(), TimeoutError()], ids=repr
)
def test_a_result_that_is_lost_while_it_is_fetched_is_computed_again(client, error):
    own = at_work(client)
    kept = client.submit(int, 7)
    roots = [Fleeting(error), kept]
    assert own.finish(lambda *_: (roots.pop(0), {})) == 7


def test_a_result_that_fails_when_it_is_computed_again_has_its_shards_name(client):
    own, root = at_work(client), Fleeting(ZeroDivisionError("no"), "error")
    with pytest.raises(RuntimeError, match="shard 3 failed: ZeroDivisionError: no"):
        own.finish(lambda *_: (root, {root: "shard 3"}))
    computed_again, roots = Fleeting(None), [client.submit(int, 8)]
    computed_again.statuses = ["error"]
    roots.insert(0, computed_again)
    assert own.finish(lambda *_: (roots.pop(0), {})) == 8


def test_shards_are_shared_out_by_threads_and_stay_where_they_are(client):
    own = Cluster(client, None, check=lambda: None)
    with patch.object(own, "_call", lambda _: {"a": 1, "b": 2, "c": 1}):
        places = own.places(8, [])
        assert places == sorted(places)  # neighbours belong together
        assert sorted(places) == ["a", "a", "b", "b", "b", "b", "c", "c"]
        assert own.places(8, places) == places
        own.slow = {"b"}
        moved = own.places(8, places)
        assert sorted(moved) == ["a"] * 4 + ["c"] * 4
        assert all(new == old for new, old in zip(moved, places, strict=True) if old != "b")
        own.silent = {"a", "c"}
        assert own.places(8, moved) == []
