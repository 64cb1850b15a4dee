"""PyTorch, as its tutorials train, with the optimizers that take all parameters at once (foreach).

Sequences of different lengths are padded, where the workload says to how many steps, or packed (pack_sequence).
"""

import dataclasses

import numpy as np
import torch
from padding import padded
from torch import nn
from torch.nn.utils.rnn import pack_sequence
from workloads import (
    ADAM_DECAYS,
    EPSILON,
    GRU,
    LSTM,
    RMSPROP_DECAY,
    AveragePooling2D,
    Bidirectional,
    CannotRun,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    GlobalMaxPooling1D,
    MaxPooling2D,
    SimpleRNN,
)

VERSION = torch.__version__
ACTIVATIONS = {"relu": [nn.ReLU()], "tanh": [nn.Tanh()], "linear": [], "softmax": []}  # nn.CrossEntropyLoss has softmax
CELLS = {SimpleRNN: nn.RNN, GRU: nn.GRU, LSTM: nn.LSTM}
AT_ONCE = 1000  # rows of a prediction


class Recurrent(nn.Module):
    """Values of all steps, or those after the last one, of sequences of one length, or packed ones."""

    def __init__(self, layer, n_features, both):
        super().__init__()
        self.cell = CELLS[type(layer)](n_features, layer.units, batch_first=True, bidirectional=both)
        self.return_sequences = layer.return_sequences

    def forward(self, x):
        values, last = self.cell(x)
        if self.return_sequences:
            return values
        if isinstance(last, tuple):  # an LSTM's, which has a memory, too
            last, _ = last
        return last[0] if len(last) == 1 else torch.cat([*last], 1)


class OverChannels(nn.Module):
    """A module that has channels before steps, for sequences that have them after."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x.transpose(1, 2)).transpose(1, 2)


class LargestOfSteps(nn.Module):
    def forward(self, x):
        return x.max(1)[0]


def modules(layer, shape):
    """The modules of a layer; `shape` is its input's, channels last."""
    match layer:
        case Dense(units, activation):
            return [nn.Flatten(), nn.Linear(int(np.prod(shape)), units), *ACTIVATIONS[activation]]
        case Conv2D(filters, kernel_size, activation, padding):
            return [nn.Conv2d(shape[-1], filters, kernel_size, padding=padding), *ACTIVATIONS[activation]]
        case MaxPooling2D(pool_size):
            return [nn.MaxPool2d(pool_size)]
        case AveragePooling2D(pool_size):
            return [nn.AvgPool2d(pool_size)]
        case Dropout(rate):
            return [nn.Dropout(rate)]
        case SimpleRNN() | GRU() | LSTM():
            return [Recurrent(layer, shape[-1], both=False)]
        case Bidirectional(each):
            return [Recurrent(each, shape[-1], both=True)]
        case Embedding(input_dim, output_dim):
            return [nn.Embedding(input_dim, output_dim)]
        case Conv1D(filters, kernel_size, activation, padding):
            convolution = nn.Conv1d(shape[-1], filters, kernel_size, padding=padding)
            return [OverChannels(convolution), *ACTIVATIONS[activation]]
        case GlobalMaxPooling1D():
            return [LargestOfSteps()]


def optimizer(workload, parameters):
    rate, settings = workload.learning_rate, {"eps": EPSILON, "foreach": True}
    if workload.solver == "rmsprop":
        return torch.optim.RMSprop(parameters, rate, alpha=RMSPROP_DECAY, **settings)
    return torch.optim.Adam(parameters, rate, betas=ADAM_DECAYS, **settings)


def samples(X, workload):
    """Rows as they are; images with channels first, which copies nothing; a list of the sequences that are packed."""
    if workload.ragged and workload.padded_to is None:
        return [torch.from_numpy(x) for x in X]
    X = torch.from_numpy(padded(X, workload.padded_to) if workload.ragged else X)
    return X.permute(0, 3, 1, 2) if X.ndim == 4 else X


def taken(X, rows):
    return pack_sequence([X[i] for i in rows], enforce_sorted=False) if isinstance(X, list) else X[rows]


def network(workload, X, y, seed, compiled=False, packed=False):
    if packed:
        if not workload.ragged or not isinstance(workload.layers[0], SimpleRNN | GRU | LSTM):
            raise CannotRun("only sequences of different lengths that a recurrent layer reads are packed")
        workload = dataclasses.replace(workload, padded_to=None)
    torch.manual_seed(seed)
    made = nn.Sequential(*(module for layer, shape in workload.chain for module in modules(layer, shape)))
    stepping, is_classifier = optimizer(workload, made.parameters()), workload.n_classes is not None
    criterion = nn.CrossEntropyLoss() if is_classifier else nn.MSELoss()
    X, y = samples(X, workload), torch.from_numpy(y)

    def outputs(x):
        return made(x) if is_classifier else made(x)[:, 0]

    def loss(x, y):
        return criterion(outputs(x), y)

    def decided(x):
        return outputs(x).argmax(1) if is_classifier else outputs(x)

    if compiled:
        loss, decided = torch.compile(loss), torch.compile(decided)

    def train(n_epochs):
        made.train()
        for _ in range(n_epochs):
            for batch in torch.randperm(len(X)).split(workload.batch_size):
                stepping.zero_grad(set_to_none=True)
                loss(taken(X, batch), y[batch]).backward()
                if workload.clip_norm:
                    nn.utils.clip_grad_norm_(made.parameters(), workload.clip_norm, foreach=True)
                stepping.step()
        made.eval()

    def predict(X):
        with torch.inference_mode():
            parts = (samples(X[first : first + AT_ONCE], workload) for first in range(0, len(X), AT_ONCE))
            return torch.cat([decided(taken(x, range(len(x)) if isinstance(x, list) else ...)) for x in parts]).numpy()

    return train, predict
