"""Keras, with the backend that KERAS_BACKEND names."""

import keras
from keras import layers
from padding import padded
from workloads import ADAM_DECAYS, EPSILON, RMSPROP_DECAY, CannotRun, Dense, Embedding, named_in

VERSION = f"{keras.__version__}, {keras.backend.backend()}"
AT_ONCE = 1000  # rows of a prediction


def translated(layer):
    """Keras's layers for one of the workload's, whose names and arguments are Keras's."""
    made = named_in(layers, layer)
    return [layers.Flatten(), made] if isinstance(layer, Dense) else [made]


def optimizer(workload):
    settings = {"epsilon": EPSILON, "global_clipnorm": workload.clip_norm}
    if workload.solver == "rmsprop":
        return keras.optimizers.RMSprop(workload.learning_rate, rho=RMSPROP_DECAY, **settings)
    return keras.optimizers.Adam(workload.learning_rate, *ADAM_DECAYS, **settings)


def network(workload, X, y, seed, backend):
    if workload.ragged and workload.padded_to is None:
        raise CannotRun("Keras has no sequences of different lengths")
    keras.utils.set_random_seed(seed)
    X = samples(X, workload)
    dtype = "int32" if isinstance(workload.layers[0], Embedding) else "float32"
    made = keras.Sequential([keras.Input(X.shape[1:], dtype=dtype)])
    for layer, _ in workload.chain:
        for part in translated(layer):
            made.add(part)
    is_classifier = workload.n_classes is not None
    made.compile(optimizer(workload), "sparse_categorical_crossentropy" if is_classifier else "mse")

    def train(n_epochs):
        made.fit(X, y, batch_size=workload.batch_size, epochs=n_epochs, verbose=0)

    def predict(X):
        X = samples(X, workload)
        # A few rows without the preparations of `predict`, which take longer
        few = len(X) <= AT_ONCE
        outputs = made.predict_on_batch(X) if few else made.predict(X, batch_size=AT_ONCE, verbose=0)
        return outputs.argmax(1) if is_classifier else outputs[:, 0]

    return train, predict


def samples(X, workload):
    return padded(X, workload.padded_to) if workload.ragged else X
