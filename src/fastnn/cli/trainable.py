"""The networks that fastnn train can train, a class for each: by fastnn, and the same one in NumPy."""

from itertools import pairwise

import fastnn
from fastnn.cli.arguments import CommandError, integer, integers
from fastnn.cli.numpy_convnet import KERNEL_SIZE, POOL_SIZE, NumpyConvnet
from fastnn.cli.numpy_network import NumpyNetwork
from fastnn.cli.numpy_recurrent import NumpyRecurrent
from fastnn.layers import GRU, Conv2D, Dropout, MaxPooling2D
from fastnn.layers.recurrent import MOST_UNITS

# The largest number of units: the weights between two such layers still have an addressable number of bytes.
MAX_UNITS = 2**20
LEARNING_RATES = {"sgd": 0.05, "rmsprop": 0.001, "adam": 0.001}


def training_flops(multiply_adds):
    """Multiplications and additions of a training step, per sample, from those pairs that each layer has forward.

    Each takes two in the forward product, two in the gradient by the weights, and two in the gradient by the layer's
    input, which the first layer does not need. Biases, activations, the loss and the optimizer are not counted. Columns
    that are 0 in a whole batch are counted, although fastnn skips them.
    """
    return 2 * (3 * sum(multiply_adds) - multiply_adds[0])


class BesideNumPy:
    """What the help of a network says that is trained beside the same one in NumPy."""

    description = (
        "Train a network on handwritten digits, with the same network in NumPy trained beside it: the same initial "
        "weights, the same batches, the same float32."
    )
    figures = (
        "GFLOP/s counts every multiplication and addition of the products, those with zeros too, for both alike. The "
        "two train in turn; the figures are medians of the epochs in which both train, and ± is half of the distance "
        "between their quartiles."
    )


class Mlp(BesideNumPy):
    """Dense layers over the pixels of an image.

    Attributes
    ----------
    described, pixels : str
        The network's layers and activations, and the pixels of an image, as they are printed.
    """

    estimator = fastnn.MLPClassifier
    usage = "[train [mlp]]"

    @staticmethod
    def add_options(parser):
        parser.add_argument(
            "--hidden",
            metavar="SIZES",
            type=integers(1, MAX_UNITS),
            help="hidden layers' sizes (256,128; with --data 512,256)",
        )

    #: The options' defaults for scikit-learn's digits, and for the images of --data.
    defaults = (
        {"hidden": (256, 128), "epochs": 20, "solver": "adam", "learning_rates": LEARNING_RATES},
        {"hidden": (512, 256), "epochs": 5, "solver": "rmsprop", "learning_rates": LEARNING_RATES},
    )

    def __init__(self, options, image_shape, n_classes):
        # One output for each class. (For two classes fastnn has a single output: that makes hardly a difference here.)
        self.sizes = (image_shape[0] * image_shape[1], *options.hidden, n_classes)
        self.pixels = str(self.sizes[0])
        self.described = f"{'-'.join(map(str, self.sizes))}, ReLU and softmax"

    @staticmethod
    def size(options):
        """The options that decide how much memory is needed, as text."""
        return f"hidden layers {','.join(map(str, options.hidden))}"

    def samples(self, images):
        """The images as the network reads them."""
        return images.reshape(len(images), -1)

    def model(self, **parameters):
        return fastnn.MLPClassifier(self.sizes[1:-1], **parameters)

    def baseline(self, *training):
        return NumpyNetwork(self.sizes, *training)

    def flops_per_sample(self):
        return training_flops([fan_in * fan_out for fan_in, fan_out in pairwise(self.sizes)])


class OfLayers(BesideNumPy):
    """What networks of layers share, which read whole images: a subclass sets `image_shape` and `layers`."""

    estimator = fastnn.SequentialClassifier

    @property
    def pixels(self):
        return " x ".join(map(str, self.image_shape))

    def samples(self, images):
        return images

    def model(self, **parameters):
        return fastnn.SequentialClassifier(self.layers, **parameters)


class Conv(OfLayers):
    """Convolutions, each followed by max pooling, and dropout where there is much data."""

    usage = "train conv"

    @staticmethod
    def add_options(parser):
        parser.add_argument(
            "--filters",
            metavar="NUMBERS",
            type=integers(1, MAX_UNITS),
            help="filters of each convolution, after which the largest of 2 x 2 are taken (32,64)",
        )

    defaults = (
        {
            "filters": (32, 64),
            "epochs": 20,
            "solver": "adam",
            "learning_rates": LEARNING_RATES | {"adam": 0.005},  # the digits are few, and so are the steps
            "dropout": 0.0,
        },
        {"filters": (32, 64), "epochs": 5, "solver": "adam", "learning_rates": LEARNING_RATES, "dropout": 0.5},
    )

    def __init__(self, options, image_shape, n_classes):
        self.image_shape, self.filters, self.n_classes = image_shape, options.filters, n_classes
        self.dropout, self.padding = options.dropout, "valid"
        shapes = self._shapes()
        if min(map(min, shapes)) < 1:  # then the border is read, too
            self.padding = "same"
            shapes = self._shapes()
        if min(map(min, shapes)) < 1:
            least = POOL_SIZE ** len(self.filters)
            raise CommandError(
                f"images must have at least {least} x {least} pixels for {len(self.filters)} of --filters, "
                f"got {' x '.join(map(str, image_shape))}"
            )
        self.layers = []
        for n in self.filters:
            self.layers += [Conv2D(n, KERNEL_SIZE, padding=self.padding), MaxPooling2D(POOL_SIZE)]
        self.layers += [Dropout(self.dropout)] if self.dropout else []
        self.described = f"{', '.join(map(repr, self.layers))}, {n_classes} units, ReLU and softmax"

    def _shapes(self):
        """The height and width of what each convolution and each pooling makes."""
        border, shapes = KERNEL_SIZE - 1 if self.padding == "valid" else 0, []
        height, width = self.image_shape
        for _ in self.filters:
            shapes.append((height - border, width - border))
            height, width = (size // POOL_SIZE for size in shapes[-1])
            shapes.append((height, width))
        return shapes

    @staticmethod
    def size(options):
        return f"filters {','.join(map(str, options.filters))}"

    def baseline(self, *training):
        return NumpyConvnet(self.image_shape, self.filters, self.n_classes, self.padding, self.dropout, *training)

    def flops_per_sample(self):
        channels, multiply_adds, shapes = 1, [], self._shapes()
        for (height, width), n in zip(shapes[::2], self.filters, strict=True):
            multiply_adds.append(height * width * KERNEL_SIZE**2 * channels * n)
            channels = n
        height, width = shapes[-1]
        return training_flops([*multiply_adds, height * width * channels * self.n_classes])


class Recurrent(OfLayers):
    """Gated recurrent units, which read an image's rows one after the other, from the top to the bottom."""

    usage = "train recurrent"

    @staticmethod
    def add_options(parser):
        parser.add_argument(
            "--units",
            metavar="N",
            type=integer(1, MOST_UNITS),
            help="gated recurrent units, which read a row of pixels each step (64; with --data 128)",
        )

    defaults = (
        {
            "units": 64,
            "epochs": 20,
            "solver": "adam",
            "learning_rates": LEARNING_RATES | {"adam": 0.005},  # as for convolutions
        },
        {"units": 128, "epochs": 5, "solver": "adam", "learning_rates": LEARNING_RATES},
    )

    def __init__(self, options, image_shape, n_classes):
        self.image_shape, self.units, self.n_classes = image_shape, options.units, n_classes
        self.layers = [GRU(self.units)]
        self.described = f"{self.layers[0]!r} over the rows of an image, {n_classes} units, softmax"

    @staticmethod
    def size(options):
        return f"{options.units} recurrent units"

    def baseline(self, *training):
        return NumpyRecurrent(self.image_shape[1], self.units, self.n_classes, *training)

    def flops_per_sample(self):
        # Three gates, each with a product with the row and one with the state.
        n_steps, n_features = self.image_shape
        of_row, of_state = (n_steps * 3 * self.units * n for n in (n_features, self.units))
        return training_flops([of_row, of_state, self.units * self.n_classes])


#: By their names; the first one is trained where none is named.
NETWORKS = {"mlp": Mlp, "conv": Conv, "recurrent": Recurrent}
