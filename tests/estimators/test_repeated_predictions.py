"""A prediction does not depend on the predictions before it, whose memory it uses again."""

import threading

import numpy as np
import pytest

from fastnn import MLPClassifier, SequentialClassifier
from fastnn.layers import GRU, BatchNormalization, Conv1D, Conv2D, Embedding, Flatten, MaxPooling2D, Rescaling

MODELS = {
    "mlp": MLPClassifier((37,), max_iter=1),
    "conv": SequentialClassifier([Conv2D(5, 3, padding="same"), MaxPooling2D(2), Conv2D(3, 2)], max_iter=1),
    "steps": SequentialClassifier([Conv1D(3, 3, padding="same"), BatchNormalization(), GRU(7)], max_iter=1),
    "rescaled": SequentialClassifier([Rescaling(2.0), Flatten()], max_iter=1),
}
SHAPES = {"mlp": (24,), "conv": (6, 7, 2), "steps": (5, 3), "rescaled": (5, 3)}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", MODELS)
def test_numbers_out_of_range_do_no_harm_to_later_predictions(kind, dtype, rng):
    X = rng.normal(size=(70, *SHAPES[kind])).astype(dtype)
    model = MODELS[kind].fit(X, np.arange(70) % 3)
    expected, one = model.predict_proba(X), model.predict_proba(X[:1])
    huge = np.copysign(np.finfo(dtype).max, X)
    assert not np.isfinite(model.predict_proba(huge)).all()
    assert np.array_equal(model.predict_proba(X), expected)
    model.predict_proba(huge[:1])
    assert np.array_equal(model.predict_proba(X[:1]), one)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_threads_that_predict_with_one_model_do_not_share_memory(rng):
    X = rng.integers(0, 50, (40, 6))
    model = SequentialClassifier([Embedding(50, 8), GRU(16)], max_iter=1).fit(X, np.arange(40) % 2)
    expected = model.predict_proba(X)
    wrong = []

    def predict():
        for i in range(300):
            n = 1 + i % 40
            if not np.array_equal(model.predict_proba(X[:n]), expected[:n]):
                wrong.append(i)

    threads = [threading.Thread(target=predict) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
