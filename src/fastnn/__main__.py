"""python -m fastnn: trains a network on handwritten digits, and the same network in NumPy beside it.

`python -m fastnn bench` is bench.py's.
"""

import argparse
import os
import sys
import time
import warnings
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

import fastnn
from fastnn._idx import IdxError, read_mnist
from fastnn.baseline import NumpyNetwork
from fastnn.bench import bench
from fastnn.engine import isa
from fastnn.threads import effective_n_threads

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130  # what shells make of Ctrl-C

# A layer's units: two such layers still have fewer bytes of weights than can be addressed.
MAX_UNITS = 2**20
LEARNING_RATES = {"sgd": 0.05, "rmsprop": 0.001, "adam": 0.001}
# Once NumPy has trained for so long, fastnn goes on alone: the ratio is known, and the user is waiting.
BASELINE_SECONDS = 10.0
# Before they sleep, idle threads spin: OpenBLAS's for a tenth of a second, OpenMP's for 10 ms (both measured, by the
# CPU time of a pause). Whoever comes next needs their cores.
SETTLE_SECONDS = 0.15


class DemonstrationError(Exception):
    """What the user has to be told, in one line."""


class Data(NamedTuple):
    """Samples to train on and to test with: pixels in [0, 1], and labels."""

    name: str
    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


class Epoch(NamedTuple):
    """What one epoch brought. baseline_seconds is NaN where NumPy did not train beside."""

    loss: float
    accuracy: float
    seconds: float
    baseline_seconds: float


# -- the command line -------------------------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    def error(self, message):
        """One line, without the usage that argparse would put above it."""
        self.exit(EXIT_BAD_INPUT, f"fastnn: error: {' '.join(message.split())}\n")


def integer(name, least, most=2**31 - 1):
    """A converter for argparse: text to an integer within bounds."""

    def convert(text):
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{name} must be an integer, not {text!r}") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{name} must be from {least} to {most}, not {value}")
        return value

    return convert


def layer_sizes(text):
    return tuple(integer("a layer's size", 1, MAX_UNITS)(size) for size in text.split(","))


def parse(arguments):
    parser = Parser(
        prog="python -m fastnn",
        description="Train a network on handwritten digits, with the same network in NumPy trained beside it: the "
        "same initial weights, the same batches, the same float32.",
        epilog="GFLOP/s counts every multiplication and addition of the dense products, those with zeros too, for "
        "both alike. Seconds are the best epoch's of each; the two train in turn. `python -m fastnn bench` times "
        "small and large networks beside whatever else is installed.",
    )
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="folder with MNIST's four IDX files, gzipped or not; without "
        "it, the 1797 small digits that scikit-learn carries",
    )
    parser.add_argument(
        "--hidden", metavar="SIZES", type=layer_sizes, help="hidden layers' sizes (256,128; with --data 512,256)"
    )
    parser.add_argument("--epochs", metavar="N", type=integer("N", 1), help="passes over the data (20; with --data 5)")
    parser.add_argument(
        "--batch-size", metavar="N", type=integer("N", 1), default=64, help="samples a step (%(default)s)"
    )
    parser.add_argument("--solver", choices=LEARNING_RATES, help="optimizer (adam; with --data rmsprop)")
    parser.add_argument(
        "--threads",
        metavar="N",
        type=integer("N", 1, os.cpu_count() or 1),
        help="for fastnn and for NumPy's BLAS (as many as this process may use)",
    )
    parser.add_argument(
        "--seed",
        metavar="N",
        type=integer("N", 0, 2**32 - 1),
        default=0,
        help="of initial weights and orders (%(default)s)",
    )
    parser.add_argument("--save", metavar="FILE", help="keep the model, a fastnn.MLPClassifier, for fastnn.load")
    parser.add_argument("--version", action="version", version=f"fastnn {fastnn.__version__}")
    options = parser.parse_args(arguments)
    options.hidden = options.hidden or ((512, 256) if options.data else (256, 128))
    options.epochs = options.epochs or (5 if options.data else 20)
    options.solver = options.solver or ("rmsprop" if options.data else "adam")
    options.threads = options.threads or effective_n_threads()
    return parser, options


# -- data and model files ---------------------------------------------------------------------------------------------


def load_data(folder):
    """MNIST from a folder, or scikit-learn's digits where there is none."""
    if folder is None:
        X, y = load_digits(return_X_y=True)
        X, X_test, y, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
        name, highest = "scikit-learn's digits", 16
    else:
        X, y, X_test, y_test = read_mnist(folder)
        name, highest = folder, 255
    X, X_test = (np.divide(pixels, highest, dtype=np.float32) for pixels in (X, X_test))
    return Data(name, X, y, X_test, y_test)


def check_can_save(path):
    """Say before training, not after, that a model cannot be saved there."""
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    if os.path.exists(path) and not os.path.isfile(path):
        raise DemonstrationError(f"cannot save to {path}: it is no regular file")
    if not os.path.isdir(folder):
        raise DemonstrationError(f"cannot save to {path}: no such folder")
    if not os.access(folder, os.W_OK):
        raise DemonstrationError(f"cannot save to {path}: its folder is not yours to write to")


def save(path, model):
    """Save the model, or say in one line why not.

    The number of threads was this command's, and not the model's: wherever it is loaded, it uses what is allowed there.
    """
    model.set_params(n_threads=None)
    try:
        fastnn.save(model, path)
    except OSError as error:
        raise DemonstrationError(f"cannot save to {os.path.realpath(path)}: {error.strerror}") from None


# -- training ---------------------------------------------------------------------------------------------------------


def seconds_of(work, n_threads):
    """The seconds that work takes, once all threads are at rest."""
    if n_threads > 1:
        time.sleep(SETTLE_SECONDS)
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def partial_fit(model, X, y, classes):
    """One epoch, with Ctrl-C a KeyboardInterrupt as anywhere else, and not the warning that estimators make of it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", "Training interrupted", UserWarning)
        try:
            model.partial_fit(X, y, classes=classes)
        except UserWarning:
            raise KeyboardInterrupt from None
        except ValueError as error:  # it diverged
            raise DemonstrationError(str(error)) from None


def train(model, baseline, data, n_epochs):
    """Train both networks, epoch by epoch in turn; yields an Epoch for each."""
    classes, class_numbers = np.unique(data.y, return_inverse=True)
    baseline_total = 0.0
    for _ in range(n_epochs):
        seconds = seconds_of(lambda: partial_fit(model, data.X, data.y, classes), model.n_threads)
        baseline_seconds = np.nan
        if baseline_total < BASELINE_SECONDS:
            baseline_seconds = seconds_of(lambda: baseline.train_epoch(data.X, class_numbers), model.n_threads)
            baseline_total += baseline_seconds
        accuracy = model.score(data.X_test, data.y_test)
        yield Epoch(model.loss_, accuracy, seconds, baseline_seconds)


def flops_per_sample(sizes):
    """Multiplications and additions of a training step, per sample, for dense layers.

    Two for every weight in the forward product, two in the gradient by the weights, and two in the gradient by the
    layer's input, but for the first layer: nobody needs the gradient by the samples. Biases, activations, the loss and
    the optimizer are left out. Columns that are 0 in all of a batch are counted, although fastnn skips them.
    """
    weights = [fan_in * fan_out for fan_in, fan_out in pairwise(sizes)]
    return 2 * (sum(weights) + sum(weights) + sum(weights[1:]))


def print_summary(epochs, flops, options):
    seconds = min(epoch.seconds for epoch in epochs)
    baseline = [epoch.baseline_seconds for epoch in epochs if not np.isnan(epoch.baseline_seconds)]
    rows = [
        ("test accuracy", f"{epochs[-1].accuracy:.4f}", ""),
        ("seconds per epoch", f"{seconds:.4f}", f"NumPy {min(baseline):.4f}"),
        ("GFLOP/s", f"{flops / seconds / 1e9:.1f}", f"NumPy {flops / min(baseline) / 1e9:.1f}"),
        ("times as fast as NumPy", f"{min(baseline) / seconds:.1f}", "the best epoch of each"),
        ("instruction set", isa.level, ""),
        ("threads", str(options.threads), ""),
    ]
    print()
    for name, value, note in rows:
        print(f"{name:<24}{value:>10}   {note}".rstrip())
    if len(baseline) < len(epochs):
        print(f"\nNumPy trained for {len(baseline)} of {len(epochs)} epochs only, not to keep you waiting.")


def demonstrate(options):
    if options.save is not None:
        check_can_save(options.save)
    data = load_data(options.data)
    # One output a class. (For two classes fastnn makes do with one output, which hardly counts here.)
    sizes = (data.X.shape[1], *options.hidden, len(np.unique(data.y)))
    batch_size = min(options.batch_size, len(data.X))
    learning_rate = LEARNING_RATES[options.solver]
    print(f"{data.name}: {len(data.X)} images to train on, {len(data.X_test)} to test, {sizes[0]} pixels each")
    print(f"network {'-'.join(map(str, sizes))}, ReLU and softmax; {options.solver}, batches of {batch_size}, float32")

    model = fastnn.MLPClassifier(
        options.hidden,
        solver=options.solver,
        alpha=0,
        batch_size=batch_size,
        learning_rate_init=learning_rate,
        random_state=options.seed,
        n_threads=options.threads,
    )
    baseline = NumpyNetwork(
        sizes, options.solver, learning_rate, batch_size, random_state=np.random.RandomState(options.seed)
    )
    epochs = []
    try:
        print(f"\n{'epoch':>9}{'loss':>10}{'accuracy':>10}{'seconds':>10}{'NumPy':>10}", flush=True)
        for epoch in train(model, baseline, data, options.epochs):
            epochs.append(epoch)
            beside = "" if np.isnan(epoch.baseline_seconds) else f"{epoch.baseline_seconds:10.4f}"
            print(
                f"{f'{len(epochs)}/{options.epochs}':>9}{epoch.loss:10.4f}{epoch.accuracy:10.4f}"
                f"{epoch.seconds:10.4f}{beside}",
                flush=True,
            )
    except KeyboardInterrupt:
        message = f"fastnn: interrupted after {len(epochs)} of {options.epochs} epochs"
        if options.save and epochs:
            save(options.save, model)  # an epoch that is broken off leaves the model as it was before
            message += f"; the model so far is in {options.save}"
        raise KeyboardInterrupt(message) from None
    if options.save:
        save(options.save, model)
    print_summary(epochs, flops_per_sample(sizes) * len(data.X), options)
    if options.save:
        print(f"{'model':<24}{options.save}")
    sys.stdout.flush()  # here, where an error is still answered


def main(arguments=None):
    """Run the demonstration.

    Parameters
    ----------
    arguments : list of str, default=None
        The command line's, without the program; None takes them from sys.argv.

    Returns
    -------
    int
        The exit status.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["bench"]:
        argparse.ArgumentParser("python -m fastnn bench", description=bench.__doc__).parse_args(arguments[1:])
        bench()
        return 0
    parser, options = parse(arguments)
    try:
        with threadpool_limits(options.threads, user_api="blas"):
            demonstrate(options)
    except KeyboardInterrupt as interrupt:
        print(str(interrupt) or "fastnn: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except OSError as error:  # of standard output: those of files are DemonstrationErrors and IdxErrors
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would fail to flush it at exit
        if isinstance(error, BrokenPipeError):  # whoever read the progress has gone
            return 1
        parser.error(f"cannot write: {error.strerror}")
    except (DemonstrationError, IdxError) as error:
        parser.error(str(error))
    except MemoryError:
        parser.error(f"not enough memory for a network with hidden layers {','.join(map(str, options.hidden))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
