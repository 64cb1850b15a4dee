"""Ctrl-C at random moments of many fits: python interruption.py {adam,lbfgs,layers,sequences,perceptron} [times]."""

import os
import random
import signal
import sys
import threading
import time
import warnings

import numpy as np
from resident import resident

from fastnn import MLPClassifier, Perceptron, SequentialClassifier
from fastnn.layers import GRU, BatchNormalization, Conv1D, Flatten, MaxPooling1D
from fastnn.training import interruption

rng = np.random.default_rng(0)
X = rng.normal(size=(2000, 30)).astype(np.float32)
y = (X[:, :3] + rng.normal(size=(2000, 3)) > 0).sum(axis=1)
SEQUENCES = [each[:n] for each, n in zip(X[:, :, None], rng.integers(5, 31, 2000), strict=True)]

ENDLESS = {"max_iter": 10**9, "tol": 0.0, "n_iter_no_change": 10**9}
MODELS = {
    "adam": lambda: MLPClassifier((50,), n_threads=2, random_state=0, **ENDLESS),
    # In float32 it comes to its end in 60 ms.
    "lbfgs": lambda: MLPClassifier(
        (50,), solver="lbfgs", n_threads=2, random_state=0, dtype="float64", max_fun=10**9, **ENDLESS
    ),
    "layers": lambda: SequentialClassifier(
        [Conv1D(16, 3), MaxPooling1D(2), BatchNormalization(), Conv1D(8, 3), Flatten()],
        n_threads=2,
        random_state=0,
        **ENDLESS,
    ),
    "sequences": lambda: SequentialClassifier(
        [GRU(16, return_sequences=True, dropout=0.1), GRU(8)], n_threads=2, random_state=0, **ENDLESS
    ),
    "perceptron": lambda: Perceptron(max_iter=10**9, tol=None, n_jobs=2),
}


def interrupted_fit(model, X, seconds):
    """What comes of a fit that is interrupted after so long, and how much of its thread's time the end took."""
    pressed = []

    def press():
        time.sleep(seconds)
        pressed.append(time.process_time())
        os.kill(os.getpid(), signal.SIGINT)

    presser, outcome = threading.Thread(target=press), "fitted"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            presser.start()
            model.fit(X, y)
            outcome = caught[-1].message.args[0]
        except KeyboardInterrupt:
            outcome = "KeyboardInterrupt"
    slow = time.process_time() - pressed[0]
    presser.join()
    return outcome, slow


def main(kind, times=200):
    random.seed(0)
    samples = SEQUENCES if kind == "sequences" else X
    slowest, outcomes, before = 0.0, {}, None
    for i in range(times):
        model = MODELS[kind]()
        fitted = i % 2 == 0
        if fitted:
            endless = model.get_params()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.set_params(max_iter=2).fit(samples[:200], y[:200])
            model.set_params(**endless)
            expected, attributes = model.predict(samples), sorted(vars(model))
        outcome, slow = interrupted_fit(model, samples, random.random() ** 3 * 0.1)
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
        slowest = max(slow, slowest)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if outcome == "KeyboardInterrupt" and not fitted:
            assert not any(name.endswith("_") for name in vars(model)), vars(model)
        elif outcome == "KeyboardInterrupt":
            assert sorted(vars(model)) == attributes
            assert np.array_equal(model.predict(samples), expected)
        else:
            assert outcome == "Training interrupted by user.", outcome
            assert model.n_iter_ == len(model.loss_curve_)
            assert np.isfinite(model.predict_proba(samples)).all()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.set_params(max_iter=1).fit(samples[:100], y[:100])
        if i == times // 4:
            before = resident()
    grown = resident() - before
    print(
        f"{kind}: {outcomes}, the slowest took {slowest:.3f} s of both threads' time, resident memory {grown:+.1f} MiB"
    )
    assert slowest < 2 * 0.5
    assert grown < 10


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    interruption.REPEAT_SECONDS = 0.0  # each is the only one for its fit
    main(sys.argv[1], *map(int, sys.argv[2:]))
