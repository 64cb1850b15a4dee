"""The shards of a fit on the cluster: the futures of their rows and samples, made again where they are lost."""

from fastnn.dask.needed import needed
from fastnn.dask.reading import held_out_of, joined_rows, read_shard, samples_of, summarised


def placing(place, workers):
    """What Dask is told of where a task runs.

    Parameters
    ----------
    place : str or None
        The worker that the task belongs to; any other may compute it, should that be lost. None: any worker.
    workers : list of str or None
        The workers to use, whichever the task belongs to. None: all of them.
    """
    if workers is not None:
        return {"workers": workers}
    return {} if place is None else {"workers": [place], "allow_other_workers": True}


class Shards:
    """The shards of a fit.

    Parameters
    ----------
    cluster : Cluster
    model : BaseNetwork
        It reads the shards.
    groups : list of tuple of list
        The partitions of each, as `grouped` returns them.
    is_validation : bool, default=False
        Whether these are the partitions of X_val and of what belongs to it: then there is a single shard.
    """

    def __init__(self, cluster, model, groups, is_validation=False):
        self.cluster, self.model, self.groups, self.is_validation = cluster, model, groups, is_validation
        self.rows, self.samples = [None] * len(groups), [None] * len(groups)
        self._places = []
        self._encoding = None  # what samples are made with
        self._n_made = 0

    def __len__(self):
        return len(self.groups)

    def release(self):
        """Let the cluster forget the shards."""
        self.rows, self.samples = [None] * len(self), [None] * len(self)

    def name(self, i):
        """The name of a shard, for messages."""
        return "X_val and y_val" if self.is_validation else f"shard {i} of {len(self)}"

    def place_of(self, i):
        """The worker that a shard belongs to, or None."""
        return self._places[i] if self._places else None

    def hosts(self):
        """The workers that shards belong to."""
        return list(dict.fromkeys(self._places))

    def place(self):
        """Share the shards out among the workers that there are."""
        self._places = self.cluster.places(len(self), self._places)

    def _read(self, numbers, workers):
        """Submit the reading of these shards."""
        delayed = needed("dask").delayed(read_shard, pure=False)
        self._n_made += 1
        what = "read-validation" if self.is_validation else "read-shard"
        tasks = [
            delayed(
                self.model, *self.groups[i], self.is_validation, dask_key_name=self.cluster.key(what, self._n_made, i)
            )
            for i in numbers
        ]
        for i, future in zip(numbers, self.cluster.client.compute(tasks, workers=workers), strict=True):
            self.rows[i] = future

    def _unfinished(self, futures):
        return [i for i, future in enumerate(futures) if future is None or future.status != "finished"]

    def _gathered(self, futures, what, attempt):
        """One future that has what the others come to: a list."""
        return self.cluster.client.submit(list, futures, key=self.cluster.key(what, attempt), pure=False)

    def each(self, function, *arguments, what):
        """What a function makes of the rows of each shard, once they are read.

        Returns
        -------
        list
        """

        def make(attempt, workers):
            self._read(range(len(self)) if attempt else self._unfinished(self.rows), workers)
            keys = [self.cluster.key(what, attempt, i) for i in range(len(self))]
            made = [
                self.cluster.client.submit(function, rows, *arguments, key=key, workers=workers)
                for rows, key in zip(self.rows, keys, strict=True)
            ]
            names = {future: self.name(i) for futures in (self.rows, made) for i, future in enumerate(futures)}
            return self._gathered(made, f"{what}-all", attempt), names

        return self.cluster.finish(make, self.cluster.round_timeout)

    def summaries(self, for_classes):
        """What the client has to know of each shard."""
        return self.each(summarised, for_classes, what="summarise-shard")

    def encode(self, model, targets, counted, seed):
        """Set what the next round makes the samples with; with a seed, a part of each shard is held out."""
        self._encoding = model, targets, counted, seed

    def make_samples(self, attempt, workers):
        """The futures of all shards' samples; after a failure, those that no good worker has are made anew.

        Returns
        -------
        list of Future
        """
        missing = (
            self._unfinished(self.samples) if attempt else [i for i, each in enumerate(self.samples) if each is None]
        )
        if attempt:
            bad = self.cluster.silent | self.cluster.slow
            have = [i for i in range(len(self)) if i not in missing]
            holders = self.cluster.holders([self.samples[i] for i in have])
            missing = sorted([*missing, *(i for i, held_by in zip(have, holders, strict=True) if not held_by - bad)])
            self._read(missing, workers)
        model, targets, counted, seed = self._encoding
        for i in missing:
            hold_out = None if seed is None else (seed, i)
            key = self.cluster.key("encode-shard", self._n_made, i)
            where = placing(self.place_of(i), workers)
            self.samples[i] = self.cluster.client.submit(
                samples_of, self.rows[i], model, targets, counted, hold_out, key=key, **where
            )
        self.rows = [None] * len(self)  # Dask reads them again, should samples be lost
        return self.samples

    def held_out(self, attempt, workers):
        """The future of the rows that all shards hold out; it is submitted before the samples are made."""
        if attempt or None in self.rows:
            self._read(range(len(self)), workers)
        model, targets, _, seed = self._encoding
        held = [
            self.cluster.client.submit(
                held_out_of, rows, model, targets, (seed, i), key=self.cluster.key("hold-out", self._n_made, i),
                workers=workers,
            )
            for i, rows in enumerate(self.rows)
        ]  # fmt: skip
        key = self.cluster.key("hold-out-all", self._n_made)
        return self.cluster.client.submit(joined_rows, held, key=key, workers=workers)
