"""What learning sample by sample draws at random, drawn as scikit-learn's SGD estimators draw it."""

import functools
from numbers import Integral

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils import check_random_state

MAX_INT = np.iinfo(np.int32).max


def draw(random_state, n_units, codes, sample_weight, validation_fraction):
    """The samples that are held out, and what each unit's orders of samples start from.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        An instance, or NumPy's own, is left as scikit-learn leaves it.
    n_units : int
    codes : ndarray of shape (n_samples,)
        The classes, by which samples are held out evenly.
    sample_weight : ndarray of shape (n_samples,) or None
    validation_fraction : float or None
        The part to hold out; None: nothing.

    Returns
    -------
    held_out : ndarray of int, or None
    seeds : sequence of int, one per unit

    Raises
    ------
    ValueError
        When no sample held out has a weight, or there are too few to hold out.
    """
    if validation_fraction is None and isinstance(random_state, Integral):
        return None, _seeds_of(int(random_state), n_units)
    generator = check_random_state(random_state)
    if n_units == 1:
        generator.randint(1, MAX_INT)  # a seed that scikit-learn does not use
    held_out = None
    if validation_fraction is not None:
        split = StratifiedShuffleSplit(test_size=validation_fraction, random_state=random_state)
        _, held_out = next(split.split(np.zeros((len(codes), 1)), codes))
        if sample_weight is not None and not sample_weight[held_out].any():
            raise ValueError(
                "The sample weights for validation set are all zero, consider using a different random state."
            )
    return held_out, _draw_seeds(generator, n_units)


def _draw_seeds(random_state, n_units):
    if n_units == 1:
        return [random_state.randint(MAX_INT)]
    seeds = []
    for seed in random_state.randint(MAX_INT, size=n_units):
        one = np.random.RandomState(seed)
        one.randint(1, MAX_INT)
        seeds.append(one.randint(MAX_INT))
    return seeds


@functools.lru_cache(maxsize=16)
def _seeds_of(seed, n_units):
    """Kept, for many calls of partial_fit: setting up a generator takes longer than learning from few samples."""
    random_state = np.random.RandomState(seed)
    if n_units == 1:
        random_state.randint(1, MAX_INT)
    return tuple(_draw_seeds(random_state, n_units))
