"""fastnn train modular: four modules, each on a quarter of an image, beside one network of their width."""

import numpy as np

import fastnn
from fastnn.cli.arguments import CommandError, integers
from fastnn.cli.timing import OtherWork, busy_note
from fastnn.cli.train import prepare, save, seconds_of, training
from fastnn.cli.trainable import MAX_UNITS, Mlp, OfLayers

#: The modules' names, and the half of the rows and of the columns that each reads.
QUARTERS = {"upper left": (0, 0), "upper right": (0, 1), "lower left": (1, 0), "lower right": (1, 1)}


class Quarters:
    """Four multilayer perceptrons, each on a quarter of an image, and one on all of it, as wide as the four."""

    estimator = fastnn.ModularClassifier
    usage = "train modular"
    description = (
        "Train four networks on handwritten digits, each on a quarter of the images, side by side; then one network on "
        "whole images, each of whose hidden layers has as many units as those of the four together."
    )
    figures = (
        "The modules' answer is the class with the largest product of their probabilities. Each of the times is of one "
        "fit, divided by its epochs."
    )
    defaults = Mlp.defaults

    @staticmethod
    def add_options(parser):
        parser.add_argument(
            "--hidden",
            metavar="SIZES",
            type=integers(len(QUARTERS), MAX_UNITS),
            help="hidden layers' sizes of the one network, a quarter of which each module has (256,128; with --data "
            "512,256)",
        )

    def __init__(self, options, image_shape, n_classes):
        if min(image_shape) < 2:
            raise CommandError(f"images must have at least 2 x 2 pixels, got {' x '.join(map(str, image_shape))}")
        self.image_shape, self.hidden = image_shape, options.hidden
        self.of_modules = tuple(size // len(QUARTERS) for size in options.hidden)

    size = Mlp.size
    samples = Mlp.samples
    pixels = OfLayers.pixels

    def columns(self):
        """The columns of samples that each module reads, by its name."""
        numbers = np.arange(self.image_shape[0] * self.image_shape[1]).reshape(self.image_shape)
        halves = {name: (np.array_split(numbers, 2)[lower], right) for name, (lower, right) in QUARTERS.items()}
        return {name: np.array_split(rows, 2, axis=1)[right].ravel() for name, (rows, right) in halves.items()}

    def model(self, n_threads, **parameters):
        """The modular network."""
        modules = [
            (name, fastnn.MLPClassifier(self.of_modules, **parameters), columns.tolist())
            for name, columns in self.columns().items()
        ]
        return fastnn.ModularClassifier(modules, combine="product", n_threads=n_threads)

    def single(self, **parameters):
        """The one network of all pixels."""
        return fastnn.MLPClassifier(self.hidden, **parameters)


def demonstrate(kind, options):
    """Train the modules and the one network, and print how they do."""
    network, data, parameters = prepare(kind, options)
    parameters |= {"max_iter": options.epochs, "n_iter_no_change": np.inf}
    modular, single = network.model(**parameters), network.single(**parameters)
    print(
        f"four modules with hidden layers of {', '.join(map(str, network.of_modules))}, and one network of "
        f"{', '.join(map(str, network.hidden))}; {options.solver}, batches of {parameters['batch_size']}, "
        f"{options.epochs} epochs",
        flush=True,
    )
    other_work, seconds = OtherWork(), []
    for model in modular, single:
        other_work.settle(options.threads)
        with training():
            seconds.append(seconds_of(lambda model=model: model.fit(data.X, data.y)) / options.epochs)
    if options.save:
        save(options.save, modular)
    accuracies = [f"{model.score(data.X_test, data.y_test):.4f}" for model in (modular, single)]
    print(f"\n{'':<24}{'modules':>12}{'one network':>14}")
    print(f"{'test accuracy':<24}{accuracies[0]:>12}{accuracies[1]:>14}")
    print(f"{'seconds per epoch':<24}{seconds[0]:>12.4f}{seconds[1]:>14.4f}")
    print(f"{'times as fast':<24}{seconds[1] / seconds[0]:>12.1f}")
    for name, accuracy in modular.score_modules(data.X_test, data.y_test).items():
        print(f"{f'{name} alone':<24}{accuracy:>12.4f}")
    print(f"{'threads':<24}{options.threads:>12}")
    if options.save:
        print(f"{'model':<24}{options.save}")
    if note := busy_note([np.nan], other_work, options.threads):
        print(f"\n{note}")
