"""How fits that run at the same time share the cores.

Each fit has a place while it runs, and so has each worker of fits side by side. A segment of a fit, and a prediction,
asks how many threads are its own at that moment: an even part of the cores, since no number of threads changes a bit.
"""

import threading
import time
import weakref
from contextlib import contextmanager

from fastnn.runtime.threads import MOST_THREADS, effective_n_threads, has_forked

# Weak references to the places that share the cores of the process, in the order in which they began. It is a dict for
# its single steps: other threads add to it meanwhile. The references are weak since Ctrl-C may end a context at any
# line, even at those that leave it: the place then goes with its last reference.
_outermost = {}

# The last place of each thread that has left one, and when. A search's threads begin their next fit after some
# milliseconds of Python: another fit that took the cores meanwhile would have to share them with that.
_left = {}
LINGER_SECONDS = 0.005

_here = threading.local()  # .place: a weak reference to the calling thread's


def _place_here():
    reference = getattr(_here, "place", None)
    return None if reference is None else reference()


class Place:
    """Where threads are used: by a fit, by several fits side by side, or by one worker of these.

    Parameters
    ----------
    n_cores : int
        The number of cores to share, as the place's own thread sees it; of a place within another one, the most that it
        takes of the other's.
    n_needed : int, default=None
        The number of threads that it can use. None: all.
    within : Place, default=None
        The place whose threads it shares with others. None: it shares those of the process.
    is_fixed : bool, default=False
        Whether it uses `n_needed` threads however many others there are, since the user has said so.
    """

    def __init__(self, n_cores, n_needed=None, within=None, is_fixed=False):
        self.n_cores, self.within, self.is_fixed = n_cores, within, is_fixed
        self.n_needed = n_cores if n_needed is None else n_needed
        self.parts = {}

    def share(self, lately=False):
        """The number of threads that are this place's at present.

        Parameters
        ----------
        lately : bool, default=False
            Whether places count that other threads have just left. That is for what asks again soon, such as a segment.
        """
        if self.is_fixed:
            return self.n_needed
        n_cores = self.n_cores if self.within is None else min(self.n_cores, self.within.share(lately))
        places = [place for reference in list(self._siblings().values()) if (place := reference()) is not None]
        if lately and self.within is None:
            places += lately_left()
        if places in ([], [self]):  # as most fits and predictions are
            return max(1, n_cores)
        if self not in places:  # a prediction, which is not counted
            places.append(self)
        n_cores -= sum(place.n_needed for place in places if place.is_fixed)
        places = [place for place in places if not place.is_fixed]
        return divided(n_cores, [place.n_needed for place in places])[places.index(self)]

    def _siblings(self):
        return _outermost if self.within is None else self.within.parts

    @contextmanager
    def taken(self):
        """A context in which the calling thread is at this place, and others count with it."""
        before, siblings, key = getattr(_here, "place", None), self._siblings(), id(self)
        try:
            _left.pop(threading.get_ident(), None)
            _here.place = siblings[key] = weakref.ref(self, lambda _: siblings.pop(key, None))
            yield self
        finally:
            siblings.pop(key, None)
            _here.place = before
            if self.within is None and before is None:
                _left[threading.get_ident()] = self, time.monotonic()

    @contextmanager
    def needing(self, n_needed, is_fixed):
        """A context in which it can use so many threads."""
        before = self.n_needed, self.is_fixed
        self.n_needed, self.is_fixed = n_needed, is_fixed
        try:
            yield self
        finally:
            self.n_needed, self.is_fixed = before


def lately_left():
    """The places that other threads have left just now, and have taken no other since."""
    here, since = threading.get_ident(), time.monotonic() - LINGER_SECONDS
    places = []
    for thread, (place, left) in list(_left.items()):
        if left < since:
            _left.pop(thread, None)
        elif thread != here:
            places.append(place)
    return places


def divided(n_cores, needed):
    """Divide cores as evenly as can be.

    Parameters
    ----------
    n_cores : int
    needed : list of int
        The number of threads that each can use.

    Returns
    -------
    list of int
        At least 1 for each. What is left where none needs more is divided, too: a fit that trains on one thread may
        score on several.
    """
    shares, left = [0] * len(needed), n_cores
    for n_before, i in enumerate(sorted(range(len(needed)), key=needed.__getitem__)):
        shares[i] = max(1, min(needed[i], left // (len(needed) - n_before)))
        left -= shares[i]
    return [share + max(0, left) // len(needed) for share in shares]


def _is_grouped(place):
    """Whether a place is within one that several fits share."""
    return place is not None and place.within is not None


def most_threads(n_threads=None):
    """The number of threads that a fit or a prediction may use when it is alone.

    Parameters
    ----------
    n_threads : int, default=None
        The estimator's parameter. Beside others that were given a number of threads together, it is at most that.
    """
    place, n_allowed = _place_here(), effective_n_threads(n_threads)
    if not _is_grouped(place) or has_forked():
        return n_allowed
    n_together = _outer_limit(place)
    return n_together if n_threads is None else min(n_allowed, n_together)


def _outer_limit(place):
    """The fewest cores of a place and of all that it is within."""
    limit = place.n_cores
    while place.within is not None:
        place = place.within
        limit = min(limit, place.n_cores)
    return limit


def threads_now(n_threads=None):
    """The number of threads that a segment of a fit, or a prediction, on the calling thread may use now.

    Parameters
    ----------
    n_threads : int, default=None
        The estimator's parameter. None is the share of the calling thread.
    """
    place = _place_here()
    if has_forked():
        return 1
    # The place's fit has asked the system, which takes longer than all that is done here.
    if n_threads is not None and not _is_grouped(place):
        return min(n_threads, MOST_THREADS) if place is not None else effective_n_threads(n_threads)
    share = (place or Place(effective_n_threads())).share(lately=True)
    return share if n_threads is None else min(n_threads, share)


@contextmanager
def fitting(n_threads, n_needed, n_cores=None):
    """A context for a fit on the calling thread, which then has its share.

    A fit that is called by another one, as by a callback, is at the other's place.

    Parameters
    ----------
    n_threads : int or None
        The estimator's parameter.
    n_needed : int
        The number of threads that the fit can use.
    n_cores : int, default=None
        The number of cores to share, as `most_threads` has found it just now: to find it again takes as long as a tenth
        of a small fit. None: it is found here.
    """
    place = _place_here()
    is_fixed = n_threads is not None and not _is_grouped(place)
    if place is None:
        n_cores = n_needed if is_fixed else effective_n_threads() if n_cores is None else n_cores
        context = Place(n_cores, n_needed, is_fixed=is_fixed).taken()
    else:
        context = place.needing(n_needed, is_fixed)
    with context:
        yield


@contextmanager
def together(n_threads=None):
    """A context for several fits that have so many threads in all; yields their place.

    Parameters
    ----------
    n_threads : int, default=None
        None: the share of the calling thread.
    """
    around = _place_here()
    place = Place(most_threads(n_threads), within=around, is_fixed=n_threads is not None and around is None)
    with place.taken():
        yield place
