"""How fits that run at once share the cores."""

import os
import threading
from contextlib import suppress

import numpy as np
import pytest
from processes import PATIENCE, in_thread, run_python
from threadpoolctl import threadpool_limits

from fastnn import MLPClassifier, Perceptron
from fastnn.engine.threads import team
from fastnn.runtime import sharing
from fastnn.runtime.sharing import Place, divided, fitting, most_threads, threads_now, together
from fastnn.runtime.threads import effective_n_threads

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.normal(size=(600, 40)).astype(np.float32)
y = (X[:, :3] > 0).sum(axis=1)


@pytest.fixture(autouse=True)
def nobody_is_left(monkeypatch):
    """Places count until they are left, in all tests but those of what happens then."""
    monkeypatch.setattr(sharing, "LINGER_SECONDS", 0.0)
    yield
    assert sharing._outermost == {}
    assert sharing._place_here() is None


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(sharing, "effective_n_threads", lambda n_threads=None: n_threads or 8)


@pytest.mark.parametrize(
    ("n_cores", "needed", "shares"),
    [
        (8, [8], [8]),
        (8, [8, 8, 8], [2, 3, 3]),
        (8, [8, 1, 8], [4, 1, 3]),
        (2, [2, 2, 2], [1, 1, 1]),  # more fits than cores: the user has started so many
        (8, [1, 1], [4, 4]),  # what they do not need to train, they may score with
        (8, [1], [8]),
        (-3, [8, 8], [1, 1]),
    ],
    ids=str,
)
def test_division(n_cores, needed, shares):
    assert sorted(divided(n_cores, needed)) == sorted(shares)
    assert len(needed) >= n_cores or sum(shares) <= n_cores
    assert all(share >= 1 for share in divided(n_cores, needed))


class Beside:
    """A fit on another thread that lasts until the context ends."""

    def __init__(self, n_threads=None, n_needed=8):
        self.arguments, self.begun, self.ends = (n_threads, n_needed), threading.Event(), threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self.fit)
        self.thread.start()
        assert self.begun.wait(PATIENCE)
        return self

    def fit(self):
        with fitting(*self.arguments):
            self.place = sharing._place_here()
            self.begun.set()
            self.ends.wait(PATIENCE)

    def share(self):
        return self.place.share()

    def __exit__(self, *exception):
        self.ends.set()
        self.thread.join(PATIENCE)


@pytest.mark.usefixtures("eight_cores")
class TestFits:
    def test_alone(self):
        with fitting(None, 8):
            assert threads_now() == 8
            assert threads_now(3) == 3
            assert threads_now(10**12) < 10_000

    def test_another_one_begins_and_ends(self):
        with fitting(None, 8):
            with Beside() as other:
                assert (threads_now(), other.share()) == (4, 4)
            assert threads_now() == 8

    def test_one_that_needs_one_thread_leaves_the_rest(self):
        with fitting(None, 8), Beside(n_needed=1):
            assert threads_now() == 7
        with fitting(None, 1), Beside() as other:
            assert (threads_now(), other.share()) == (1, 7)

    def test_the_users_number_is_obeyed(self):
        with fitting(None, 8), Beside(n_threads=3, n_needed=3):
            assert threads_now() == 5
        with fitting(6, 6), Beside() as other:
            assert (threads_now(6), other.share()) == (6, 2)

    def test_a_prediction_beside_fits_has_the_share_of_one_more(self):
        with Beside():
            assert threads_now() == 4
            assert threads_now(8) == 8
        assert threads_now() == 8

    def test_a_fit_within_a_fit_counts_once(self):
        with fitting(None, 8), fitting(None, 1), fitting(None, 8):
            assert len(sharing._outermost) == 1
            assert threads_now() == 8
            with Beside() as other:
                assert (threads_now(), other.share()) == (4, 4)

    def test_an_error(self):
        with pytest.raises(ZeroDivisionError), fitting(None, 8), fitting(None, 8):
            raise ZeroDivisionError
        with fitting(None, 8):
            assert threads_now() == 8

    def test_several_together(self):
        with together() as place:
            workers = [Place(8, within=place) for _ in range(3)]
            with workers[0].taken(), workers[1].taken(), workers[2].taken(), fitting(5, 5):
                assert [worker.share() for worker in workers] == [3, 3, 2]
                assert (threads_now(), threads_now(1), threads_now(8)) == (2, 1, 2)
                with Beside() as other:
                    assert (threads_now(), other.share()) == (1, 4)
                    assert most_threads() == 8
                with together(2) as inner:
                    assert (inner.share(), most_threads(), most_threads(1)) == (2, 2, 1)

    def test_the_number_for_several_together_is_for_all(self):
        with together(3) as place, Beside() as other:
            assert (place.share(), other.share()) == (3, 5)
            with Place(3, within=place).taken():
                assert (threads_now(), threads_now(8), most_threads(8)) == (3, 3, 3)


@pytest.mark.usefixtures("eight_cores")
class TestLeaving:
    @pytest.fixture(autouse=True)
    def long(self, monkeypatch):
        monkeypatch.setattr(sharing, "LINGER_SECONDS", PATIENCE)
        sharing._left.clear()
        yield
        sharing._left.clear()

    def test_what_another_thread_has_left_counts_a_while(self, monkeypatch):
        with fitting(None, 8):
            with Beside():
                pass
            assert threads_now() == 4
            monkeypatch.setattr(sharing, "LINGER_SECONDS", 0.0)
            assert threads_now() == 8
            assert sharing._left == {}

    def test_several_together_do_not_count_it(self):
        """They decide once how many of them go on at the same time."""
        with Beside():
            pass
        with together() as place:
            assert place.share() == 8
            assert threads_now() == 4

    def test_it_counts_once_however_often_a_thread_comes_back(self):
        def fit_twice():
            for _ in range(2):
                with fitting(None, 8):
                    pass

        with fitting(None, 8):
            in_thread(fit_twice)
            assert threads_now() == 4

    def test_one_that_has_begun_again_counts_once(self):
        with fitting(None, 8):
            begun, ends = threading.Event(), threading.Event()

            def fit_twice():
                with fitting(None, 8):
                    pass
                with fitting(None, 8):
                    begun.set()
                    ends.wait(PATIENCE)

            other = threading.Thread(target=fit_twice)
            other.start()
            assert begun.wait(PATIENCE)
            assert threads_now() == 4
            ends.set()
            other.join(PATIENCE)

    def test_a_threads_own_fits_do_not_count(self):
        for _ in range(2):
            with fitting(None, 8), fitting(None, 8):
                assert threads_now() == 8
        assert threads_now() == 8

    def test_what_workers_leave_within_others_does_not_count(self):
        with together() as place:
            workers = [Place(8, within=place) for _ in range(2)]
            with workers[0].taken():
                in_thread(lambda: workers[1].taken().__enter__())
                assert threads_now() == 8


def noting_threads(monkeypatch, name):
    """A list of the threads that the segments of all fits are given from now on."""
    noted, module = [], f"fastnn.training.{name}"
    monkeypatch.setattr(f"{module}.threads_now", lambda n_threads: noted.append(threads_now(n_threads)) or noted[-1])
    return noted


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: MLPClassifier((50, 30), max_iter=4), "thread_choice"),
        (lambda: MLPClassifier((50, 30), max_iter=4, solver="lbfgs"), "thread_choice"),
        (lambda: Perceptron(max_iter=4), "perceptron_loop"),
    ],
    ids=["adam", "lbfgs", "perceptron"],
)
def test_each_segment_has_its_share(make, name, monkeypatch, eight_cores):
    noted = noting_threads(monkeypatch, name)
    with Beside():
        make().fit(X, y)
    assert set(noted) == {4}
    noted.clear()
    make().fit(X, y)
    assert set(noted) == {8}


def test_a_fit_gives_cores_back_while_another_one_runs(monkeypatch, eight_cores):
    noted = noting_threads(monkeypatch, "thread_choice")
    beside = Beside()

    def callback(model):
        if model.n_iter_ == 2:
            beside.__enter__()
        elif model.n_iter_ == 4:
            beside.__exit__()

    MLPClassifier((50, 30), max_iter=6, callback=callback, batch_size=600).fit(X, y)
    assert noted == [8, 8, 4, 4, 8, 8]


@pytest.mark.filterwarnings("ignore:Training interrupted:UserWarning")
@pytest.mark.parametrize("stop", [ValueError, KeyboardInterrupt])
def test_a_fit_that_fails_counts_no_more(stop):
    def callback(model):
        raise stop(3)

    for make in (MLPClassifier, lambda **parameters: MLPClassifier(solver="lbfgs", **parameters)):
        with suppress(stop):
            make(callback=callback).fit(X, y)
        assert sharing._outermost == {}


def test_scores_of_a_fit_use_its_share(monkeypatch, eight_cores):
    noted = noting_threads(monkeypatch, "fit")
    with Beside():
        MLPClassifier((50,), max_iter=3, early_stopping=True).fit(X, y)
    assert set(noted) == {4}


@pytest.mark.skipif(not team.openmp_version, reason="built without OpenMP: one thread")
def test_a_limit_of_the_calling_thread_holds_for_all_that_it_starts():
    with threadpool_limits(1), together() as place:
        shares = []

        def work():
            with Place(8, within=place).taken():
                shares.extend([threads_now(), most_threads(), most_threads(7)])

        in_thread(work)
        assert shares == [1, 1, 1]
    assert threads_now() == effective_n_threads()


FORK = """if True:
    import os, threading, warnings
    warnings.simplefilter("ignore")
    import numpy as np
    from fastnn import MLPClassifier, fit_many
    from fastnn.runtime import sharing

    X = np.random.default_rng(0).normal(size=(600, 40))
    y = (X[:, 0] > 0).astype(int)
    make = lambda seed, **more: MLPClassifier((60, 30), max_iter=6, random_state=seed, **more)
    expected = [make(seed).fit(X, y).loss_curve_ for seed in range(4)]

    def work():
        alone = make(0).fit(X, y).loss_curve_ == expected[0]
        many = [model.loss_curve_ for model in fit_many([*map(make, range(4))], X, y, n_threads=3)] == expected
        return alone and many and sharing.threads_now() == sharing.threads_now(5) == 1

    def fork(model):
        if model.n_iter_ == 2 and not children:
            children.append(os.fork())

    children = []
    ends = threading.Event()
    beside = threading.Thread(target=make(9, callback=lambda model: ends.wait(60)).fit, args=(X, y), daemon=True)
    beside.start()
    {start}
    if children[0] == 0:
        os._exit(0 if work() else 1)
    print(os.waitpid(children[0], 0)[1], flush=True)
    ends.set()
    beside.join()
    print(len(sharing._outermost))
"""
STARTS = {
    "beside a fit": "children.append(os.fork())",
    "within a fit": "make(0, callback=fork, n_threads=3).fit(X, y)",
    "within a fit of many": "fit_many([make(0, callback=fork), make(1)], X, y, n_threads=1)",
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_child_starts_with_nobody_beside_it(start):
    assert run_python(FORK.replace("{start}", start)).split() == ["0", "0"]
