"""The workers of a cluster: what they can compute with, which of them are given work, and what is done on failures."""

import asyncio
import statistics
import threading
import time
import uuid
from concurrent.futures import CancelledError

from fastnn.engine import isa
from fastnn.runtime.warnings import warn_user

RETRIES = 3  # so often a task is submitted again elsewhere
TICK_SECONDS = 0.2  # between two looks at Ctrl-C, at the scheduler and at the clock
LOOK_SECONDS = 2.0  # between two looks at which workers there are
ANSWER_SECONDS = 5.0  # in which a worker that is alive answers, and a scheduler
DESERTED_SECONDS = 20.0  # without any worker, after which a fit gives up: a nanny starts another one sooner
LEAST_TIMEOUT, TIMES_MEDIAN = 60.0, 10  # of `round_timeout=None`


class Again(Exception):
    """What was submitted has to be submitted again: it was lost, or took too long."""


def levels_here():
    """The instruction sets that this process may use, best first: FASTNN_ISA takes those above it away."""
    levels = isa.available_levels()
    return levels[levels.index(isa.level) :]


def shared_level(levels):
    """The best instruction set that all workers have.

    Parameters
    ----------
    levels : dict of str to list of str
        Those of each worker, best first.

    Raises
    ------
    RuntimeError
        When the builds of fastnn on the workers share no instruction set.
    """
    first, *others = levels.values()
    for level in first:
        if all(level in other for other in others):
            return level
    raise RuntimeError(f"the cluster lacks an instruction set that all of its workers have, got {levels}")


def failure(what, error):
    """The error to raise for one on a worker: it names the shard and the cause."""
    kind = type(error) if type(error) in (ValueError, TypeError, MemoryError) else RuntimeError
    return kind(f"{what} failed: {type(error).__name__}: {error}")


class Cluster:
    """A client's workers, as a fit uses them.

    Parameters
    ----------
    client : distributed.Client
    round_timeout : float or None
        The estimator's parameter.
    check : callable
        It is called while the fit waits, and raises KeyboardInterrupt after Ctrl-C.

    Attributes
    ----------
    token : str
        Part of the names of all tasks of a fit.
    level : str or None
        The instruction set of the fit.
    n_lost : int
        How often something had to be submitted again.
    """

    def __init__(self, client, round_timeout, check):
        self.client, self.round_timeout, self.check = client, round_timeout, check
        self.token, self.level, self.n_lost = uuid.uuid4().hex, None, 0
        self.known, self.unable, self.slow, self.silent = set(), set(), set(), set()
        self.placed = set()  # the workers that shards belong to
        self._paces, self._looked, self._seen = [], 0.0, time.monotonic()

    def key(self, what, *numbers):
        """The name of a task: Dask's dashboard shows `what`."""
        return "-".join(["fastnn", what, self.token, *map(str, numbers)])

    # -- the scheduler and the workers --------------------------------------------------------------------------------

    def _call(self, function, *arguments, **keywords):
        """What a coroutine of the client's returns, as long as the scheduler answers."""
        for is_second in (False, True):
            self.check_scheduler()
            try:
                return self.client.sync(function, *arguments, callback_timeout=2 * ANSWER_SECONDS, **keywords)
            except (OSError, TimeoutError) as error:  # the time may also be up since this machine was asleep
                if is_second or not isinstance(error, TimeoutError):
                    raise self._lost_scheduler() from error

    def check_scheduler(self):
        """Raise ConnectionError where the scheduler is lost."""
        if self.client.status != "running":
            raise self._lost_scheduler()

    def _lost_scheduler(self):
        address = getattr(self.client.scheduler, "address", "")
        return ConnectionError(f"the connection to Dask's scheduler {address} failed, or the scheduler was restarted")

    def addresses(self):
        """The workers that the scheduler has."""
        return set(self._call(self.client.scheduler.ncores))

    def answers(self, function, addresses, seconds=ANSWER_SECONDS):
        """What a function returns on each worker that answers in time.

        Returns
        -------
        dict
        """

        async def ask(address):
            try:
                answer = await asyncio.wait_for(
                    self.client.run(function, workers=[address], on_error="return"), seconds
                )
            except (OSError, ValueError, TimeoutError):
                return address, None
            return address, answer.get(address)

        async def ask_all():
            return await asyncio.gather(*map(ask, sorted(addresses)))

        given = self._call(ask_all) if addresses else ()
        return {address: answer for address, answer in given if not isinstance(answer, (BaseException, type(None)))}

    def agree(self, level=None):
        """Let all workers report their instruction sets, before the first round.

        Parameters
        ----------
        level : str, default=None
            That of the training which this one continues; None is the best that the workers share.

        Raises
        ------
        RuntimeError
            When the workers share no instruction set, or no worker has the given one.
        """
        deadline = time.monotonic() + DESERTED_SECONDS
        while not (levels := self.answers(levels_here, self.addresses())):
            self.check()
            if time.monotonic() > deadline:
                raise RuntimeError(
                    "the cluster lacks workers that answer: start some, by cluster.scale(2) for instance"
                )
            time.sleep(TICK_SECONDS)
        self.known = set(levels)
        self.level = shared_level(levels) if level is None else level
        self._leave_out(levels)
        if self.known == self.unable:
            raise RuntimeError(
                f"the cluster lacks a worker with the instruction set {level} of the training so far: start one"
            )

    def _leave_out(self, levels):
        for address, has in levels.items():
            if self.level not in has:
                self.unable.add(address)
                warn_user(
                    f"The worker {address} is given no rounds: it lacks the instruction set {self.level}, which this "
                    f"fit uses. It has {', '.join(has)}."
                )

    def look(self):
        """Look which workers there are, and what those that have joined can compute with."""
        self._looked, here = time.monotonic(), self.addresses()
        if here - self.unable:
            self._seen = self._looked
        new = here - self.known
        if new:
            levels = self.answers(levels_here, new)
            self.known |= levels.keys()
            self._leave_out(levels)
        if self.silent:
            self.silent -= self.answers(levels_here, self.silent & here, seconds=0.5).keys()
        return here

    def workers(self):
        """The workers that tasks may be given to; None is all of them."""
        here = self.look()
        best = here - self.unable - self.slow - self.silent
        allowed = best or (here - self.unable - self.silent) or (here - self.unable)
        return None if allowed == here or not allowed else sorted(allowed)

    def places(self, n_shards, before):
        """The worker that each shard belongs to, in proportion to threads; a shard stays where it was, if it can.

        Dask alone may give one worker the data of all shards, and then their training too.

        Parameters
        ----------
        n_shards : int
        before : list of str
            The worker of each shard until now, or an empty list.

        Returns
        -------
        list of str
        """
        threads = self._call(self.client.scheduler.ncores)
        good = sorted(threads.keys() - self.unable - self.slow - self.silent)
        if not good:
            self.placed = set()
            return []
        made, taken = [None] * n_shards, dict.fromkeys(good, 0)
        most = {address: -(-n_shards * threads[address] // sum(threads[each] for each in good)) for address in good}
        for i, address in enumerate(before):
            if taken.get(address, n_shards) < most.get(address, 0):
                made[i] = address
                taken[address] += 1
        given = []
        for _ in range(made.count(None)):
            given.append(min(good, key=lambda each: taken[each] / threads[each]))
            taken[given[-1]] += 1
        given = iter(sorted(given))  # shards that follow each other are averaged first: that takes no transfer then
        made = [address or next(given) for address in made]
        self.placed = set(made)
        return made

    # -- waiting ------------------------------------------------------------------------------------------------------

    def note_pace(self, seconds, n_steps):
        """Note how long a round of so many steps took."""
        self._paces.append(seconds / n_steps)

    def limit(self, n_steps):
        """The seconds that a round of so many steps may take; None before any round is known."""
        if self.round_timeout is not None:
            return float(self.round_timeout)
        if not self._paces:
            return None
        return max(LEAST_TIMEOUT, TIMES_MEDIAN * n_steps * statistics.median(self._paces[-1000:]))

    def finish(self, make, limit=None):
        """Submit tasks, and wait for what they come to; submit them again elsewhere where they are lost or late.

        Parameters
        ----------
        make : callable
            A function of the number of the attempt and of the workers to use. It returns the future that is waited for,
            and a dict with the names, for messages, of futures that it depends on.
        limit : float or None
            The seconds that an attempt may take. None: as long as all workers answer.

        Raises
        ------
        ConnectionError
            When the scheduler is lost.
        TimeoutError
            When the last attempt, too, took too long.
        Exception
            What a task has raised, with the name of its shard.
        """
        for attempt in range(1 + RETRIES):
            root, parts = make(attempt, self.workers())
            try:
                return self._result(root, parts, limit)
            except Again as reason:
                self.n_lost += 1
                late, why = self._late(root, parts), reason
            self._suspect()
            names = ", ".join(dict.fromkeys(late.values())) or "the average of the shards"
            del root, parts, late  # what nobody has a future of, Dask forgets
        raise TimeoutError(f"{names} failed {1 + RETRIES} times, on other workers each time: {why}") from why

    def _result(self, root, parts, limit):
        changed = threading.Event()
        root.add_done_callback(lambda _: changed.set())
        start = time.monotonic()
        end = start + (LEAST_TIMEOUT if limit is None else limit)
        while True:
            changed.wait(TICK_SECONDS)
            self.check()
            now = time.monotonic()
            if root.status == "finished":
                try:
                    return root.result(timeout=max(ANSWER_SECONDS, end - now))
                except TimeoutError:
                    raise Again(f"its result took more than {now - start:.0f} s") from None
                # Cancelled after it was seen to be finished; which of the errors it is depends on Dask's version.
                except (CancelledError, asyncio.CancelledError):
                    self._raise_lost()
                except Exception:
                    self.check_scheduler()
                    if root.status != "error":  # it was lost since then, and has failed when it was computed again
                        raise
            self.check_scheduler()
            if root.status == "error":
                self._raise(root, parts)
            if root.status in ("cancelled", "lost"):
                self._raise_lost()
            if now > self._looked + LOOK_SECONDS:
                here = self.look()
                if here and self.placed and not self.placed & here:  # then Dask gives no other worker their tasks
                    raise Again("all workers that it was given were lost")
                if now > self._seen + DESERTED_SECONDS:
                    name = next(iter(self._late(root, parts).values()), "the average of the shards")
                    raise RuntimeError(f"{name} failed: the cluster lacks workers for {DESERTED_SECONDS:.0f} s")
            if now > end:
                if limit is not None or self.answers(levels_here, here).keys() != here:
                    raise Again(f"it took more than {now - start:.0f} s")
                end = now + LEAST_TIMEOUT

    def _raise_lost(self):
        """Have what was submitted submitted again."""
        raise Again("it was lost with its worker, or with the scheduler")

    def _late(self, root, parts):
        """The futures that are not finished, and their names."""
        return {future: name for future, name in parts.items() if future.status != "finished"}

    def _raise(self, root, parts):
        failed = [(future, name) for future, name in parts.items() if future.status == "error"]
        future, name = failed[0] if failed else (root, "the average of the shards")
        try:
            error = future.exception(timeout=ANSWER_SECONDS)
        except TimeoutError:
            error = None
        if error is None:  # it was lost since then, and is computed again
            self._raise_lost()
        if "level must be an instruction set" in str(error):  # a worker that has just joined
            self.look()
            raise Again("a worker lacks the instruction set")
        raise failure(name, error) from error

    def _suspect(self):
        """Give no more to workers that do not answer, nor to those that were too slow with this fit's tasks."""
        here = self.addresses()
        self.silent |= here - self.answers(levels_here, here).keys()
        busy = self._call(self.client.scheduler.processing)
        mine = {address for address, keys in busy.items() if any(self.token in str(key) for key in keys)}
        self.slow |= mine & here

    def holders(self, futures):
        """The workers that have the result of each future."""
        who_has = self._call(self.client.scheduler.who_has, keys=[future.key for future in futures])
        return [set(who_has.get(future.key, ())) for future in futures]
