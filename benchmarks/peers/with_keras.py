"""Keras, with the backend that KERAS_BACKEND names."""

import keras
from keras import layers
from workloads import ADAM_DECAYS, EPSILON, LEARNING_RATE, RMSPROP_DECAY, Dense, named_in

VERSION = f"{keras.__version__}, {keras.backend.backend()}"
AT_ONCE = 1000  # rows of a prediction


def translated(layer):
    """Keras's layers for one of the workload's, whose names and arguments are Keras's."""
    made = named_in(layers, layer)
    return [layers.Flatten(), made] if isinstance(layer, Dense) else [made]


def optimizer(solver):
    if solver == "rmsprop":
        return keras.optimizers.RMSprop(LEARNING_RATE, rho=RMSPROP_DECAY, epsilon=EPSILON)
    return keras.optimizers.Adam(LEARNING_RATE, *ADAM_DECAYS, epsilon=EPSILON)


def network(workload, X, y, seed, backend):
    keras.utils.set_random_seed(seed)
    made = keras.Sequential([keras.Input(workload.input_shape)])
    for layer, _ in workload.chain:
        for part in translated(layer):
            made.add(part)
    made.compile(optimizer(workload.solver), "sparse_categorical_crossentropy")

    def train(n_epochs):
        made.fit(X, y, batch_size=workload.batch_size, epochs=n_epochs, verbose=0)

    def predict(X):
        if len(X) <= AT_ONCE:  # without `predict`'s preparations, which take longer than a few rows
            return made.predict_on_batch(X).argmax(1)
        return made.predict(X, batch_size=AT_ONCE, verbose=0).argmax(1)

    return train, predict
