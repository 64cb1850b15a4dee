"""Samples held out of training: which, and how the network does on them."""

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split

from fastnn._sklearn import takes_sample_weight
from fastnn.runtime.warnings import warn_user
from fastnn.training.loop import all_finite
from fastnn.training.scores import default_score


def split(n_samples, fraction, random_state, classes):
    """Draw the samples to hold out, as scikit-learn's early stopping draws them.

    Parameters
    ----------
    n_samples : int
    fraction : float
    random_state : numpy.random.RandomState
    classes : ndarray of shape (n_samples,) or None
        Hold out a part of each; None: of all together.

    Returns
    -------
    trained_on, held_out : ndarray of intp

    Raises
    ------
    ValueError
        When that is too few.

    Warns
    -----
    UserWarning
        When a class has a single member, so that no part of it can be held out.
    """
    if np.ceil(fraction * n_samples) < 2:  # as many as there will be
        raise ValueError("The validation set is too small. Increase 'validation_fraction' or the size of your dataset.")
    if classes is not None and np.unique(classes, return_counts=True)[1].min() < 2:
        warn_user("A class has a single sample: what is held out for early stopping is not stratified.")
        classes = None
    trained_on, held_out = train_test_split(
        np.arange(n_samples, dtype=np.intp), random_state=random_state, test_size=fraction, stratify=classes
    )
    return trained_on, held_out


class Holdout:
    """Samples held out.

    Parameters
    ----------
    samples : Samples
        For the loss.
    y : ndarray
        The targets as the user gave them, and
    sample_weight : ndarray of shape (n_samples,) or None
        the weights likewise: for the score, if its scorer takes any.
    estimator : BaseNetwork
        Says what a score is, if its `scoring` does not.
    targets : Labels or Numbers
    """

    def __init__(self, samples, y, sample_weight, estimator, targets):
        self.samples, self.y, self.sample_weight = samples, y, sample_weight
        scoring = estimator.scoring
        self.by_default = scoring is None
        self.score = default_score(estimator, targets) if self.by_default else None
        self.scorer = None if scoring == "loss" else check_scoring(estimator, scoring)
        if not self.by_default and scoring != "loss" and not takes_sample_weight(self.scorer):
            self.sample_weight = None

    def evaluate(self, network, loss, n_threads, model):
        """The network's loss and score.

        Parameters
        ----------
        network : Network
        loss : fastnn.engine.loss.Loss
        n_threads : int
        model : callable
            Returns the network as a fitted BaseNetwork that takes arrays without names.

        Returns
        -------
        loss : float
            Mean, without penalty.
        score : float
            By default NaN where predictions are infinite or NaN, which no R squared is for.
        """
        held = self.samples
        mean = network.loss(held.X, held.targets, held.weights, loss, n_threads) / held.total_weight()
        if self.scorer is None:
            return mean, -mean
        if self.score is not None:
            outputs = network.forward(held.X, n_threads)
            if all_finite(outputs):
                return mean, self.score(outputs, held.targets, self.y, self.sample_weight)
        return mean, self._scored(model())

    def _scored(self, model):
        weights = {} if self.sample_weight is None else {"sample_weight": self.sample_weight}
        try:
            return float(self.scorer(model, self.samples.X, self.y, **weights))
        except ValueError:
            if self.by_default and not np.isfinite(model.predict(self.samples.X)).all():
                return np.nan
            raise
