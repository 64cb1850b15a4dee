"""Sequences of any length: made from padded arrays and from frames, transformed step by step, and scored.

A list, or an object array, with one array of shape (n_steps, n_features) for each sequence is an X like any other to
`SequentialClassifier` and `SequentialRegressor`, to scikit-learn's `train_test_split`, `cross_val_score` and
`GridSearchCV`.
"""

from typing import TYPE_CHECKING

from fastnn.estimators.foreign_names import missing
from fastnn.sequences.making import from_frame, from_padded
from fastnn.sequences.scoring import StepScorer, make_scorer
from fastnn.sequences.step_transformer import PerStep

__all__ = ["PerStep", "StepScorer", "from_frame", "from_padded", "make_scorer"]


if not TYPE_CHECKING:  # for which every name would be public

    def __getattr__(name):
        """A name that there is not: its error says what there is instead."""
        raise missing(__name__, name)
