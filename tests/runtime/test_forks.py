"""Forked children of processes that have fitted: they lack OpenMP's threads, and must not wait for them."""

import multiprocessing

import pytest
from processes import run_python

pytestmark = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system cannot fork")

PROGRAM = """
import hashlib, multiprocessing, os, pickle, sys, threading, warnings
import joblib
import numpy as np
from fastnn import MLPClassifier, MLPRegressor, Perceptron, SequentialClassifier
from fastnn.layers import GRU, BatchNormalization, Conv1D, Flatten, MaxPooling1D
warnings.simplefilter("ignore")  # Python warns of forks in processes with threads
X = np.random.default_rng(0).normal(size=(600, 40)).astype(np.float32)
y = (X[:, :3] > 0).sum(axis=1)

def models():
    return [
        MLPClassifier((150, 30), max_iter=2, random_state=0, n_threads=2),
        MLPClassifier((60,), solver="lbfgs", max_iter=2, random_state=0, n_threads=2),
        MLPRegressor(hidden_layer_sizes=(150,), max_iter=2, random_state=0, n_threads=2),
        Perceptron(max_iter=5, n_jobs=2),
        SequentialClassifier(
            [Conv1D(16, 3), MaxPooling1D(2), BatchNormalization(), Conv1D(8, 3), Flatten()],
            max_iter=2, random_state=0, n_threads=2,
        ),
        SequentialClassifier([GRU(16, return_sequences=True), GRU(8)], max_iter=1, random_state=0, n_threads=2),
    ]

def outputs(model):
    return (model.predict_proba if hasattr(model, "predict_proba") else model.predict)(X).tobytes()

def work(fitted):
    fitted = pickle.loads(fitted)
    digest = hashlib.sha256(b"".join(map(outputs, fitted)))
    for model in [model.fit(X, y) for model in models()] + [fitted[0].partial_fit(X, y), fitted[3].partial_fit(X, y)]:
        digest.update(outputs(model))
    return digest.hexdigest()

def forked(fitted, work=work):
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.write(writing, work(fitted).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer

def pooled(fitted):
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(work, [fitted] * 2)

def forked_in_thread(fitted):
    answers = []
    thread = threading.Thread(target=lambda: answers.append((work(fitted), forked(fitted))))
    thread.start()
    thread.join()
    return answers[0]

def forked_beside_a_fit(fitted):
    ended = threading.Event()
    endless = models()[0].set_params(max_iter=10**6, tol=0, n_iter_no_change=10**6, callback=lambda _: ended.is_set())
    thread = threading.Thread(target=endless.fit, args=(X, y))
    thread.start()
    answers = [forked(fitted) for _ in range(2)]
    ended.set()
    thread.join()
    return answers

def forked_beside_its_fit(fitted):
    # The child has the very model that the parent's other thread is fitting.
    begun, ended = threading.Event(), threading.Event()
    def callback(_):
        begun.set()
        return ended.is_set()
    endless = models()[0].set_params(max_iter=10**6, tol=0, n_iter_no_change=10**6, callback=callback)
    thread = threading.Thread(target=endless.fit, args=(X, y))
    thread.start()
    begun.wait()
    def work_with_it(fitted):
        again = endless.set_params(**models()[0].get_params()).fit(X, y)
        assert outputs(again) == outputs(pickle.loads(fitted)[0])
        return work(fitted)
    answers = [forked(fitted, work_with_it) for _ in range(2)]
    ended.set()
    thread.join()
    return answers

def forked_within_its_fit(fitted):
    # A callback's child is within the call that changes the model: there, too, a second call is refused.
    answers = []
    def refused(fitted):
        try:
            changing.fit(X, y)
        except RuntimeError as error:
            assert "is being fitted" in str(error)
            return work(fitted)
    changing = models()[0].set_params(max_iter=1, callback=lambda _: answers.append(forked(fitted, refused)))
    changing.fit(X, y)
    return answers

def through_joblib(backend):
    return lambda fitted: joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(work)(fitted) for _ in range(2))

if __name__ == "__main__":
    fitted = pickle.dumps([model.fit(X, y) for model in models()])
    expected = work(fitted)
    ways = {
        "os.fork": lambda fitted: [forked(fitted) for _ in range(2)],
        "os.fork in a thread": forked_in_thread,
        "os.fork beside a fit": forked_beside_a_fit,
        "os.fork beside its own fit": forked_beside_its_fit,
        "os.fork within its own fit": forked_within_its_fit,
        "multiprocessing": pooled,
        "loky": through_joblib("loky"),
        "joblib's multiprocessing": through_joblib("multiprocessing"),
        "joblib's threading": through_joblib("threading"),
    }
    for way in sys.argv[1:]:
        answers = ways[way](fitted)
        assert set(answers) == {expected}, (way, expected, answers)
        assert work(fitted) == expected  # the parent still can
        print("same bits")
"""
WAYS = {  # some together, which spares imports
    "fork": ["os.fork", "os.fork in a thread", "os.fork beside a fit", "multiprocessing"],
    "its own fit": ["os.fork beside its own fit", "os.fork within its own fit"],
    "joblib": ["joblib's multiprocessing", "joblib's threading"],
    "loky": ["loky"],
}


@pytest.mark.parametrize("ways", WAYS.values(), ids=WAYS)
def test_children_fit_and_predict_the_same_bits(ways, tmp_path):
    program = tmp_path / "program.py"  # a file, which loky's children can import
    program.write_text(PROGRAM, encoding="utf-8")
    assert run_python(program, *ways) == "same bits\n" * len(ways)
