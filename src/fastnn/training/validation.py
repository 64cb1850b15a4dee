"""Samples held out of training: their choice, and the network's loss and score on them."""

import numpy as np
from sklearn.metrics import check_scoring
from sklearn.model_selection import train_test_split

from fastnn._sklearn import takes_sample_weight
from fastnn.data.per_step import Concatenating
from fastnn.runtime.warnings import warn_user
from fastnn.training.loop import all_finite
from fastnn.training.scores import default_score


def split(n_samples, fraction, random_state, classes):
    """Draw the samples to hold out, as scikit-learn's early stopping draws them.

    Parameters
    ----------
    n_samples : int
    fraction : float
        The estimator's `validation_fraction`.
    random_state : numpy.random.RandomState
    classes : ndarray of shape (n_samples,) or None
        The classes, of each of which the same fraction is held out. None: the samples are not stratified.

    Returns
    -------
    trained_on, held_out : ndarray of intp

    Raises
    ------
    ValueError
        When fewer than 2 samples would be held out.

    Warns
    -----
    UserWarning
        When a class has a single sample, so that the samples cannot be stratified.
    """
    if np.ceil(fraction * n_samples) < 2:  # train_test_split holds out as many
        raise ValueError(
            f"validation_fraction must hold out at least 2 samples, got {fraction} of {n_samples} samples: increase "
            "it, or give more samples"
        )
    if classes is not None and np.unique(classes, return_counts=True)[1].min() < 2:
        warn_user("A class of y has a single sample: the samples held out for early stopping are not stratified.")
        classes = None
    trained_on, held_out = train_test_split(
        np.arange(n_samples, dtype=np.intp), random_state=random_state, test_size=fraction, stratify=classes
    )
    return trained_on, held_out


class Holdout:
    """The samples held out, and what their score is.

    Parameters
    ----------
    samples : Samples
        The samples with encoded targets and all weights, for the loss.
    y : ndarray
        The targets as the user gave them, for the score.
    sample_weight : ndarray of shape (n_samples,) or None
        The weights as the user gave them, for the score, if its scorer takes weights.
    estimator : BaseNetwork
        The score is its parameter `scoring`; if that is None, it is the estimator's method `score`.
    targets : Labels or Numbers
        The encoder of the targets.
    """

    def __init__(self, samples, y, sample_weight, estimator, targets):
        self.samples, self.y, self.sample_weight = samples, y, sample_weight
        self.X = estimator._as_given(samples.X)
        self.wrap = (lambda model: model) if samples.steps is None else Concatenating
        scoring = estimator.scoring
        self.by_default = scoring is None
        self.score = default_score(estimator, targets) if self.by_default else None
        self.scorer = None if scoring == "loss" else check_scoring(estimator, scoring)
        if not self.by_default and scoring != "loss" and not takes_sample_weight(self.scorer):
            self.sample_weight = None

    def evaluate(self, network, loss, n_threads, model):
        """The network's loss and score on the samples.

        Parameters
        ----------
        network : Network
        loss : fastnn.engine.loss.Loss
        n_threads : int
        model : callable
            A function that returns the network as a fitted BaseNetwork without feature names.

        Returns
        -------
        loss : float
            The mean loss, without penalty.
        score : float
            The estimator's own score is NaN if predictions are infinite or NaN, for which there is no R squared.
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
        model = self.wrap(model)  # its predictions for steps must be one array, as y is
        weights = {} if self.sample_weight is None else {"sample_weight": self.sample_weight}
        try:
            return float(self.scorer(model, self.X, self.y, **weights))
        except ValueError:
            if self.by_default and not np.isfinite(model.predict(self.X)).all():
                return np.nan
            raise
