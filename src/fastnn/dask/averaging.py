"""The tasks that average shards: every worker computes the averages that its own shards are part of.

Where the averages of two groups of shards meet, each worker of either group fetches the other group's average from one
of its workers, and computes what both come to. So all workers have an average after as many steps as its tree has
levels, and nobody hands it on: an all-reduce by recursive doubling (Thakur, Rabenseifner, Gropp, 2005, "Optimization of
collective communication operations in MPICH"). The last levels, of few groups, are left to the tasks that use the
average. A group's copies all have the same bits.
"""

from fastnn.dask.rounds import tree_levels


def nearest(copies, worker, position):
    """The copy that a worker has or, if it has none, that of another one: by its position, so that they take turns.

    Parameters
    ----------
    copies : dict of str to Future or Delayed
        By the worker that each is on.
    worker : str or None
    position : int

    Returns
    -------
    Future or Delayed
    """
    return copies[worker] if worker in copies else list(copies.values())[position % len(copies)]


def averaged(leaves, places, average, few):
    """The averages of shards, until few groups of them are left.

    Parameters
    ----------
    leaves : list of Future or Delayed
        What each shard comes to.
    places : list of str or None
        The worker that each shard belongs to. Where no worker is known, an average has a single copy.
    average : callable
        A function of two futures, of the worker that averages them, and of the numbers that tell the task from others.
    few : int
        How many groups may be left.

    Returns
    -------
    list of dict of str to Future or Delayed
        The copies of each group's average, by their workers. `average_all` of one copy of each is that of all shards.
    """
    groups = [{place: leaf} for place, leaf in zip(places, leaves, strict=True)]
    for level, pairs in enumerate(tree_levels(len(leaves))):
        if len(groups) <= few:
            break
        groups = [_met([groups[i] for i in pair], average, level, pair[0]) for pair in pairs]
    return groups


def _met(groups, average, *numbers):
    """The copies of the average of one or two groups."""
    if len(groups) == 1:
        return groups[0]
    positions = {}
    for group in groups:
        for i, worker in enumerate(group):
            positions.setdefault(worker, i)
    return {
        worker: average(*(nearest(group, worker, position) for group in groups), worker, *numbers, i)
        for i, (worker, position) in enumerate(positions.items())
    }
