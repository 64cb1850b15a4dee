"""fastnn: MLPClassifier for dense networks, a Sequential estimator for those with other layers."""

import numpy as np
import workloads

import fastnn

VERSION = fastnn.__version__


def network(workload, X, y, seed):
    parameters = {
        "solver": workload.solver,
        "batch_size": workload.batch_size,
        "learning_rate_init": workload.learning_rate,
        "epsilon": workloads.EPSILON,
        "alpha": 0,
        "clip_norm": workload.clip_norm,
        "random_state": seed,
    }
    if workload.sizes:
        model = fastnn.MLPClassifier(workload.sizes[1:-1], **parameters)
    else:
        model = sequential(workload, parameters)
    options = {} if workload.n_classes is None else {"classes": np.arange(workload.n_classes)}
    return lambda n_epochs: model.partial_fit(X, y, epochs=n_epochs, **options), model.predict


def sequential(workload, parameters):
    estimator = "SequentialRegressor" if workload.n_classes is None else "SequentialClassifier"
    try:
        from fastnn import layers

        made = [workloads.named_in(layers, layer) for layer in workload.layers]
        return getattr(fastnn, estimator)(made, **parameters)
    except (ImportError, AttributeError) as error:
        raise workloads.CannotRun(f"not in this version: {error.name}") from None
