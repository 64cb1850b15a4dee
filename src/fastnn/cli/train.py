"""fastnn train: trains a network on handwritten digits, and the same network in NumPy."""

import argparse
import os
import time
import warnings
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

import fastnn
from fastnn.cli.arguments import CommandError, Parser, add_seed, add_threads, integer, named, one_of, program
from fastnn.cli.mnist_files import IdxError, read_mnist
from fastnn.cli.timing import OtherWork, Times, busy_note
from fastnn.cli.trainable import LEARNING_RATES, NETWORKS
from fastnn.engine import isa
from fastnn.runtime.threads import effective_n_threads

# Once NumPy has trained for so long, fastnn trains alone: the ratio is known, and the user waits.
BASELINE_SECONDS = 10.0

MODULAR = "modular"  # which is beside one network, in train_modular.py, and not beside NumPy


class Data(NamedTuple):
    """Samples to train on and to test with: images (n, height, width) of pixels in [0, 1], and their labels."""

    name: str
    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray

    def read_by(self, network):
        """The same data, with the images in the form that a network reads."""
        return self._replace(X=network.samples(self.X), X_test=network.samples(self.X_test))


class Epoch(NamedTuple):
    """The result of one epoch. `baseline_seconds` is NaN if NumPy did not train in it."""

    loss: float
    accuracy: float
    seconds: float
    baseline_seconds: float


# -- the command line -------------------------------------------------------------------------------------------------


def _names():
    """The networks that can be trained: those beside NumPy, and modules beside one network."""
    return (*NETWORKS, MODULAR)


def parser(network):
    """The options of a network of NETWORKS."""
    of_digits, of_mnist = (defaults["solver"] for defaults in network.defaults)
    parser = Parser(
        network.usage,
        description=network.description,
        epilog=f"{network.figures} Other commands: `{program()} tour` trains a network of each kind; "
        f"`{program()} bench` times small and large networks beside whatever else is installed; `{program()} info` "
        f"prints what this build is and uses; `{program()} train NETWORK` trains one of {', '.join(_names())}.",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="folder with MNIST's four IDX files, gzipped or not; without "
        "it, the 1797 small digits that scikit-learn carries",
    )
    network.add_options(parser)
    parser.add_argument("--epochs", metavar="N", type=integer(1), help="passes over the data (20; with --data 5)")
    parser.add_argument("--batch-size", metavar="N", type=integer(1), default=64, help="samples a step (%(default)s)")
    parser.add_argument(
        "--solver",
        choices=LEARNING_RATES,
        type=one_of(LEARNING_RATES),
        help=f"optimizer ({of_digits}; with --data {of_mnist})",
    )
    add_threads(parser, "NumPy's BLAS")
    add_seed(parser)
    parser.add_argument(
        "--save", metavar="FILE", help=f"keep the model, a fastnn.{network.estimator.__name__}, for fastnn.load"
    )
    parser.add_argument("--version", action="version", version=f"fastnn {fastnn.__version__}")
    return parser


def with_defaults(options, network):
    """The options, with the defaults that depend on other options or on the machine."""
    given = {name: value for name, value in vars(options).items() if value is not None}
    chosen = argparse.Namespace(**vars(options) | network.defaults[options.data is not None] | given)
    chosen.threads = chosen.threads or effective_n_threads()
    return chosen


# -- data and model files ---------------------------------------------------------------------------------------------


def load_data(folder=None, dtype=np.float32):
    """MNIST from a folder, or scikit-learn's digits where no folder is given."""
    if folder is None:
        y = load_digits().target
        X, X_test, y, y_test = train_test_split(load_digits().images, y, test_size=0.2, stratify=y, random_state=0)
        name, highest = "scikit-learn's digits", 16
    else:
        try:
            X, y, X_test, y_test = read_mnist(folder)
        except IdxError as error:
            raise CommandError(str(error)) from None
        name, highest = folder, 255
    X, X_test = (np.divide(pixels, highest, dtype=dtype) for pixels in (X, X_test))
    return Data(name, X, y, X_test, y_test)


def check_can_save(path):
    """Refuse a path to which a model cannot be saved: before training, not after it."""
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    if os.path.exists(path) and not os.path.isfile(path):
        raise CommandError(f"cannot save to {path}: it is not a regular file")
    if not os.path.isdir(folder):
        raise CommandError(f"cannot save to {path}: no such folder")
    if not os.access(folder, os.W_OK):
        raise CommandError(f"cannot save to {path}: its folder is not writable")


def save(path, model):
    """Save the model.

    `n_threads` was an option of this command, and is not saved: a loaded model uses the threads that it may use there.
    """
    model.set_params(n_threads=None)
    try:
        fastnn.save(model, path)
    except OSError as error:
        raise CommandError(f"cannot save to {os.path.realpath(path)}: {error.strerror}") from None


# -- training ---------------------------------------------------------------------------------------------------------


def seconds_of(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextmanager
def training():
    """A context for fits of a given number of epochs.

    Ctrl-C raises KeyboardInterrupt, although estimators turn it into a warning; and no warning says that a fit has not
    converged.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("error", "Training interrupted", UserWarning)
        try:
            yield
        except UserWarning:
            raise KeyboardInterrupt from None
        except ValueError as error:  # training diverged
            raise CommandError(str(error)) from None


def partial_fit(model, X, y, classes):
    """Train for one epoch."""
    with training():
        model.partial_fit(X, y, classes=classes)


def train_in_turn(model, baseline, data, n_epochs, other_work):
    """Train both networks in turn, epoch by epoch; yields an Epoch for each epoch."""
    classes, class_numbers = np.unique(data.y, return_inverse=True)
    baseline_total = 0.0
    for _ in range(n_epochs):
        other_work.settle(model.n_threads)
        seconds = seconds_of(lambda: partial_fit(model, data.X, data.y, classes))
        baseline_seconds = np.nan
        if baseline_total < BASELINE_SECONDS:
            other_work.settle(model.n_threads)
            baseline_seconds = seconds_of(lambda: baseline.train_epoch(data.X, class_numbers))
            baseline_total += baseline_seconds
        accuracy = model.score(data.X_test, data.y_test)
        yield Epoch(model.loss_, accuracy, seconds, baseline_seconds)


def print_summary(epochs, flops, options, other_work):
    both = [epoch for epoch in epochs if not np.isnan(epoch.baseline_seconds)]
    ours, numpys = Times.of([epoch.seconds for epoch in both]), Times.of([epoch.baseline_seconds for epoch in both])
    beside = [f"{numpys.median:.4f} {numpys.plus_minus}", f"{flops / numpys.median / 1e9:.1f}"]
    rows = [
        ("test accuracy", f"{epochs[-1].accuracy:.4f}", ""),
        ("seconds per epoch", f"{ours.median:.4f}", f"{ours.plus_minus:8}NumPy {beside[0]}"),
        ("GFLOP/s", f"{flops / ours.median / 1e9:.1f}", f"{'':8}NumPy {beside[1]}"),
        ("times as fast as NumPy", f"{numpys.median / ours.median:.1f}", "the median epochs of each"),
        ("instruction set", isa.level, ""),
        ("threads", str(options.threads), ""),
    ]
    print()
    for name, value, note in rows:
        print(f"{name:<24}{value:>10}   {note}".rstrip())
    if options.save:
        print(f"{'model':<24}{options.save}")
    if len(both) < len(epochs):
        print(f"\nNumPy trained for {len(both)} of {len(epochs)} epochs only, not to keep you waiting.")
    if note := busy_note([ours.spread, numpys.spread], other_work, options.threads):
        print(f"\n{note}")


def prepare(kind, options):
    """The network that the options describe, the data as it reads them, and the estimators' parameters for training.

    Prints what the data are. A path to which a model cannot be saved is refused first.
    """
    if options.save is not None:
        check_can_save(options.save)
    data = load_data(options.data)
    network = kind(options, data.X.shape[1:], len(np.unique(data.y)))
    print(f"{data.name}: {len(data.X)} images to train on, {len(data.X_test)} to test, {network.pixels} pixels each")
    parameters = {
        "solver": options.solver,
        "alpha": 0,
        "batch_size": min(options.batch_size, len(data.X)),
        "learning_rate_init": options.learning_rates[options.solver],
        "random_state": options.seed,
        "n_threads": options.threads,
    }
    return network, data.read_by(network), parameters


def demonstrate(kind, options):
    """Train a network of NETWORKS and its like in NumPy, and print how they do."""
    network, data, parameters = prepare(kind, options)
    batch_size = parameters["batch_size"]
    print(f"network {network.described}; {options.solver}, batches of {batch_size}, float32")
    model = network.model(**parameters)
    baseline = network.baseline(
        options.solver,
        parameters["learning_rate_init"],
        batch_size,
        np.float32,
        np.random.RandomState(options.seed),
    )
    epochs, other_work = [], OtherWork()
    try:
        print(f"\n{'epoch':>9}{'loss':>10}{'accuracy':>10}{'seconds':>10}{'NumPy':>10}", flush=True)
        for epoch in train_in_turn(model, baseline, data, options.epochs, other_work):
            epochs.append(epoch)
            beside = "" if np.isnan(epoch.baseline_seconds) else f"{epoch.baseline_seconds:10.4f}"
            print(
                f"{f'{len(epochs)}/{options.epochs}':>9}{epoch.loss:10.4f}{epoch.accuracy:10.4f}"
                f"{epoch.seconds:10.4f}{beside}",
                flush=True,
            )
    except KeyboardInterrupt:
        message = f"interrupted after {len(epochs)} of {options.epochs} epochs"
        if options.save and epochs:
            save(options.save, model)  # an interrupted epoch leaves the model unchanged
            message += f"; the model so far is in {options.save}"
        raise KeyboardInterrupt(message) from None
    if options.save:
        save(options.save, model)
    print_summary(epochs, network.flops_per_sample() * len(data.X), options, other_work)


def run(arguments):
    """Train the network that the arguments name, or mlp if they name none."""
    name, arguments = named(arguments, _names(), "the network to train")
    if name == MODULAR:
        from fastnn.cli.train_modular import Quarters as kind
        from fastnn.cli.train_modular import demonstrate as show
    else:
        kind, show = NETWORKS[name], demonstrate
    options = with_defaults(parser(kind).parse_args(arguments), kind)
    try:
        with threadpool_limits(options.threads, user_api="blas"):
            show(kind, options)
    except MemoryError:
        raise CommandError(f"not enough memory for a network with {kind.size(options)}") from None
