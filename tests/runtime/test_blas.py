"""`one_blas_thread`: BLAS has one thread meanwhile, and its own number afterwards."""

import threading

import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_info

from fastnn import MLPClassifier
from fastnn.runtime.blas import one_blas_thread


def numbers():
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


@pytest.fixture
def before():
    found = numbers()
    if not found or min(found) == 1:
        pytest.skip("BLAS has one thread anyway")
    return found


def test_the_number_is_put_back(before):
    with one_blas_thread():
        assert set(numbers()) == {1}
        with one_blas_thread():
            assert set(numbers()) == {1}
        assert set(numbers()) == {1}
    assert numbers() == before


def test_after_an_error(before):
    with pytest.raises(ZeroDivisionError), one_blas_thread():
        raise ZeroDivisionError
    assert numbers() == before


def test_threads_that_overlap(before):
    """The second thread begins when BLAS has one thread, and ends last. What it has found must not be put back."""
    first_is_within, second_is_within, first_has_left = (threading.Event() for _ in range(3))

    def first():
        with one_blas_thread():
            first_is_within.set()
            second_is_within.wait(10)
        first_has_left.set()

    def second():
        first_is_within.wait(10)
        with one_blas_thread():
            second_is_within.set()
            first_has_left.wait(10)

    threads = [threading.Thread(target=each) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers() == before


def test_lbfgs_uses_it(before):
    seen = []
    model = MLPClassifier((5,), solver="lbfgs", max_iter=3, callback=lambda _: seen.extend(numbers()))
    with pytest.warns(ConvergenceWarning):
        model.fit(*load_iris(return_X_y=True))
    assert set(seen) == {1}
    assert numbers() == before
