"""BLAS has one thread while lbfgs runs, and its own number afterwards, also after estimators of others."""

import contextlib
import threading

import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import ThreadpoolController, threadpool_info

from fastnn import MLPClassifier
from fastnn.runtime.blas import blas_threads_kept, one_blas_thread
from fastnn.training.side_by_side import run_side_by_side


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


def test_jobs_side_by_side_that_overlap(before):
    """As two predictions of scikit-learn's nearest neighbours may: the second one finds one thread, and ends last."""
    first_is_within, second_is_within, first_has_left = (threading.Event() for _ in range(3))

    def first():
        with ThreadpoolController().limit(limits=1, user_api="blas"):
            first_is_within.set()
            second_is_within.wait(10)
        first_has_left.set()

    def second():
        first_is_within.wait(10)
        with ThreadpoolController().limit(limits=1, user_api="blas"):
            second_is_within.set()
            first_has_left.wait(10)

    assert run_side_by_side([first, second], n_threads=2) == [(None, None)] * 2
    assert second_is_within.is_set() and first_has_left.is_set()
    assert numbers() == before


def test_a_limited_number_is_not_taken_for_blass_own(before):
    kept = blas_threads_kept()
    with one_blas_thread():
        kept.__enter__()
    kept.__exit__(None, None, None)
    assert numbers() == before


def test_a_limit_of_lbfgs_outlasts_jobs_side_by_side(before):
    with contextlib.ExitStack() as stack:
        with blas_threads_kept():
            stack.enter_context(one_blas_thread())
        assert set(numbers()) == {1}
    assert numbers() == before
