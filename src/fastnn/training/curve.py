"""Learning curves: a number for each epoch, in lists that only grow."""

from collections.abc import Sequence


class Curve(Sequence):
    """A number for each epoch so far.

    A curve consists of a list and of its own length, which may be less than the list's. Numbers in the list never
    change, so a copy shares the list, and takes as little time after a million epochs as after one. Users get a list
    of their own, which is made when they ask for it.

    Parameters
    ----------
    values : iterable of float, default=()
        The numbers of the first epochs.
    """

    def __init__(self, values=()):
        self._values = list(values)
        self._n = len(self._values)
        self._shown = None  # the list that users were given

    def __len__(self):
        return self._n

    def __getitem__(self, i):
        return self._values[range(self._n)[i]]

    def __iter__(self):
        return iter(self._from(0))

    def _from(self, start):
        n = self._n  # read once, and first: another thread may append meanwhile
        return self._values[start:n]

    def append(self, value):
        """Add the next epoch's number: to the list itself, unless another curve has already added to that list."""
        values, n = self._values, self._n
        if len(values) == n:
            values.append(value)
        if values[n] is not value:  # another curve was first, perhaps in another thread, and just now
            self._values = [*values[:n], value]
        self._n = n + 1

    def copy(self):
        """A curve with the same numbers; what is added to either is not in the other."""
        copied = Curve()
        copied._n, copied._values = self._n, self._values
        return copied

    def as_list(self):
        """The numbers, for users: always the same list, to which the epochs since the last call are added."""
        if self._shown is None:
            self._shown = []
        shown, n = self._shown, len(self._shown)
        shown[n:] = self._from(n)  # two threads write the same numbers
        return shown

    def __deepcopy__(self, memo):
        return self.copy()

    def __reduce__(self):
        return Curve, (self._from(0),)
