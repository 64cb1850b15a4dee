"""A stream that is wrong is refused with its chunk's number, and the model stays as it was."""

import gc
import threading
import time
import weakref

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from fastnn import MLPClassifier, MLPRegressor, Perceptron, SequentialClassifier
from fastnn.data.reader import Reader
from fastnn.layers import Dense
from fastnn.training.thread_choice import ThreadChoice

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
LABELS = (X[:, 0] > 0).astype(int)
FRAME = pd.DataFrame(X, columns=list("abcd"))
WITH_NAN = np.where(X[7, 2] == X, np.nan, X)
MODELS = {
    "MLPClassifier": MLPClassifier((5,), max_iter=3, random_state=0),
    "MLPRegressor": MLPRegressor(hidden_layer_sizes=(5,), max_iter=3, random_state=0),
    "SequentialClassifier": SequentialClassifier([Dense(5)], max_iter=3, random_state=0),
    "Perceptron": Perceptron(max_iter=3, tol=None),
}
GOOD = X, LABELS


def failing(error, after):
    """A function that returns an iterator which raises after so many chunks."""

    def chunks():
        for _ in range(after):
            yield GOOD
        raise error

    return chunks


def ending_early(n_first, n_later):
    """A function whose iterators have other numbers of chunks than the first one."""
    sizes = [n_first]

    def chunks():
        size = sizes.pop() if sizes else n_later
        return iter([GOOD] * size)

    return chunks


ONE_ITERATOR = iter([GOOD])
# Chunks, what fit_stream is given besides, the error and a part of its text.
BAD = {
    "another width": ([GOOD, (X[:, :3], LABELS)], {}, ValueError, "chunk 1: X has 3 features"),
    "a wider type": ([(X.astype(np.float32), LABELS), GOOD], {}, ValueError, "chunk 1: X must be numbers that float32"),
    "sparse after dense": ([GOOD, (sp.csr_matrix(X), LABELS)], {}, ValueError, "chunk 1: X must be dense"),
    "dense after sparse": ([(sp.csr_matrix(X), LABELS), GOOD], {}, ValueError, "chunk 1: X must be sparse"),
    "other columns": (
        [(FRAME, LABELS), (FRAME.rename(columns={"a": "z"}), LABELS)],
        *({}, ValueError, "chunk 1: The feature names should match"),
    ),
    "NaN in the third": ([GOOD, GOOD, (WITH_NAN, LABELS)], {}, ValueError, "chunk 2: Input X contains NaN"),
    "fewer targets": ([GOOD, (X, LABELS[1:])], {}, ValueError, "chunk 1: Found input variables with inconsistent"),
    "weights in one": ([GOOD, (X, LABELS, LABELS + 1)], {}, ValueError, "chunk 1: sample_weight must be given with"),
    "no weights in one": ([(X, LABELS, LABELS + 1), GOOD], {}, ValueError, "chunk 1: sample_weight must be given with"),
    "negative infinity": ([GOOD, (X, LABELS, np.full(60, -np.inf))], {}, ValueError, "chunk 1: .*sample_weight"),
    "not a pair": ([GOOD, X], {}, ValueError, "chunk 1 must be a tuple of X and y"),
    "four parts": ([(*GOOD, None, None)], {}, ValueError, "chunk 0 must be a tuple .*, got 4 of them"),
    "no chunks": ([], {}, ValueError, "chunks must have at least 1 chunk, got 0"),
    "an iterator": (iter([GOOD]), {}, ValueError, "chunks must be something that can be gone through again"),
    "a generator": ((GOOD for _ in range(3)), {}, ValueError, "which can be gone through once only"),
    "a number": (3, {}, ValueError, "chunks must be an iterable of chunks, or a function"),
    "a function's one iterator": (lambda: ONE_ITERATOR, {}, ValueError, "chunks must have at least 1 chunk"),
    "an error of the stream's": (failing(KeyError("lost"), 2), {}, KeyError, "It was raised when chunk 2 was read"),
    "an error at once": (failing(OSError("lost"), 0), {}, OSError, "It was raised when chunk 0 was read"),
    "an early end": (ending_early(9, 5), {"n_samples": 420}, ValueError, "chunks must have 420 samples, .*got 300"),
    "too many": ([GOOD] * 3, {"n_samples": 100}, ValueError, "as n_samples says, got 120 with chunk"),
    "too few": ([GOOD] * 3, {"n_samples": 200}, ValueError, "must have 200 samples, as n_samples says, got 180"),
    "n_samples of 0": ([GOOD], {"n_samples": 0}, ValueError, "n_samples must be an integer of at least 1, got 0"),
    "no buffer": ([GOOD], {"shuffle_buffer": 0}, ValueError, "shuffle_buffer must be an integer of at least 1, got 0"),
    "half an epoch": ([GOOD], {"epochs": 0.5}, ValueError, "epochs must be an integer of at least 1, got 0.5"),
}


def state_of(model):
    return {name: value for name, value in vars(model).items() if name != "callback"}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("fault", BAD)
def test_a_bad_stream_leaves_the_model_as_it_was(fault, name):
    chunks, settings, error, text = BAD[fault]
    model = clone(MODELS[name]).fit(X, LABELS)
    before, predicted = dict(vars(model)), model.predict(X)
    with pytest.raises(error) as caught:
        model.fit_stream(chunks, **settings)
    assert pytest.RaisesExc(error, match=text).matches(caught.value)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[each] is before[each] for each in before)
    np.testing.assert_array_equal(model.predict(X), predicted)
    assert not [thread for thread in threading.enumerate() if "_work" in thread.name]


@pytest.mark.parametrize("name", ["MLPClassifier", "SequentialClassifier", "Perceptron"])
def test_classes_of_later_chunks(name):
    model = clone(MODELS[name])
    with pytest.raises(ValueError, match="chunk 1: y must have no other classes"):
        model.fit_stream([GOOD, (X, LABELS + 1)], classes=[0, 1])
    with pytest.raises(ValueError, match="chunk 1: y must be labels of one type"):
        model.fit_stream([GOOD, (X, LABELS.astype(str))])
    with pytest.raises(ValueError, match="Unknown label type"):
        model.fit_stream([GOOD, (X, LABELS + 0.5)])
    assert not hasattr(model, "classes_")


@pytest.mark.parametrize("name", ["MLPClassifier", "SequentialClassifier"])
def test_classes_of_a_warm_start(name):
    model = clone(MODELS[name]).set_params(warm_start=True)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, LABELS)
    with pytest.raises(
        ValueError, match=r"classes must be those that the model has, array\(\[0, 1\]\), got \[0, 1, 2\]"
    ):
        model.fit_stream([GOOD], classes=[0, 1, 2])


def test_classes_are_those_of_all_chunks():
    chunks = [(X, np.zeros(60, int)), (X, LABELS + 1)]
    with pytest.warns(ConvergenceWarning):
        model = clone(MODELS["MLPClassifier"]).fit_stream(chunks)
    np.testing.assert_array_equal(model.classes_, [0, 1, 2])


def test_a_regressor_has_no_classes():
    with pytest.raises(ValueError, match="classes must be None for a regressor"):
        clone(MODELS["MLPRegressor"]).fit_stream([GOOD], classes=[0, 1])


def test_targets_of_other_numbers_of_columns():
    with pytest.raises(ValueError, match="chunk 1: y must have 1 columns, as in the first fit, got 2"):
        clone(MODELS["MLPRegressor"]).fit_stream([GOOD, (X, X[:, :2])])
    with pytest.raises(ValueError, match="chunk 1: y must have 1 columns, as in the first chunk"):
        clone(MODELS["MLPClassifier"]).fit_stream([GOOD, (X, np.stack([LABELS, LABELS], axis=1))])


def test_early_stopping_needs_samples_to_watch():
    model = MLPClassifier((5,), early_stopping=True, random_state=0, max_iter=30, n_iter_no_change=2)
    with pytest.raises(ValueError, match="early_stopping must be False for fit_stream without X_val and y_val"):
        model.fit_stream([GOOD])
    model.fit_stream([GOOD] * 2, X_val=X, y_val=LABELS)
    assert len(model.validation_scores_) == len(model.loss_curve_)
    assert model.best_validation_score_ == model.score(X, LABELS)


def test_lbfgs_is_refused():
    with pytest.raises(AttributeError, match="fit_stream") as caught:
        MLPClassifier(solver="lbfgs").fit_stream([GOOD])
    assert "solver must be stochastic for partial_fit and fit_stream" in str(caught.value.__cause__)


def test_weights_that_are_all_zero():
    with pytest.raises(ValueError, match="the weights of the samples to train on must add up"):
        clone(MODELS["MLPRegressor"]).fit_stream([(X, LABELS, np.full(60, 1e-320))])


def test_a_fit_diverges_as_in_memory():
    model = MLPClassifier((5,), solver="sgd", learning_rate_init=1e200, random_state=0)
    with pytest.raises(ValueError, match="Training diverged in epoch 2: the loss became"):
        model.fit_stream([GOOD] * 3)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_callbacks_get_models_and_may_end_the_fit():
    seen = []
    model = MLPClassifier((5,), random_state=0, callback=lambda model: seen.append(model.loss_) or len(seen) == 2)
    model.fit_stream([GOOD] * 3)
    assert seen == model.loss_curve_ and len(seen) == 2


def test_epochs_are_printed(capsys):
    MLPClassifier((5,), random_state=0, verbose=True).fit_stream([GOOD] * 3, epochs=2)
    assert capsys.readouterr().out.count("loss") == 2


def test_max_iter_warns_and_epochs_do_not():
    model = MLPClassifier((5,), random_state=0, max_iter=2)
    with pytest.warns(ConvergenceWarning, match="Maximum iterations"):
        model.fit_stream([GOOD])
    assert model.n_iter_ == 2
    assert model.fit_stream([GOOD], epochs=3).n_iter_ == 3


def test_the_next_chunk_is_read_while_one_is_trained_on():
    """And no more than that: else a slow fit would fill memory."""
    asked, threads = [], set()

    def chunks():
        for i in range(6):
            asked.append(i)
            threads.add(threading.current_thread())
            yield i, i

    reader = Reader(enumerate_closing(chunks()), lambda number, chunk: number, lambda: None)
    taken = reader.take()
    assert taken == 0
    time.sleep(0.05)
    assert asked == [0]
    reader.proceed()
    while len(asked) < 2:
        time.sleep(0.01)
    time.sleep(0.05)
    assert asked == [0, 1]
    reader.close()
    assert threading.main_thread() not in threads
    assert not reader.thread.is_alive()


def computing(seconds):
    start = time.process_time()
    while time.process_time() < start + seconds:
        pass


@pytest.mark.parametrize(("read", "takes_core"), [(computing, True), (time.sleep, False)])
def test_training_leaves_a_thread_to_reading_that_computes(read, takes_core, monkeypatch):
    def chunks():
        for i in range(3):
            read(0.1)
            yield X[i::3], LABELS[i::3]

    def next_number(self, n_beside=0):
        given.append(n_beside)
        return original(self, n_beside)

    given, original = [], ThreadChoice.next
    monkeypatch.setattr(ThreadChoice, "next", next_number)
    MLPClassifier((5,), batch_size=10, shuffle=False).fit_stream(chunks, classes=[0, 1], epochs=2)
    assert max(given) == takes_core


def enumerate_closing(chunks):
    yield from enumerate(chunks)


def test_ctrl_c_keeps_what_is_learnt(monkeypatch):
    import _thread

    def chunks():
        for i in range(400):
            if i == 20:
                _thread.interrupt_main()
            yield GOOD

    model = MLPClassifier((5,), random_state=0)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit_stream(chunks, classes=[0, 1], epochs=3, shuffle_buffer=10)
    assert model.loss_curve_ == [] and model.t_ == 0
    assert model.predict(X).shape == (60,)


def test_the_order_is_drawn_by_chunks_and_within_the_buffer():
    from fastnn.data.chunks import Chunks

    rows = np.arange(1000)
    chunks = [rows[i : i + 100] for i in range(0, 1000, 100)]
    orders = {}
    for seed in (0, 0, 1):
        order = drawn_order(Chunks(chunks), np.random.RandomState(seed))
        np.testing.assert_array_equal(np.sort(order), rows)
        np.testing.assert_array_equal(orders.setdefault(seed, order), order)
    assert (orders[0] != orders[1]).mean() > 0.9
    assert abs(np.diff(orders[0])).mean() > 50
    assert len(set(orders[0][:96] // 100)) <= 3  # no full shuffle: these are of the first chunks


def test_rows_stay_in_place_while_the_next_chunk_is_placed():
    """Chunks grow, so that the buffer has to grow while others of its rows are trained on."""
    from fastnn.data.chunks import Chunks
    from fastnn.data.shuffle_buffer import Shuffled

    rows, n_placed = np.arange(3000), 0
    chunks = np.split(rows, np.cumsum([10, 50, 20, 300, 100, 700, 30, 900]))
    random_state = np.random.RandomState(0)
    arranged = Shuffled(16, 100, random_state)

    def prepare(_, chunk):
        nonlocal n_placed
        placed = arranged.placed(as_samples(chunk))
        n_placed += 1
        return placed

    reader, seen = Reader(Chunks(chunks).numbered(random_state), prepare, lambda: None), []
    for samples, order in arranged.blocks(reader):
        end = time.monotonic() + 10
        while n_placed < min(reader.n_chunks + 1, len(chunks)) and time.monotonic() < end:
            time.sleep(0.001)
        assert n_placed == min(reader.n_chunks + 1, len(chunks))
        np.testing.assert_array_equal(samples.X[order, 0], samples.targets[order])
        seen.extend(samples.targets[order])
    reader.close()
    np.testing.assert_array_equal(np.sort(seen), rows)


def test_the_buffer_goes_with_its_epoch(monkeypatch):
    """Without a garbage collection: the buffer may be most of the memory there is."""
    from fastnn.data import shuffle_buffer

    buffers, alive = weakref.WeakSet(), []

    class Slots(shuffle_buffer.Slots):
        def __init__(self, *args):
            super().__init__(*args)
            buffers.add(self)

    monkeypatch.setattr(shuffle_buffer, "Slots", Slots)
    gc.collect()
    gc.disable()
    try:
        model = MLPClassifier((5,), random_state=0, callback=lambda _: alive.append(len(buffers)))
        model.fit_stream([GOOD, GOOD], epochs=3)
    finally:
        gc.enable()
    assert alive == [0, 0, 0]


def drawn_order(chunks, random_state):
    from fastnn.data.shuffle_buffer import Shuffled

    arranged = Shuffled(32, 150, random_state)
    reader = Reader(chunks.numbered(random_state), lambda _, chunk: arranged.placed(as_samples(chunk)), lambda: None)
    taken = [samples.targets[order] for samples, order in arranged.blocks(reader)]
    reader.close()
    return np.concatenate(taken)


def as_samples(chunk):
    from fastnn.data.samples import Samples

    return Samples(chunk[:, None].astype(float), chunk)


def test_schedules_go_by_epoch_first_and_then_by_batch(monkeypatch):
    from fastnn.training import loop

    given = []
    run_epoch = loop.Segments.run_epoch
    monkeypatch.setattr(
        loop.Segments, "run_epoch", lambda self, *args: given.append(args[2].tolist()) or run_epoch(self, *args)
    )
    model = MLPClassifier((5,), learning_rate="cosine", batch_size=20, max_iter=2, shuffle=False, random_state=0)
    model.fit_stream([GOOD])
    (first, second) = given
    assert first == [1.0] * 3
    np.testing.assert_allclose(second, [(1 + np.cos(np.pi * t)) / 2 for t in (1 / 2, 4 / 6, 5 / 6)])


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_auto_batches_have_200_samples():
    model = MLPClassifier((5,), max_iter=1, random_state=0).fit_stream([GOOD] * 10)
    assert model._trainer.batch_size == 200
    assert MLPClassifier((5,), max_iter=1).fit_stream([GOOD], n_samples=60)._trainer.batch_size == 60


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_a_saved_model_goes_on(tmp_path):
    from fastnn import load, save

    settings = {"warm_start": True, "warmup_fraction": 0.2, "max_iter": 10, "random_state": 0}
    chunks = [GOOD] * 4
    model = MLPClassifier((5,), **settings).fit_stream(chunks, epochs=2)
    save(model, tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert model.fit_stream(chunks, epochs=2).loss_curve_ == loaded.fit_stream(chunks, epochs=2).loss_curve_
