"""The random numbers of learning sample by sample, drawn as scikit-learn's SGD estimators draw them."""

import functools
from numbers import Integral

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils import check_random_state

MAX_INT = np.iinfo(np.int32).max


def draw(random_state, n_units, codes, sample_weight, validation_fraction):
    """Draw the samples that are held out, and the seed of each unit's orders of samples.

    Parameters
    ----------
    random_state : int, RandomState instance or None
        An instance, or NumPy's global one, is left in the state that scikit-learn leaves it in.
    n_units : int
    codes : ndarray of shape (n_samples,)
        The number of the class of each sample: the same part of each class is held out.
    sample_weight : ndarray of shape (n_samples,) or None
    validation_fraction : float or None
        The part to hold out. None holds out nothing.

    Returns
    -------
    held_out : ndarray of int, or None
    seeds : sequence of int, one per unit

    Raises
    ------
    ValueError
        When all samples held out have the weight 0, and when there are too few samples to hold any out.
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
                f"sample_weight must not be 0 for all samples held out, got 0 for all {len(held_out)}: try another "
                "random_state"
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
    """The seeds, kept for the next partial_fit: setting up a generator takes longer than learning from few samples."""
    random_state = np.random.RandomState(seed)
    if n_units == 1:
        random_state.randint(1, MAX_INT)
    return tuple(_draw_seeds(random_state, n_units))
