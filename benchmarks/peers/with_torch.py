"""PyTorch, as its tutorials train, with the optimizers that take all parameters at once (foreach)."""

import numpy as np
import torch
from torch import nn
from workloads import (
    ADAM_DECAYS,
    EPSILON,
    LEARNING_RATE,
    RMSPROP_DECAY,
    AveragePooling2D,
    Conv2D,
    Dense,
    Dropout,
    MaxPooling2D,
)

VERSION = torch.__version__
ACTIVATIONS = {"relu": [nn.ReLU()], "tanh": [nn.Tanh()], "softmax": []}  # softmax is a part of nn.CrossEntropyLoss
AT_ONCE = 1000  # rows of a prediction


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


def optimizer(solver, parameters):
    if solver == "rmsprop":
        return torch.optim.RMSprop(parameters, LEARNING_RATE, alpha=RMSPROP_DECAY, eps=EPSILON, foreach=True)
    return torch.optim.Adam(parameters, LEARNING_RATE, betas=ADAM_DECAYS, eps=EPSILON, foreach=True)


def tensor(X):
    """Rows as they are; images with channels first, which copies nothing."""
    X = torch.from_numpy(X)
    return X.permute(0, 3, 1, 2) if X.ndim == 4 else X


def network(workload, X, y, seed, compiled=False):
    torch.manual_seed(seed)
    made = nn.Sequential(*(module for layer, shape in workload.chain for module in modules(layer, shape)))
    cross_entropy, stepping = nn.CrossEntropyLoss(), optimizer(workload.solver, made.parameters())
    X, y = tensor(X), torch.from_numpy(y)

    def loss(x, y):
        return cross_entropy(made(x), y)

    def logits(x):
        return made(x)

    if compiled:
        loss, logits = torch.compile(loss), torch.compile(logits)

    def train(n_epochs):
        made.train()
        for _ in range(n_epochs):
            for batch in torch.randperm(len(X)).split(workload.batch_size):
                stepping.zero_grad(set_to_none=True)
                loss(X[batch], y[batch]).backward()
                stepping.step()
        made.eval()

    def predict(X):
        with torch.inference_mode():
            return torch.cat([logits(x).argmax(1) for x in tensor(X).split(AT_ONCE)]).numpy()

    return train, predict
