"""scikit-learn's MLPClassifier: dense layers only, and no RMSprop, in whose place it trains by Adam.

Each call of `fit` goes on from the weights of the last; Adam's averages begin anew.
"""

import sklearn
import workloads
from sklearn.neural_network import MLPClassifier

VERSION = sklearn.__version__


def network(workload, X, y, seed):
    if not workload.sizes:
        raise workloads.CannotRun("scikit-learn has dense layers only")
    model = MLPClassifier(
        workload.sizes[1:-1],
        solver="adam" if workload.solver == "rmsprop" else workload.solver,
        batch_size=workload.batch_size,
        learning_rate_init=workload.learning_rate,
        epsilon=workloads.EPSILON,
        alpha=0,
        tol=0,
        n_iter_no_change=10**9,
        warm_start=True,
        random_state=seed,
    )
    return lambda n_epochs: model.set_params(max_iter=n_epochs).fit(X, y), model.predict
