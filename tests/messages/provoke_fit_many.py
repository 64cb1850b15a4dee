"""Calls that fit_many refuses."""

from provoke_estimators import LABELS, X, classifier
from sklearn.neighbors import KNeighborsClassifier

from fastnn import MLPClassifier, fit_many

ONE, TWO = [classifier()], [classifier(), classifier()]
PROVOCATIONS = {
    "one estimator": lambda: fit_many(classifier(), X, LABELS),
    "a class": lambda: fit_many([classifier(), MLPClassifier], X, LABELS),
    "a number": lambda: fit_many([3], X, LABELS),
    "the same estimator twice": lambda: fit_many([*TWO, TWO[0]], X, LABELS),
    "no threads": lambda: fit_many(TWO, X, LABELS, n_threads=0),
    "half a thread": lambda: fit_many(TWO, X, LABELS, n_threads=0.5),
    "weights for what takes none": lambda: fit_many([KNeighborsClassifier()], X, LABELS, sample_weight=X[:, 0]),
    "some of them": lambda: fit_many(ONE, [X], [LABELS], each="all"),
    "X for all": lambda: fit_many(ONE, classifier(), [LABELS], each=True),
    "X of too few": lambda: fit_many(TWO, [X], [LABELS] * 2, each=True),
    "y of too many": lambda: fit_many(TWO, [X] * 2, [LABELS] * 3, each=True),
    "weights for all": lambda: fit_many(TWO, [X] * 2, [LABELS] * 2, each=True, sample_weight="balanced"),
}
