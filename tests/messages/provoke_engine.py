"""Arguments that the engine refuses: through its own classes, since the estimators check most of them before."""

import os
from unittest import mock

import numpy as np
import scipy.sparse as sp
from problems import dense_layers, make_loss, make_trainer, random_weights

from fastnn.data.ragged import Sequences
from fastnn.engine import isa, schedule
from fastnn.engine.arrays import check_indices
from fastnn.engine.loss import Loss
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.order import shuffled
from fastnn.engine.perceptron.perceptron import Perceptrons
from fastnn.engine.standalone import Dense
from fastnn.engine.trainer import Trainer

X = np.ones((6, 4))
LABELS = np.arange(6, dtype=np.int32) % 3
ORDER = np.arange(6)
INDICATORS = np.ones((6, 3))


def trainer(loss="softmax", n_features=4, batch_size=2, dtype="float64", **settings):
    weights = random_weights(np.random.default_rng(0), (n_features, 5, 3), dtype)
    return make_trainer(weights, ["relu"], loss, "sgd", batch_size, learning_rate=0.1, **settings)


def network(sizes=(5, 3), input_shape=(4,), head="softmax", dtype="float64", **settings):
    layers = dense_layers(sizes, ["relu"] * (len(sizes) - 1))
    return Network(layers, input_shape, head, dtype, **settings)


def normalizing(momentum=0.9, epsilon=1e-3):
    return Network([("batch_normalization", momentum, epsilon), ("dense", 3, "identity")], (4,), "softmax", "float64")


def network_of(*layer, shape=(6, 2)):
    """A network that begins with this layer."""
    return Network([layer, ("dense", 3, "identity")], shape, "identity", "float64")


def train(batch_size=2, n_threads=1, **settings):
    return Trainer(network(), make_loss("softmax", 3), Optimizer("sgd", 0.1), batch_size, n_threads, **settings)


def run(X=X, targets=LABELS, order=ORDER, loss="softmax", **arrays):
    return trainer(loss).run(X, targets, order, **arrays)


def changed(**parts):
    """A CSR matrix some of whose arrays are replaced, which SciPy does not check."""
    made = sp.csr_array(X)
    for name, value in parts.items():
        setattr(made, name, value)
    return made


def run_in_run():
    """A run of a trainer that is in a run: X itself starts it where the engine asks for its shape."""
    subject = trainer()

    class Samples(np.ndarray):
        shape = property(lambda samples: subject.run(X, LABELS, ORDER))

    subject.run(X.view(Samples), LABELS, ORDER)


def train_in_use():
    subject = trainer()
    subject.in_use = True
    subject.move_to(trainer().network)


def train_frozen():
    layer = ("convolution", 6, (6, 5), (1, 1), "valid", (1, 1), 1, "identity", True, False)
    network = Network([layer], (6, 5, 4), "identity", "float64")
    Trainer(network, make_loss("squared_error", 6), Optimizer("sgd", 0.1), 2, 1)


def with_phases(phases):
    """A trainer whose schedule has operations that there are not."""
    with mock.patch.object(schedule, "plan", lambda *arguments: phases):
        train()


def crowded():
    """A batch of many samples, each the same row of many numbers in one column."""
    n = 2**22
    row = sp.csr_array((np.ones(n, np.uint8), np.zeros(n, np.int32), [0, n]), shape=(1, 1))
    batch = np.zeros(2**10, np.intp)
    trainer(n_features=1, batch_size=len(batch)).run(row, LABELS[:1], batch)


def with_isa(name):
    with mock.patch.dict(os.environ, FASTNN_ISA=name):
        isa._chosen_level()


SETTINGS = {"eta": 1.0, "intercept_rate": 1.0, "alpha": -1.0, "l1_ratio": 0.0, "tol": -np.inf, "max_iter": 7}
SETTINGS |= {"n_iter_no_change": 5, "step": 1, "average_from": 0, "held_out_weight": 0.0, "n_train": 6}
SETTINGS |= {"segment_epochs": 256, "n_threads": 1}


def learn(X=X, classes=LABELS, coef=None, **settings):
    coef = np.zeros((1, 4)) if coef is None else coef
    return Perceptrons(X, classes, None, coef, [0.0], None, [1], [(1.0, 1.0)], [9], **SETTINGS | settings)


def read_only(array):
    array.flags.writeable = False
    return array


def dense(n_biases=5, **settings):
    return Dense(np.ones((4, 5)), np.ones(n_biases), **settings)


def convolution(input_shape=(6, 5, 4), **changed):
    """A network of one convolution over maps, some of whose settings are others."""
    layer = {"filters": 6, "kernel_size": (3, 2), "strides": (1, 1), "padding": "valid", "dilation_rate": (1, 1)}
    layer |= {"groups": 2, "activation": "identity", **changed}
    return Network([("convolution", *layer.values())], input_shape, "identity", "float64")


def recurrent(shape=(None, 2), **changed):
    """A network of one recurrent layer over sequences, some of whose settings are others."""
    layer = {"cell": "gru", "units": 3, "activation": "tanh", "recurrent": "logistic", "sequences": False}
    layer |= {"direction": "forward", "dropout": 0.0, "recurrent_dropout": 0.0, **changed}
    return network_of("recurrent", *layer.values(), shape=shape)


def in_windows(n_steps, network):
    return Trainer(network, make_loss("squared_error", 3), Optimizer("sgd", 0.1), 2, 1, truncate_steps=n_steps)


def over_sequences(**changed):
    ones = {"kernel_size": (3,), "strides": (1,), "dilation_rate": (1,)}
    return convolution((6, 4), **ones | changed)


OF_NETWORKS = {
    "no layers": lambda: Network([], (4,), "softmax", "float64"),
    "an unknown head": lambda: network(head="cubic"),
    "no features": lambda: network(input_shape=(0,)),
    "groups of other outputs": lambda: network(groups=(1, 1)),
    "an activation before the head": lambda: Network([("dense", 3, "relu")], (4,), "softmax", "float64"),
    "an unknown activation": lambda: Network(dense_layers([5, 3], ["cubic"]), (4,), "softmax", "float64"),
    "an unknown kind of layer": lambda: Network([("cubic", 3)], (4,), "softmax", "float64"),
    "no units": lambda: network(sizes=(0, 3)),
    "float16": lambda: network(dtype="float16"),
    "more memory than addresses": lambda: network(sizes=(2**31 - 1, 2**31 - 1)),
    "other columns": lambda: network().forward(X[:, 1:], 1),
    "one axis": lambda: network().forward(X[0], 1),
    "infinite samples": lambda: network().forward(X * np.inf, 1, must_be_finite=True),
    "a momentum of 1": lambda: normalizing(momentum=1.0),
    "an epsilon of 0 over batches": lambda: normalizing(epsilon=0.0),
    "CSC": lambda: network().forward(sp.csc_array(X), 1),
    "complex numbers": lambda: network().forward(X.astype(complex), 1),
    "starts of other rows": lambda: run(changed(indptr=np.array([0, 4]))),
    "starts beyond the numbers": lambda: check_indices(changed(indptr=np.array([0, 4, 8, 12, 16, 20, 99]))),
    "starts that do not ascend": lambda: check_indices(changed(indptr=np.array([0, 8, 4, 12, 16, 20, 24]))),
    "indices beyond the columns": lambda: check_indices(changed(indices=np.full(24, 9))),
    "weights of a layer less": lambda: network().set_weights(network().weights()[:-1]),
    "weights of another shape": lambda: network().set_weights(network().weights()[::-1]),
    "packed weights of another type": lambda: network().unpack(network().parameters.astype("float32")),
    "no depth": lambda: network().forward(X, 1, depth=0),
    "no threads": lambda: network().forward(X, 0),
    "an instruction set that is not built": lambda: network(level="mmx"),
    "FASTNN_ISA": lambda: with_isa("mmx"),
}

OF_KINDS_OF_LAYERS = {
    "a setting too many": lambda: network_of("rescaling", 1.0, 0.0, 2.0),
    "a scale that is infinite": lambda: network_of("rescaling", np.inf),
    "an offset that is no number": lambda: network_of("rescaling", 1.0, "0"),
    "another number of numbers": lambda: network_of("reshape", (5, 2)),
    "a shape that is no tuple": lambda: network_of("reshape", 12),
    "a shape for sequences of any length": lambda: network_of("reshape", (5, 2), shape=(None, 2)),
    "a sequence too short for a layer": lambda: network_of("max_pooling", (3,), shape=(None, 2)).forward(
        Sequences.from_list([[[1.0, 2.0]] * 4, [[1.0, 2.0]] * 2]), 1
    ),
    "an epsilon of 0": lambda: network_of("layer_normalization", 0.0),
    "pooling of vectors": lambda: network_of("max_pooling", (2,), shape=(12,)),
    "global pooling of vectors": lambda: network_of("global_average_pooling", shape=(12,)),
    "a pool_size of another rank": lambda: network_of("max_pooling", (2, 2)),
    "a pool_size of 2**31": lambda: network_of("max_pooling", (2**16, 2**15), shape=(4, 4, 1)),
    "a pool_size beyond the input": lambda: network_of("average_pooling", (7,)),
    "no vectors": lambda: network_of("embedding", 9, 0, shape=(6, 1)),
    "two tokens at a step": lambda: network_of("embedding", 9, 3),
    "more tokens than float32 counts": lambda: Network([("embedding", 2**24 + 1, 1)], (6, 1), "identity", "float32"),
    "an unknown padding of windows": lambda: network_of("average_pooling", (2,), None, "full"),
}

OF_LOSSES = {
    "an unknown loss": lambda: Loss("cubic", "identity", 3),
    "a head of another loss": lambda: Loss("softmax", "identity", 3),
    "an unknown head of a loss": lambda: Loss("squared_error", "cubic", 3),
    "settings of other outputs": lambda: Loss("huber", "identity", 3, [1.0, 2.0]),
    "settings of several outputs": lambda: Loss("softmax", "softmax", 3, [0.1, 0.2, 0.3]),
    "groups of numbers": lambda: Loss("squared_error", "identity", 3, groups=[1, 2]),
    "groups of other outputs of a loss": lambda: Loss("softmax", "softmax", 3, groups=[1, 1]),
    "a loss of another network": lambda: network().loss(X, LABELS, None, make_loss("softmax", 4), 1),
    "a loss of maps": lambda: convolution().loss(
        np.ones((2, 120)), None, None, Loss("squared_error", "identity", 6), 1
    ),
    "a loss of other groups": lambda: network().loss(X, LABELS, None, Loss("softmax", "softmax", 3, groups=[1, 2]), 1),
    "fewer targets": lambda: run(targets=LABELS[1:]),
    "targets of other outputs": lambda: run(targets=INDICATORS[:, 1:], loss="logistic"),
    "targets of one axis": lambda: run(targets=LABELS, loss="logistic"),
    "fewer weights": lambda: run(weights=np.ones(5)),
    "weights of other outputs": lambda: run(weights=np.ones((6, 3))),
    "classes of int64": lambda: run(targets=LABELS.astype(np.int64)),
    "classes of two columns": lambda: run(targets=np.stack([LABELS, LABELS], axis=1)),
    "classes beyond the outputs": lambda: run(targets=LABELS + np.int32(1)),
}

OF_TRAINERS = {
    "an unknown optimizer": lambda: Optimizer("cubic", 0.1),
    "an empty batch": lambda: train(batch_size=0),
    "no threads in training": lambda: train(n_threads=0),
    "no threads in a run": lambda: run(n_threads=0),
    "dropout of other layers": lambda: train(dropout=(0.1, 0.2)),
    "dropout of all units": lambda: train(dropout=(1.0,)),
    "a clip_norm of 0": lambda: train(clip_norm=0.0),
    "a seed below 0": lambda: train(seed=-1),
    "a network of another head": lambda: trainer().move_to(trainer("logistic").network),
    "a network of other weights": lambda: trainer().copy_for(trainer(n_features=3).network),
    "dropout of rescaled samples": lambda: Trainer(
        network_of("rescaling", 2.0, shape=(4,)), make_loss("squared_error", 3), Optimizer("sgd", 0.1), 2, 1, (0.5,)
    ),
    "a network in use": train_in_use,
    "a run in a run": run_in_run,
    "an order of int32": lambda: run(order=ORDER.astype(np.int32)),
    "an order beyond the samples": lambda: run(order=ORDER + 1),
    "rates of other batches": lambda: run(rates=np.ones(2)),
    "a batch of 2**32 numbers": crowded,
    "an order of 2**32 samples": lambda: shuffled(np.broadcast_to(np.intp(0), 2**32), np.random.RandomState(0)),
    "layers that do not learn": train_frozen,
    "an unknown operation": lambda: with_phases([[("cube",)]]),
    "an unknown operation by rows": lambda: with_phases([[("rows", [("cube",)])]]),
}

OF_PERCEPTRONS = {
    "no samples": lambda: learn(X[:0]),
    "classes of another type": lambda: learn(classes=LABELS.astype(np.int64)),
    "classes that are not contiguous": lambda: learn(classes=np.repeat(LABELS, 2)[::2]),
    "no threads for perceptrons": lambda: learn(n_threads=0),
    "no threads in a run of perceptrons": lambda: learn().run(n_threads=0),
    "weights that cannot be written": lambda: learn(coef=read_only(np.zeros((1, 4)))),
    "rows that are not contiguous": lambda: learn(np.ones((4, 6)).T),
}

LAST = {"activation": "identity", "use_bias": True, "trainable": True}
OF_CONVOLUTIONS = {
    "a convolution over vectors": lambda: convolution((4,)),
    "a convolution of two axes over sequences": lambda: convolution((6, 4)),
    "a kernel without axes": lambda: convolution((4,), kernel_size=(), strides=(), dilation_rate=()),
    "a kernel of three axes": lambda: convolution((6, 5, 4, 4), kernel_size=(3, 2, 1)),
    "a kernel of size 0": lambda: convolution(kernel_size=(3, 0)),
    "a kernel of half a size": lambda: over_sequences(kernel_size=(1.5,)),
    "strides of 0": lambda: convolution(strides=(0, 1)),
    "strides of another length": lambda: convolution(strides=(1,)),
    "strides of 2**31": lambda: over_sequences(strides=(2**31,)),
    "a dilation below 0": lambda: convolution(dilation_rate=(1, -1)),
    "an option too many": lambda: convolution(**LAST, pool_size=None, more=1),
    "a dilation of another length": lambda: over_sequences(dilation_rate=(1, 1)),
    "an unknown padding": lambda: convolution(padding="full"),
    "causal padding of maps": lambda: convolution(padding="causal"),
    "a kernel larger than the map": lambda: convolution(kernel_size=(3, 6)),
    "a kernel that is dilated beyond the sequence": lambda: over_sequences(dilation_rate=(3,)),
    "a pool of other axes": lambda: convolution(**LAST, pool_size=(2,)),
    "a pool of 0 positions": lambda: convolution(**LAST, pool_size=(2, 0)),
    "a pool larger than the map": lambda: convolution(**LAST, pool_size=(2, 5)),
    "a pool below an activation that is not monotonic": lambda: convolution(
        **LAST | {"activation": "gelu"}, pool_size=(2, 2)
    ),
    "no filters": lambda: convolution(filters=0),
    "2**31 filters": lambda: convolution(filters=2**31),
    "no groups": lambda: convolution(groups=0),
    "groups below 0": lambda: convolution(groups=-2),
    "groups of part of the channels": lambda: convolution(groups=3),
    "groups of part of the filters": lambda: convolution(filters=5),
    "padding of 2**31 numbers": lambda: over_sequences(padding="causal", dilation_rate=(2**29,)),
    "maps of 2**31 numbers": lambda: convolution(filters=2**30),
}

OF_RECURRENT_LAYERS = {
    "cells over vectors": lambda: recurrent((4,)),
    "an unknown cell": lambda: recurrent(cell="cubic"),
    "cells without units": lambda: recurrent(units=0),
    "cells of too many units": lambda: recurrent(units=2**16 + 1),
    "cells whose activation keeps its input": lambda: recurrent(activation="gelu"),
    "gates whose activation keeps its input": lambda: recurrent(recurrent="silu"),
    "an unknown direction": lambda: recurrent(direction="both"),
    "dropout of all inputs": lambda: recurrent(dropout=1.0),
    "a recurrent_dropout below 0": lambda: recurrent(recurrent_dropout=-0.1),
    "sequences beyond their steps": lambda: recurrent().forward(Sequences(np.ones((4, 2)), np.array([0, 5])), 1),
    "windows without steps": lambda: in_windows(0, recurrent(sequences=True)),
    "windows of sequences with one output": lambda: in_windows(3, recurrent()),
    "windows of what goes back": lambda: in_windows(3, recurrent(sequences=True, direction="backward")),
    "a sequence without steps": lambda: recurrent().forward(Sequences(np.ones((4, 2)), np.array([0, 2, 2])), 1),
}

OF_LAYERS = {
    "no threads for a layer": lambda: dense(n_threads=0),
    "other biases": lambda: dense(n_biases=4),
    "x of other columns": lambda: dense().forward(X[:, 1:]),
    "x in descending order": lambda: dense().forward(X[::-1]),
    "out of another shape": lambda: dense().forward(X, out=np.ones((6, 5))),
    "delta of other columns": lambda: dense().grad_input(np.ones((6, 4)), X),
}

PROVOCATIONS = OF_NETWORKS | OF_KINDS_OF_LAYERS | OF_LOSSES | OF_TRAINERS | OF_PERCEPTRONS | OF_CONVOLUTIONS
PROVOCATIONS |= OF_RECURRENT_LAYERS | OF_LAYERS

EXEMPT = []
if missing := [name for name in isa.built_levels() if name not in isa.available_levels()]:
    PROVOCATIONS["an instruction set that this CPU lacks"] = lambda: network(level=missing[0])
else:
    EXEMPT.append(("engine/isa.pyx", "must be an instruction set of this CPU", "this CPU has all that are built"))
