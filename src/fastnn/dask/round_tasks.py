"""The tasks of a round: to train on each shard, and to average what the shards come to."""

import time
from dataclasses import dataclass, field
from functools import partial

from fastnn.dask.averaging import averaged, nearest
from fastnn.dask.needed import needed
from fastnn.dask.rounds import average, train_from
from fastnn.dask.shards import placing

# So many groups of shards are left to the tasks that train: each averages them at the beginning of the next round.
FEW_GROUPS = 4
# After so many rounds, one begins with the common state that the client has. Dask remembers the tasks that led to a
# state, and should the state be lost with its worker, it computes it again from the last round that began so.
LINKED_ROUNDS = 16
# So many workers fetch what the client has sent from one, and as many from each of these, and so on.
FAN_OUT = 3


def same(value):
    """What it is given, as a task: Dask keeps what it is given with the task, and can make it again."""
    return value


@dataclass
class Submitted:
    """The tasks of a round.

    Attributes
    ----------
    works : list of Work
    n_linked : int
        The number of rounds, this one included, since one began with the state that the client has.
    leaves : list of Future
        What each shard comes to.
    groups : list of dict of str to Future
        The copies of the average of each of a few groups of shards, by their workers; see `averaged`.
    root : Future
        The average of all.
    names : dict of Future to str
        For messages.
    times : list of float
        When the round was submitted and, once it is done, when that was.
    """

    works: list
    n_linked: int = 0
    leaves: list = field(default_factory=list)
    groups: list = field(default_factory=list)
    root: object = None
    names: dict = field(default_factory=dict)
    times: list = field(default_factory=list)

    @property
    def is_last_linked(self):
        """Whether the next round begins with the state that the client has."""
        return self.n_linked >= LINKED_ROUNDS


class RoundTasks:
    """Submits the rounds of a fit.

    Parameters
    ----------
    cluster : Cluster
    shards : Shards
    plan : Plan
    """

    def __init__(self, cluster, shards, plan):
        self.cluster, self.shards, self.plan = cluster, shards, plan
        self._plan_future, self._n_submitted = None, 0

    def submit(self, this, before, common, attempt, workers):
        """Submit a round, or of one that has failed what is not finished on a good worker.

        Parameters
        ----------
        this : Submitted
            It gets the futures.
        before : Submitted or None
            The round before.
        common : CommonState
            What the client has: a round begins with it if it is the first one, or comes after LINKED_ROUNDS others.
        attempt : int
        workers : list of str or None
            As `Cluster.finish` gives them.
        """
        key = self.cluster.key
        self._n_submitted += 1  # a slow worker may still compute a task that was forgotten, whose name is not free
        number = f"{this.works[0].round}.{self._n_submitted}"
        samples = self.shards.make_samples(attempt, workers)
        kept = self._still_kept(this.leaves) if attempt else {}
        plan = self.planned(attempt, workers, number)
        if before is None or before.is_last_linked:
            this.n_linked, sources = 1, [self._handed_on(common, number, workers)]
        else:
            this.n_linked, sources = before.n_linked + 1, before.groups
        places = [self.shards.place_of(i) if workers is None else None for i in range(len(self.shards))]
        train, positions, leaves = self._delayed(train_from), {}, []
        for i, (place, sample, work) in enumerate(zip(places, samples, this.works, strict=True)):
            given = [nearest(copies, place, positions.setdefault(place, len(positions))) for copies in sources]
            with needed("dask").annotate(**placing(place, workers)):
                task = kept.get(i) or train(sample, work, plan, *given, dask_key_name=key("train-shard", number, i))
            leaves.append(task)
        groups = averaged(leaves, places, partial(self._mean, workers, key("average", number)), FEW_GROUPS)
        one_of_each, nowhere = [nearest(copies, None, 0) for copies in groups], [None] * len(groups)
        (root,) = averaged(one_of_each, nowhere, partial(self._mean, workers, key("average-all", number)), 1)
        made = iter(self._computed([*leaves, *(task for copies in groups for task in copies.values()), root[None]]))
        this.leaves = [next(made) for _ in leaves]
        this.groups = [{place: next(made) for place in copies} for copies in groups]
        this.root = next(made)
        this.names = {
            future: self.shards.name(i) for of_all in (samples, this.leaves) for i, future in enumerate(of_all)
        }
        this.times = times = [time.monotonic()]
        this.root.add_done_callback(lambda _: times.append(time.monotonic()))

    def planned(self, attempt, workers, *numbers):
        """The future of the plan; after a failure, a new one."""
        if attempt or self._plan_future is None:
            name = self.cluster.key("plan", *numbers)
            self._plan_future = self.cluster.client.submit(same, self.plan, key=name, workers=workers)
        return self._plan_future

    def _delayed(self, function):
        return needed("dask").delayed(function, pure=False)

    def _mean(self, workers, name, left, right, worker, *numbers):
        """The task that averages two groups of shards."""
        with needed("dask").annotate(**placing(worker, workers)):
            return self._delayed(average)(left, right, dask_key_name="-".join(map(str, (name, *numbers))))

    def _handed_on(self, common, number, workers):
        """Copies of what the client has, by their workers: where there are many, one hands it on to others."""
        key, hosts = self.cluster.key, [] if workers is not None else self.shards.hosts()
        hand_on, copies = self._delayed(same), {}
        with needed("dask").annotate(**placing(None, workers)):
            first = hand_on(common, dask_key_name=key("share", number))
        if len(hosts) <= FAN_OUT + 1:
            return {None: first}
        for i, host in enumerate(hosts):
            given = first if i < FAN_OUT else copies[hosts[i // FAN_OUT - 1]]
            with needed("dask").annotate(**placing(host, workers)):
                copies[host] = hand_on(given, dask_key_name=key("hand-on", number, i))
        return copies

    def _computed(self, tasks):
        """The futures of tasks, some of which are futures: by one graph, since a scheduler takes longer for many."""
        new = {task.key: task for task in tasks if not isinstance(task, needed("distributed").Future)}
        futures = dict(zip(new, self.cluster.client.compute([*new.values()], optimize_graph=False), strict=True))
        return [futures.get(task.key, task) for task in tasks]

    def _still_kept(self, leaves):
        """The futures, by their shards, that are finished and on a good worker."""
        bad = self.cluster.silent | self.cluster.slow
        have = [i for i, future in enumerate(leaves) if future.status == "finished"]
        holders = self.cluster.holders([leaves[i] for i in have])
        return {i: leaves[i] for i, held_by in zip(have, holders, strict=True) if held_by - bad}
