"""Networks in PyTorch, with which fastnn is compared: eager, as tutorials train them. Importing it needs PyTorch."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from fastnn.cli.numpy_convnet import KERNEL_SIZE, POOL_SIZE


class TorchNetwork:
    """What networks share: a subclass has `train_epoch`."""

    def fit(self, X, y, n_epochs):
        """Train for so many epochs."""
        for _ in range(n_epochs):
            self.train_epoch(X, y)


class TorchTraining(TorchNetwork):
    """A classifier that Adam trains. Its initial weights and orders of samples are PyTorch's own.

    Parameters
    ----------
    make : callable
        Returns the module, whose outputs are logits: one for each class, or a single one for two classes.
    learning_rate : float, default=0.001
    batch_size : int, default=64
    dtype : float32 or float64
        The type of the parameters and of X.
    random_state : int, default=0
    """

    def __init__(self, make, learning_rate=0.001, batch_size=64, dtype=np.float32, random_state=0):
        torch.manual_seed(random_state)
        self.module = make().to(torch.from_numpy(np.zeros(0, dtype)).dtype)
        self.optimizer = torch.optim.Adam(self.module.parameters(), learning_rate)
        self.batch_size = batch_size

    @property
    def n_parameters(self):
        return sum(parameter.numel() for parameter in self.module.parameters())

    def train_epoch(self, X, y):
        """Train for one epoch on samples X and classes y, which are 0, 1, 2, ..."""
        X, y = torch.from_numpy(X), torch.from_numpy(y)
        for batch in torch.randperm(len(X)).split(self.batch_size):
            self.optimizer.zero_grad()
            self._loss(self.module(X[batch]), y[batch]).backward()
            self.optimizer.step()

    @staticmethod
    def _loss(logits, y):
        if logits.shape[1] == 1:
            return nn.functional.binary_cross_entropy_with_logits(logits[:, 0], y.to(logits.dtype))
        return nn.functional.cross_entropy(logits, y)

    def predict_proba(self, X):
        """The class probabilities of the samples X."""
        with torch.inference_mode():
            logits = self.module(torch.from_numpy(X))
            if logits.shape[1] == 1:  # those of the first class are 0
                logits = torch.hstack([torch.zeros_like(logits), logits])
            return logits.softmax(1).numpy()

    def predict(self, X):
        """The likeliest class of each of the samples X."""
        return self.predict_proba(X).argmax(1)


class TorchPerceptron(TorchNetwork):
    """A threshold unit for two classes, which learns from each sample that it classifies wrongly, in their order."""

    def __init__(self, n_features, dtype=np.float32):
        self.weights, self.bias = torch.from_numpy(np.zeros(n_features, dtype)), torch.zeros(())

    @property
    def n_parameters(self):
        return len(self.weights) + 1

    def train_epoch(self, X, y):
        """Learn from each of the samples X, of classes 0 and 1."""
        for x, target in zip(torch.from_numpy(X), torch.from_numpy(2 * y - 1), strict=True):
            if target * (x @ self.weights + self.bias) <= 0:
                self.weights += target * x
                self.bias += target

    def predict(self, X):
        """The class of each of the samples X."""
        return (torch.from_numpy(X) @ self.weights + self.bias > 0).int().numpy()


def dense_layers(sizes):
    """Dense layers with ReLU in between: the network of `numpy_network`."""
    return nn.Sequential(*[part for fans in pairwise(sizes) for part in (nn.Linear(*fans), nn.ReLU())][:-1])


def convolutions(image_shape, filters, n_classes, padding):
    """Convolutions with ReLU, each followed by max pooling: the network of `numpy_convnet`, without dropout."""
    channels, parts = 1, [nn.Unflatten(1, (1, image_shape[0]))]  # images have no axis of channels
    for n in filters:
        parts += [nn.Conv2d(channels, n, KERNEL_SIZE, padding=padding), nn.ReLU(), nn.MaxPool2d(POOL_SIZE)]
        channels = n
    images = torch.zeros((1, *image_shape))
    n_outputs = nn.Sequential(*parts)(images).numel()
    return nn.Sequential(*parts, nn.Flatten(), nn.Linear(n_outputs, n_classes))


class Recurrent(nn.Module):
    """Gated recurrent units, whose last state a dense layer reads: the network of `numpy_recurrent`."""

    def __init__(self, n_features, units, n_classes):
        super().__init__()
        self.units, self.output = nn.GRU(n_features, units, batch_first=True), nn.Linear(units, n_classes)

    def forward(self, X):
        _, state = self.units(X)
        return self.output(state[0])
