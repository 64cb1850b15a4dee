"""Runs functions, most of them fits, side by side on threads of one process that share its cores."""

import contextvars
import warnings
from collections import deque
from queue import SimpleQueue
from threading import Thread

import sklearn

from fastnn.engine.threads import cores
from fastnn.runtime.blas import blas_threads_kept
from fastnn.runtime.sharing import Place, together
from fastnn.runtime.warnings import user_frame, working_for
from fastnn.training.interruption import Interruption, ending_with
from fastnn.training.progress import progress


def run_side_by_side(jobs, *, n_threads=None, costs=None, names=None, verbose=0):
    """Run functions without arguments on as many threads as pay, the costliest first.

    Parameters
    ----------
    jobs : sequence of callable
        Each fit of fastnn's inside a job uses its share of the threads: one while there are enough jobs, several where
        there are fewer jobs than threads.
    n_threads : int, default=None
        The most threads that all jobs use together. None: all that the calling thread may use, which inside a job is
        its share.
    costs : sequence of float, default=None
        What each job takes, in any unit. None: they begin in their order.
    names : sequence of str, default=None
        What the display calls each job. None: its number.
    verbose : int, default=0
        1 shows a bar if rich or tqdm is installed, else lines.

    Returns
    -------
    list of (object, None) or (None, BaseException)
        What each job returned or raised.

    Raises
    ------
    KeyboardInterrupt
        When Ctrl-C was pressed, or a job raised it. Fits of fastnn's then end within two segments, and leave their
        estimators as they were. What has not begun is left out. It is raised when all jobs have ended, or at the third
        Ctrl-C, which leaves behind what has not.
    """
    jobs = list(jobs)
    names = [str(i) for i in range(len(jobs))] if names is None else names
    with together(n_threads) as place, progress(2 if verbose else 0, len(jobs), unit="fit") as shown:
        run = _Run(jobs, names, place, shown)
        n_workers = min(len(jobs), place.share())
        order = range(len(jobs)) if costs is None else sorted(range(len(jobs)), key=lambda i: -costs[i])
        if n_workers <= 1 or not run.on_threads(order, n_workers):
            run.in_turn()
        return run.taken_outcomes()


class _Run:
    """Jobs that run now.

    Parameters
    ----------
    jobs : list of callable
    names : sequence of str
    place : Place
        What their workers are within.
    shown : NoProgress
    """

    def __init__(self, jobs, names, place, shown):
        self.jobs, self.names, self.place, self.shown = jobs, names, place, shown
        self.outcomes, self.n_ended = [None] * len(jobs), 0
        self.interruption = Interruption()

    def in_turn(self):
        """Run all jobs on the calling thread, in their order."""
        # It is not entered: each fit notes Ctrl-C by itself, and other jobs end by Python's own KeyboardInterrupt.
        with ending_with(self.interruption), self._worker_place().taken():
            for i in range(len(self.jobs)):
                self.interruption.check()
                self._do(i)
                self._show(i)

    def taken_outcomes(self):
        """The outcomes, which it then has no more: an error's traceback has it, and a cycle would keep the data."""
        outcomes, self.outcomes = self.outcomes, None
        return outcomes

    def on_threads(self, order, n_workers):
        """Run all jobs on threads of their own, while the calling one waits. Returns whether any could be started."""
        self.waiting, self.ended = deque(order), SimpleQueue()
        self.frame, self.config = user_frame(), sklearn.get_config()
        # scikit-learn's checks change the process's filters for a moment, and some of its estimators BLAS's number of
        # threads. On several threads one may restore what another one has changed, so that the change stays: hence
        # both are restored when all have ended.
        with self.interruption, warnings.catch_warnings(), blas_threads_kept():
            self.n_working = 0
            try:
                self._start(n_workers)
                self._wait()
            except BaseException:  # a second Ctrl-C, or what the program's own handler raises: wait for a third
                self.interruption.press()
                self._wait()
                raise
            self.interruption.check()
        return not self.waiting

    def _start(self, n_workers):
        for _ in range(n_workers):
            # Contexts have NumPy's treatment of floating-point errors, among others.
            worker = Thread(target=contextvars.copy_context().run, args=(self._work,), daemon=True)
            self.n_working += 1
            try:
                worker.start()
            except RuntimeError:  # the system starts no more threads
                self.n_working -= 1
                return

    def _wait(self):
        while self.n_working > 0:
            i = self.ended.get()
            if i is None:
                self.n_working -= 1
            else:
                self._show(i)

    def _show(self, i):
        self.n_ended += 1
        self.shown.part(self.n_ended, self.names[i])

    def _worker_place(self):
        return Place(self.place.n_cores, within=self.place)

    def _work(self):
        """What a thread does: one job after the other."""
        try:
            cores.run_here()
            with (
                working_for(self.frame),
                ending_with(self.interruption),
                sklearn.config_context(**self.config),
                self._worker_place().taken(),
            ):
                while self.waiting and not self.interruption.is_pressed:
                    try:
                        i = self.waiting.popleft()
                    except IndexError:  # another thread was faster
                        break
                    self._do(i)
                    self.ended.put(i)
        except KeyboardInterrupt:
            self.interruption.press()
        finally:
            self.ended.put(None)

    def _do(self, i):
        """Run a job."""
        try:
            self.outcomes[i] = self.jobs[i](), None
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            self.outcomes[i] = None, error
        self.jobs[i] = None  # what it holds may be large
