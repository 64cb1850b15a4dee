"""The NumPy networks that fastnn's own benchmarks are beside: dense layers, convolutions with max pooling, or a GRU."""

import numpy as np
import workloads
from workloads import GRU, Conv2D, Dropout, MaxPooling2D

from fastnn.cli.numpy_convnet import KERNEL_SIZE, POOL_SIZE, NumpyConvnet
from fastnn.cli.numpy_network import NumpyNetwork
from fastnn.cli.numpy_recurrent import NumpyRecurrent

VERSION = np.__version__


def network(workload, X, y, seed):
    if workload.ragged or workload.n_classes is None or workload.clip_norm:
        raise workloads.CannotRun("the NumPy networks have samples of one shape, classes, and no clipping")
    training = workload.solver, workload.learning_rate, workload.batch_size, np.float32, seed
    if workload.sizes:
        made, samples = NumpyNetwork(workload.sizes, *training), np.asarray
    elif len(workload.layers) == 1 and isinstance(workload.layers[0], GRU):
        made = NumpyRecurrent(workload.input_shape[1], workload.layers[0].units, workload.n_classes, *training)
        samples = np.asarray
    else:
        filters, rate = convolutions(workload)
        made = NumpyConvnet(workload.input_shape[:2], filters, workload.n_classes, "valid", rate, *training)
        samples = lambda X: X[..., 0]  # noqa: E731 (images of one channel)

    def train(n_epochs):
        for _ in range(n_epochs):
            made.train_epoch(samples(X), y)

    return train, lambda X: made.predict(samples(X))


def convolutions(workload):
    """The filters of the convolutions, each before max pooling, and the rate of dropout after them."""
    layers, rate = list(workload.layers), 0.0
    if isinstance(layers[-1], Dropout):
        rate = layers.pop().rate
    filters = [layer.filters for layer in layers if isinstance(layer, Conv2D)]
    network = [layer for n in filters for layer in (Conv2D(n, KERNEL_SIZE), MaxPooling2D(POOL_SIZE))]
    if layers != network or workload.input_shape[2:] != (1,):
        raise workloads.CannotRun("the NumPy networks have dense layers only, convolutions with max pooling, or a GRU")
    return filters, rate
