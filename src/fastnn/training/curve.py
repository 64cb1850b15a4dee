"""A number for each epoch, in lists that only grow."""

from collections.abc import Sequence


class Curve(Sequence):
    """A number for each epoch so far.

    A curve is a list and how much of it is the curve's: what went before never changes, so that a copy has the same
    list, and takes no longer after a million epochs than after one. A list of the user's own is made when the user
    asks for it.

    Parameters
    ----------
    values : iterable of float, default=()
    """

    def __init__(self, values=()):
        self._values = list(values)
        self._n = len(self._values)
        self._shown = None  # what users were given

    def __len__(self):
        return self._n

    def __getitem__(self, i):
        return self._values[range(self._n)[i]]

    def __iter__(self):
        return iter(self._from(0))

    def _from(self, start):
        n = self._n  # first: another thread may be about to append
        return self._values[start:n]

    def append(self, value):
        """Add the next epoch's number: to the list itself, unless another curve that has it too was first."""
        values, n = self._values, self._n
        if len(values) == n:
            values.append(value)
        if values[n] is not value:  # so it was, perhaps from another thread, and just now
            self._values = [*values[:n], value]
        self._n = n + 1

    def copy(self):
        """A curve that goes on by itself."""
        copied = Curve()
        copied._n, copied._values = self._n, self._values
        return copied

    def as_list(self):
        """The numbers, for users: each time the same list, which is longer where the curve is by then."""
        if self._shown is None:
            self._shown = []
        shown, n = self._shown, len(self._shown)
        shown[n:] = self._from(n)  # the same, if two threads do so
        return shown

    def __deepcopy__(self, memo):
        return self.copy()

    def __reduce__(self):
        return Curve, (self._from(0),)
