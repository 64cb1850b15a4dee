"""Fits side by side beside the same in turn, and beside scikit-learn's own: python side_by_side.py [rounds]

Each line compares two ways within one run, in turn, the best of each: their ratio is what counts.
"""

import sys
import warnings

import joblib
import numpy as np
from in_use import in_turn
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.pipeline import make_pipeline

from fastnn import MLPClassifier, ModularClassifier, fit_many

ENDLESS = {"tol": 0, "n_iter_no_change": 10**6}
GRID = {"alpha": [1e-5, 1e-4, 1e-3, 1e-2], "learning_rate_init": [1e-3, 1e-2]}
rng = np.random.default_rng(0)


def module(seed=0, estimator=MLPClassifier, **parameters):
    return estimator((64, 32), max_iter=10, random_state=seed, **ENDLESS, **parameters)


def small(estimator=MLPClassifier, max_iter=50, **parameters):
    return estimator((100,), max_iter=max_iter, random_state=0, **ENDLESS, **parameters)


def columns():
    """Each of eight modules' own 10 columns of 20,000 rows."""
    X = rng.normal(size=(20_000, 80)).astype(np.float32)
    return [np.ascontiguousarray(X[:, 10 * i : 10 * i + 10]) for i in range(8)], (X[:, ::10] > 0).sum(axis=1), X


def modules(rounds):
    """Eight modules of 64-32 on 20,000 rows of their own 10 columns: in turn on one thread, beside fit_many."""
    parts, y, _ = columns()

    def one_by_one():
        for seed, part in enumerate(parts):
            module(seed, n_threads=1).fit(part, y)

    return in_turn(one_by_one, lambda: fit_many([*map(module, range(8))], parts, [y] * 8, each=True), rounds=rounds)


def voting(rounds):
    """The same: scikit-learn's VotingClassifier of its own networks with n_jobs=2, beside fit_many."""
    parts, y, X = columns()
    chosen = [ColumnTransformer([("columns", "passthrough", slice(10 * i, 10 * i + 10))]) for i in range(8)]
    networks = [make_pipeline(part, module(i, SklearnMLPClassifier)) for i, part in enumerate(chosen)]
    theirs = VotingClassifier([(str(i), network) for i, network in enumerate(networks)], voting="soft", n_jobs=2)
    return in_turn(
        lambda: theirs.fit(X, y),
        lambda: fit_many([*map(module, range(8))], parts, [y] * 8, each=True),
        rounds=min(rounds, 2),
    )


def digits():
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y


def many(rounds):
    """24 small fits: in turn on one thread, beside fit_many."""
    X, y = digits()

    def one_by_one():
        for _ in range(24):
            small(n_threads=1).fit(X, y)

    return in_turn(one_by_one, lambda: fit_many([small() for _ in range(24)], X, y), rounds=rounds)


def search(estimator):
    return GridSearchCV(clone(estimator), GRID, cv=3, refit=False)


def searches(rounds, max_iter=50):
    """A search over 24 fits of some 30 ms: in turn on one thread, beside joblib's threads."""
    X, y = digits()

    def on_threads():
        with joblib.parallel_config("threading", n_jobs=2):
            search(small(max_iter=max_iter)).fit(X, y)

    return in_turn(lambda: search(small(max_iter=max_iter, n_threads=1)).fit(X, y), on_threads, rounds=rounds)


def longer_searches(rounds):
    """The same with fits of 0.2 s, which it does not group."""
    return searches(min(rounds, 2), max_iter=400)


def sklearns_search(rounds):
    """The same: scikit-learn's own network, beside joblib's threads."""
    X, y = digits()

    def on_threads():
        with joblib.parallel_config("threading", n_jobs=2):
            search(small()).fit(X, y)

    return in_turn(lambda: search(small(SklearnMLPClassifier)).fit(X, y), on_threads, rounds=min(rounds, 2))


def of_columns():
    """The eight modules, for an estimator that chooses their columns itself."""
    return [(f"module {i}", module(i), slice(10 * i, 10 * i + 10)) for i in range(8)]


def estimator_itself(rounds):
    """fit_many of eight modules, beside ModularClassifier, which fits the same and combines them by their mean."""
    parts, y, X = columns()
    return in_turn(
        lambda: fit_many([*map(module, range(8))], parts, [y] * 8, each=True),
        lambda: ModularClassifier(of_columns()).fit(X, y),
        rounds=rounds,
    )


def combiner_itself(rounds):
    """The cv + 1 fits of each module and of GaussianNB, beside ModularClassifier with it as its combiner."""
    parts, y, X = columns()
    rows = [slice(None), *(train for train, _ in StratifiedKFold(5).split(X, y))]
    fits = [(module(i), part[chosen], y[chosen]) for chosen in rows for i, part in enumerate(parts)]
    outputs = ModularClassifier(of_columns()).fit(X, y).transform(X)

    def fits_alone():
        fit_many(*map(list, zip(*fits, strict=True)), each=True)
        fit_many(
            [GaussianNB() for _ in rows],
            [outputs[chosen] for chosen in rows],
            [y[chosen] for chosen in rows],
            each=True,
        )

    return in_turn(
        fits_alone,
        lambda: ModularClassifier(of_columns(), combine=GaussianNB()).fit(X, y),
        rounds=rounds,
    )


def large_searches(rounds):
    """A search over 8 large fits: in turn on all cores, beside joblib's threads."""
    X, y = rng.random((12_800, 200), np.float32), rng.integers(0, 10, 12_800)
    grid, large = {"alpha": [1e-5, 1e-4, 1e-3, 1e-2]}, MLPClassifier((256,), max_iter=3, random_state=0)

    def run():
        GridSearchCV(large, grid, cv=2, refit=False).fit(X, y)

    def on_threads():
        with joblib.parallel_config("threading", n_jobs=2):
            run()

    return in_turn(run, on_threads, rounds=rounds)


def main(rounds=5):
    warnings.simplefilter("ignore")
    for work in (
        modules,
        voting,
        many,
        searches,
        longer_searches,
        sklearns_search,
        large_searches,
        estimator_itself,
        combiner_itself,
    ):
        one, other = work(int(rounds))
        print(f"{one:8.3f} s {other:8.3f} s {one / other:7.2f} x   {work.__doc__}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
