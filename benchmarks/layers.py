"""Every layer of fastnn.layers over a batch, forward and a step of training, beside NumPy and PyTorch.

Each is between a convolution of 1 x 1, so that its error goes back, and an output layer of one unit. "Activation" is
hardly more than these two. Layers that read X itself are the first ones, and after masking each step has an output.
"""

import numpy as np

from fastnn import layers
from fastnn.data.ragged import Sequences
from fastnn.engine.layers.registry import LAYER_KINDS
from fastnn.engine.loss import Loss
from fastnn.engine.network import Network
from fastnn.engine.optimizer import Optimizer
from fastnn.engine.trainer import Trainer
from fastnn.layers.bidirectional import is_recurrent
from fastnn.layers.chain import Chain
from fastnn.layers.embedding import steps_to_keep
from fastnn.runtime.threads import effective_n_threads

from . import plain_layers
from .measuring import _Tracked, figures

#: What is read: maps, and as many positions in a sequence.
BATCH_SIZE, MAP, SEQUENCE, RATE = 32, (28, 28, 32), (784, 32), 1e-5
TOKENS = (SEQUENCE[0], 1)
#: Layers with the arguments that they need. All others are timed as they are by default.
LAYERS = [
    layers.Activation("tanh"),
    layers.Bidirectional(layers.GRU(64)),
    layers.Conv1D(64, 3, padding="same"),
    layers.Conv2D(64, 3, padding="same"),
    layers.Dense(128),
    layers.Dropout(0.5),
    layers.Embedding(10_000, 32),
    layers.GRU(64),
    layers.LSTM(64),
    layers.Rescaling(0.5, 0.1),
    layers.Reshape((14, 56, 32)),
    layers.SimpleRNN(64),
]
GIVEN = {type(layer).__name__: layer for layer in LAYERS}
BY_NAME = {name: GIVEN.get(name) or getattr(layers, name)() for name in layers.__all__ if name != "Layer"}


class _Work:
    """A network of one of the layers, and a batch."""

    def __init__(self, layer, dtype, batch_size=BATCH_SIZE):
        rng, embeds = np.random.default_rng(0), isinstance(layer, layers.Embedding)
        self.shape = TOKENS if embeds else SEQUENCE if layer.reads == "sequence" else MAP
        before = [layers.Conv1D(32, 1) if layer.reads == "sequence" else layers.Conv2D(32, 1)]
        if layer.comes_after is not None:  # it reads X itself
            before = []
        after = [layers.Flatten()] if len(layer.output_shape(self.shape)) == 2 else []  # one vector for each sample
        if layer.removes_steps:
            after = [layers.Dense(32)]
        self.chain = Chain((*before, layer, *after), self.shape, 1)
        self.weights = self.chain.initial_weights(np.random.RandomState(0), self.chain.gain())
        shape = batch_size, *self.shape
        self.X = (rng.integers(layer.input_dim, size=shape) if embeds else rng.random(shape)).astype(dtype)
        n_outputs = batch_size
        if layer.removes_steps:
            self.X[rng.random(shape[:2]) < 0.25] = layer.mask_value
            n_outputs = np.count_nonzero(layer.steps_to_keep(self.X))
        self.y = rng.random((n_outputs, 1)).astype(dtype)
        self.dtype = np.dtype(dtype)
        self.make()
        self.forward()  # threads started, memory touched
        self.step()

    def step_flops(self):
        """Of the products, for a batch: three for each layer but the first, which carries no error back."""
        products = []
        for link, shapes in zip(self.chain.links, self.chain.weight_shapes(), strict=True):
            kernels = [shape for name, shape in shapes.items() if name.endswith("kernel")]
            if kernels:
                by_position = link.input_shape if is_recurrent(link.layer) else link.output_shape
                products.append(np.prod(by_position[:-1], dtype=float) * sum(map(np.prod, kernels)))
        return 2 * len(self.X) * (3 * sum(products) - products[0])


class _Fastnn(_Work):
    def make(self):
        if lacking := {kind for kind, *_ in self.chain.description} - LAYER_KINDS.keys():
            raise NotImplementedError(f"the engine has no {', '.join(lacking)}")  # asv then shows n/a
        self.n_threads = effective_n_threads()
        self.network = Network(self.chain.description, self.chain.input_shape, "identity", self.dtype)
        self.network.set_weights(self.weights)
        self.trainer = Trainer(
            self.network,
            Loss("squared_error", "identity", 1, 0.0),
            Optimizer("sgd", RATE, 0.0, 0.0, 0.0, 1e-8),
            len(self.X),
            self.n_threads,
            dropout=self.chain.dropout,
        )
        self.order = np.arange(len(self.X))

    def rows(self):
        if None not in self.chain.input_shape:
            return self.X.reshape(len(self.X), -1)
        sequences = Sequences.from_array(self.X)
        return sequences.kept(steps_to_keep(self.chain.layers, sequences.values))

    def forward(self):
        return self.network.forward(self.rows(), self.n_threads)

    def step(self):
        self.trainer.run(self.rows(), self.y, self.order)


class _Numpy(_Work):
    def make(self):
        rng, self.parts = np.random.default_rng(0), []
        for link, weights in zip(self.chain.links, self.chain.by_layer(self.weights), strict=True):
            shape = (1,) * (3 - len(link.input_shape)) + link.input_shape
            part = plain_layers.make(link.layer, shape, rng, self.dtype)
            if part is None:
                raise NotImplementedError(f"nobody wrote {type(link.layer).__name__} in NumPy yet")
            if weights:  # of which state is at the end
                for own, given in zip(part.arrays, weights.values(), strict=False):
                    own[:] = given.reshape(own.shape)
            self.parts.append(part)
        self.parts[-1].relu = False  # the output layer
        self.maps = self.X.reshape(len(self.X), *(1,) * (3 - len(self.shape)), *self.shape)
        self.trained = [part for part in self.parts if hasattr(part, "training")]  # which differ in training

    def forward(self):
        x = self.maps
        for part in self.parts:
            x = part.forward(x)
        return x

    def step(self):
        self._train(True)
        delta = (self.forward() - self.y) / self.dtype.type(len(self.y))
        for part in self.parts[:0:-1]:
            delta = part.back(delta)
        self.parts[0].back(delta, further=False)
        for part in self.parts:
            part.step(RATE)
        self._train(False)

    def _train(self, training):
        for part in self.trained:
            part.training = training


class _Torch(_Work):
    """Maps lie in memory with the channels last, as oneDNN likes them best."""

    def make(self):
        try:
            import torch
        except ImportError:
            raise NotImplementedError("PyTorch is not installed") from None
        torch.set_num_threads(effective_n_threads())
        with_channels_first = self.X.reshape(len(self.X), *(1,) * (3 - len(self.shape)), *self.shape)
        self.x, self.targets = torch.from_numpy(with_channels_first).permute(0, 3, 1, 2), torch.from_numpy(self.y)
        self.torch, modules = torch, []
        for link in self.chain.links:
            modules += torch_modules(link.layer, link.input_shape, torch)
        modules.pop()  # the output layer's ReLU
        self.made = torch.nn.Sequential(*modules).to(self.x.dtype).to(memory_format=torch.channels_last)
        self.stepping, self.loss = torch.optim.SGD(self.made.parameters(), RATE), torch.nn.MSELoss()

    def forward(self):
        self.made.eval()
        with self.torch.inference_mode():
            return self.made(self.x)

    def step(self):
        self.made.train()
        self.stepping.zero_grad(set_to_none=True)
        self.loss(self.made(self.x), self.targets).backward()
        self.stepping.step()


def torch_modules(layer, shape, torch):
    """PyTorch's modules for one of the layers; sequences have a height of 1."""
    nn, name = torch.nn, type(layer).__name__

    class Function(nn.Module):
        def __init__(self, function):
            super().__init__()
            self.forward = function

    def along(size):
        return (1, size) if name.endswith("1D") else size

    match name.removesuffix("1D").removesuffix("2D"):
        case "Dense":
            return [nn.Flatten(), nn.Linear(int(np.prod(shape)), layer.units), nn.ReLU()]
        case "Conv":
            padding = "same" if layer.padding == "same" else 0
            return [nn.Conv2d(shape[-1], layer.filters, along(layer.kernel_size), padding=padding), nn.ReLU()]
        case "LayerNormalization":
            first, last = Function(lambda x: x.permute(0, 2, 3, 1)), Function(lambda x: x.permute(0, 3, 1, 2))
            return [first, nn.LayerNorm(shape[-1], 1e-3), last]
        case "BatchNormalization":
            return [nn.BatchNorm2d(shape[-1], 1e-3, 0.01)]
        case "MaxPooling":
            return [nn.MaxPool2d(along(layer.pool_size))]
        case "AveragePooling":
            return [nn.AvgPool2d(along(layer.pool_size))]
        case "GlobalMaxPooling":
            return [nn.AdaptiveMaxPool2d(1)]
        case "GlobalAveragePooling":
            return [nn.AdaptiveAvgPool2d(1)]
        case "Flatten":
            return [nn.Flatten()]
        case "Embedding":
            first, last = Function(lambda x: x[:, 0, 0].long()), Function(lambda x: x.transpose(1, 2).unsqueeze(2))
            return [first, nn.Embedding(layer.input_dim, layer.output_dim), last]
        case "SimpleRNN" | "GRU" | "LSTM" | "Bidirectional":
            both = name == "Bidirectional"
            cells = layer.layer if both else layer
            module = getattr(nn, type(cells).__name__.removeprefix("Simple"))
            first = Function(lambda x: x[:, :, 0].transpose(1, 2))
            last = Function(lambda made: (made[1][0] if module is nn.LSTM else made[1]).transpose(0, 1).flatten(1))
            return [first, module(shape[-1], cells.units, batch_first=True, bidirectional=both), last]
        case "Reshape":  # of rows and columns
            height, width, channels = layer.target_shape
            return [Function(lambda x: x.reshape(len(x), channels, height, width))]
        case "Activation":
            return [nn.Tanh()]
        case "Rescaling":
            return [Function(lambda x: x * layer.scale + layer.offset)]
        case "Dropout":
            return [nn.Dropout(layer.rate)]
    raise NotImplementedError(f"nobody wrote {name} in PyTorch yet")


IMPLEMENTATIONS = {"fastnn": _Fastnn, "numpy": _Numpy, "torch": _Torch}
DTYPES = ["float32", "float64"]


class Layers:
    """`forward`, and a step of sgd, in float32."""

    param_names = ("implementation", "layer")
    params = (list(IMPLEMENTATIONS), list(BY_NAME))

    def setup(self, implementation, layer):
        self.work = IMPLEMENTATIONS[implementation](BY_NAME[layer], "float32")

    def time_forward(self, implementation, layer):
        self.work.forward()

    def time_step(self, implementation, layer):
        self.work.step()


class Figures(_Tracked):
    """What a step of a convolution and of cells comes to, on all threads."""

    param_names = ("layer", "dtype")
    params = (["Conv2D", "GRU", "LSTM"], DTYPES)

    def setup_cache(self):
        return {(layer, dtype): self._measured(layer, dtype) for layer in self.params[0] for dtype in DTYPES}

    @staticmethod
    def _measured(layer, dtype):
        ours, numpys = _Fastnn(BY_NAME[layer], dtype), _Numpy(BY_NAME[layer], dtype)
        return figures(ours.step_flops(), ours.step, numpys.step, dtype)
