"""MLPClassifier and what else goes on: Ctrl-C, other threads, forks, thread limits, and other CPUs."""

import copy
import gc
import multiprocessing
import os
import pickle
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
from problems import make_trainer, random_targets, random_weights
from processes import PATIENCE, in_thread, run_python
from sklearn.base import clone
from threadpoolctl import threadpool_limits

from fastnn import MLPClassifier
from fastnn.engine.isa import available_levels
from fastnn.engine.threads import team
from fastnn.runtime.threads import effective_n_threads

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 600
X = np.random.default_rng(0).normal(size=(N, 40)).astype(np.float32)
y = (X[:, :3] > 0).sum(axis=1)


def model(**parameters):
    return MLPClassifier(**{"hidden_layer_sizes": (50, 30), "max_iter": 3, "random_state": 0} | parameters)


class CallingRate:
    """A learning rate that calls a function at the start of every epoch."""

    def __init__(self, at_epoch=None):
        self.at_epoch = at_epoch

    def __call__(self, epoch):
        if self.at_epoch:
            self.at_epoch()
        return 0.001

    def __reduce__(self):
        return CallingRate, ()


@pytest.fixture(scope="module")
def fitted():
    return model(n_threads=2).fit(X, y)  # and so OpenMP has started its threads


# -- Ctrl-C ------------------------------------------------------------------------------------------------------------


@contextmanager
def interrupt_after(seconds, model):
    """Press Ctrl-C that many seconds into the model's training, unless it ends sooner; yields a list for that time."""
    pressed = []

    def press():
        pressed.append(time.process_time())  # which other work on this machine does not lengthen
        os.kill(os.getpid(), signal.SIGINT)

    def start():
        model.learning_rate.at_epoch = give_up
        timer.start()

    def give_up():  # at an epoch long after: better to fail than to train for ever
        assert not pressed or time.process_time() - pressed[0] < PATIENCE

    timer = threading.Timer(seconds, press)
    model.set_params(learning_rate=CallingRate(start))
    try:
        yield pressed
    finally:
        timer.cancel()


ENDLESS = {"max_iter": 10**9, "tol": 0.0, "n_iter_no_change": np.inf}
INTERRUPTED = {
    "small epochs": (lambda: (X, y), {"hidden_layer_sizes": (3,)}),
    "large epochs": (lambda: (np.tile(X, (200, 1)), np.tile(y, 200)), {"hidden_layer_sizes": (400,)}),
    "millions of tiny steps": (
        lambda: (np.tile(X[:, :2], (5000, 1)), np.tile(y > 1, 5000)),
        {"hidden_layer_sizes": (1,), "batch_size": 1},
    ),
    "two threads": (lambda: (X, y), {"hidden_layer_sizes": (300,), "n_threads": 2}),
}


@pytest.mark.parametrize(("problem", "parameters"), INTERRUPTED.values(), ids=INTERRUPTED)
def test_interrupt(problem, parameters, monkeypatch):
    monkeypatch.setattr("fastnn.training.interruption.REPEAT_SECONDS", 0.0)
    X, y = problem()
    endless = model(**{"n_threads": 1} | ENDLESS | parameters)
    for seconds in (0.15, 0.25, 0.31):
        with (
            interrupt_after(seconds, endless) as pressed,
            pytest.warns(UserWarning, match="Training interrupted by user"),
        ):
            endless.fit(X, y)
        assert time.process_time() - pressed[0] < 0.5
        assert endless.n_iter_ == len(endless.loss_curve_)
        assert endless.t_ == endless.n_iter_ * len(X)
        assert np.isnan(endless.loss_) if endless.n_iter_ == 0 else endless.loss_ == endless.loss_curve_[-1]
        assert np.isfinite(endless.predict_proba(X[:9])).all()
    n_before = endless.n_iter_
    endless.partial_fit(X[:300], y[:300])
    assert (endless.n_iter_, len(endless.loss_curve_)) == (1, n_before + 1)


def test_interrupt_in_a_callback_of_the_garbage_collector():
    """Python drops what such callbacks raise: here each collection's brings a Ctrl-C, the first of which must count."""
    endless = model(hidden_layer_sizes=(3,), n_threads=1, **ENDLESS | {"max_iter": 50})

    def press(phase, info):
        gc.callbacks.remove(press)
        os.kill(os.getpid(), signal.SIGINT)
        len("the handler runs here, at the latest")

    def start():
        endless.learning_rate.at_epoch = gc.collect
        gc.callbacks.append(press)

    endless.set_params(learning_rate=CallingRate(start))
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        endless.fit(X, y)
    assert endless.n_iter_ == len(endless.loss_curve_) == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_interrupted_partial_fit():
    many, labels = INTERRUPTED["large epochs"][0]()
    interrupted = model(hidden_layer_sizes=(400,), n_threads=1)
    with interrupt_after(0.02, interrupted), pytest.warns(UserWarning, match="Training interrupted by user"):
        interrupted.partial_fit(many, labels, classes=range(4))
    assert (interrupted.n_iter_, interrupted.t_, interrupted.loss_curve_) == (0, 0, [])
    before = interrupted.predict_proba(X)
    assert not np.array_equal(interrupted.partial_fit(X, y).predict_proba(X), before)


# -- threads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("first", ["fresh fit", "warm start", "partial_fit"])
def test_two_threads_train_one_model(first, method):
    rate, errors = CallingRate(), []

    def meddle():
        with pytest.raises(RuntimeError) as caught:
            getattr(meddled, method)(X[:50], y[:50])
        errors.append(str(caught.value))

    meddled = model(learning_rate=rate, warm_start=first == "warm start").fit(X, y)
    undisturbed = model(warm_start=first == "warm start").fit(X, y)
    rate.at_epoch = lambda: in_thread(meddle)
    for one in (meddled, undisturbed):
        one.partial_fit(X, y) if first == "partial_fit" else one.fit(X, y)
    assert len(errors) == meddled.n_iter_
    assert set(errors) == {"This MLPClassifier instance is being fitted by another thread."}
    assert meddled.loss_curve_ == undisturbed.loss_curve_
    np.testing.assert_array_equal(meddled.predict_proba(X), undisturbed.predict_proba(X))
    rate.at_epoch = None
    meddled.partial_fit(X, y)  # it is free again


def test_the_old_model_predicts_while_a_new_one_is_fitted():
    """And is copied and saved."""
    rate, seen = CallingRate(), []

    def meddle():
        seen.append(
            (refitted.predict(X), copy.deepcopy(refitted).predict(X), pickle.loads(pickle.dumps(refitted)).predict(X))
        )

    refitted = model(learning_rate=rate).fit(X, y)
    before = refitted.predict(X)
    rate.at_epoch = lambda: in_thread(meddle)
    refitted.fit(X, np.array(["a", "b"])[y % 2])
    assert len(seen) == refitted.n_iter_
    for predictions in seen:
        for predicted in predictions:
            np.testing.assert_array_equal(predicted, before)
    assert set(refitted.predict(X)) <= {"a", "b"}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_the_model_predicts_as_it_did_while_it_is_trained_on(method):
    """Not with weights of which some are the next step's."""
    rate, seen = CallingRate(), []
    trained = model(learning_rate=rate, warm_start=True).fit(X, y)
    before = trained.predict_proba(X)
    rate.at_epoch = lambda: in_thread(lambda: seen.append(trained.predict_proba(X)))
    trained.fit(X, y) if method == "fit" else trained.partial_fit(X, y, epochs=5)
    assert len(seen) == trained.n_iter_ > 1
    for probabilities in seen:
        np.testing.assert_array_equal(probabilities, before)
    rate.at_epoch = None
    assert not np.array_equal(trained.predict_proba(X), before)


def test_many_threads_predict_with_one_model(fitted):
    parts = [slice(i * 7 % N, i * 7 % N + 5 * i) for i in range(1, 65)]
    expected = [fitted.predict_proba(X[part]) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            for got, right in zip(pool.map(lambda part: fitted.predict_proba(X[part]), parts), expected, strict=True):
                np.testing.assert_array_equal(got, right)


def test_many_threads_fit_models_of_their_own():
    def fit(seed):
        return model(random_state=seed, n_threads=2).fit(X, y).predict_proba(X)

    expected = [fit(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for got, right in zip(pool.map(fit, range(4)), expected, strict=True):
            np.testing.assert_array_equal(got, right)


# -- forks -------------------------------------------------------------------------------------------------------------


def work_in_child(model, pipe):
    again = clone(model).fit(X, y)
    model.partial_fit(X, y)
    pipe.send((effective_n_threads(), effective_n_threads(4), again.predict_proba(X), model.predict_proba(X)))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # what may go wrong is what is tested
def test_a_forked_child_fits_and_predicts(fitted):
    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe()
    child = context.Process(target=work_in_child, args=(fitted, theirs))
    child.start()
    try:
        assert mine.poll(PATIENCE)
        n_threads, n_asked, refitted, trained_on = mine.recv()
    finally:
        child.kill()
        child.join()
    assert (n_threads, n_asked) == (1, 1)
    np.testing.assert_array_equal(refitted, fitted.predict_proba(X))
    np.testing.assert_array_equal(trained_on, copy.deepcopy(fitted).partial_fit(X, y).predict_proba(X))


# -- limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not team.openmp_version, reason="built without OpenMP: one thread, whatever the environment says")
@pytest.mark.parametrize("n", ["1", "3", "3,2"])
def test_environment_limits_threads(n):
    code = "from fastnn.runtime.threads import effective_n_threads as n; print(n(), n(5))"
    assert run_python(code, OMP_NUM_THREADS=n).split() == [n[0], "5"]


def test_affinity_limits_threads():
    code = "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); import fastnn.runtime.threads as t"
    assert run_python(code + "; print(t.effective_n_threads())") == "1\n"


def test_threadpoolctl_limits_threads():
    with threadpool_limits(1):
        assert effective_n_threads() == 1
    assert 1 <= effective_n_threads() <= os.cpu_count()


def test_a_limit_on_what_is_asked_for():
    """OpenMP ends the process when it cannot start a thread."""
    assert effective_n_threads(5) == 5
    assert effective_n_threads(10**12) < 10_000


@pytest.mark.parametrize("level", available_levels())
def test_a_pickle_goes_to_another_cpu(level, tmp_path):
    """Weights and the optimizer's memory are packed anew for its instruction set."""
    models = [model(dtype=dtype).fit(X, y) for dtype in ("float32", "float64")]
    (tmp_path / "models").write_bytes(pickle.dumps((models, X, y)))
    code = """if True:
        import pathlib, pickle, sys, fastnn.engine.isa
        folder = pathlib.Path(sys.argv[1])
        models, X, y = pickle.loads((folder / "models").read_bytes())
        results = [(model.predict_proba(X), model.partial_fit(X, y).predict_proba(X)) for model in models]
        (folder / "results").write_bytes(pickle.dumps(results))
        print(fastnn.engine.isa.level)
    """
    assert run_python(code, tmp_path, FASTNN_ISA=level) == f"{level}\n"
    results = pickle.loads((tmp_path / "results").read_bytes())
    for trained, (predicted, predicted_later), tolerance in zip(models, results, (1e-4, 1e-11), strict=True):
        np.testing.assert_allclose(predicted, trained.predict_proba(X), rtol=0, atol=tolerance)
        trained.partial_fit(X, y)
        np.testing.assert_allclose(predicted_later, trained.predict_proba(X), rtol=0, atol=tolerance)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux")
@pytest.mark.skipif(not team.openmp_version, reason="built without OpenMP: one thread")
@pytest.mark.parametrize("work", ["model.predict(X)", "model.partial_fit(X, y)"])
def test_threads_that_wait_for_each_others_core_leave_the_work_to_one(work):
    """Two threads on one core wait for each other's turns, as beside another program."""
    code = f"""
import os, time
import numpy as np
from fastnn import MLPClassifier
from fastnn.engine.threads.contention import is_contended
model = MLPClassifier.from_weights([np.ones((64, 100)), np.ones((100, 10))], [np.ones(100), np.ones(10)], n_threads=2)
X, y, end = np.ones((2000, 64)), np.arange(2000) % 10, time.monotonic() + 30
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
while not is_contended() and time.monotonic() < end:
    {work}
print(is_contended())
"""
    assert run_python(code).strip() == "True"


@pytest.mark.parametrize("changes", [{}, {"dropout": (0.3,)}, {"clip_norm": 0.1}], ids=str)
def test_a_team_that_is_stalled_leaves_the_rest_to_one_thread(changes, rng):
    """Where another program has a thread's core: every wait counts as a stall here. The bits are the same."""
    X, y, order = rng.random((640, 64)), random_targets(rng, "softmax", 640, 10), rng.permutation(640)
    weights = random_weights(rng, (64, 100, 10))
    outcomes = []
    for n_threads, patience in ((1, 1), (3, 1), (3, -1)):
        trainer = make_trainer(weights, ["relu"], "softmax", "momentum", 100, n_threads, learning_rate=0.1, **changes)
        trainer.patience = patience
        losses = [trainer.run(X, y, order) for _ in range(20)]
        outcomes.append((losses, trainer.network.parameters.tobytes(), trainer.optimizer.step_count))
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert outcomes[0][2] == 20 * 7
