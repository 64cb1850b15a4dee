"""fastnn: MLPClassifier for dense networks, SequentialClassifier for those with other layers."""

import numpy as np
import workloads

import fastnn

VERSION = fastnn.__version__


def network(workload, X, y, seed):
    parameters = {
        "solver": workload.solver,
        "batch_size": workload.batch_size,
        "learning_rate_init": workloads.LEARNING_RATE,
        "epsilon": workloads.EPSILON,
        "alpha": 0,
        "random_state": seed,
    }
    if workload.sizes:
        model = fastnn.MLPClassifier(workload.sizes[1:-1], **parameters)
    else:
        model = sequential(workload, parameters)
    classes = np.arange(workload.n_classes)
    return lambda n_epochs: model.partial_fit(X, y, classes=classes, epochs=n_epochs), model.predict


def sequential(workload, parameters):
    try:
        from fastnn import SequentialClassifier, layers
    except ImportError:
        raise workloads.CannotRun("not in this version: SequentialClassifier") from None
    return SequentialClassifier([workloads.named_in(layers, layer) for layer in workload.layers], **parameters)
