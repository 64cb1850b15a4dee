"""What the command line refuses, and what goes wrong while it runs."""

import gzip
import os
import sys
import tempfile
from argparse import Namespace
from unittest import mock

import numpy as np

from fastnn import MLPClassifier
from fastnn.cli import bench, main, mnist_files, train

NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def idx(*shape, top=2):
    """An IDX file of bytes below `top`."""
    items = np.arange(np.prod(shape)) % top
    return bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes() + items.astype(np.uint8).tobytes()


def read(contents, name="file", n_dimensions=1):
    """Read a file of these bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(contents)
        mnist_files.read_idx(path, n_dimensions)


def command(*arguments):
    main.run(arguments)


def read_mnist(train=(6, 2, 2), labels=(6,), test=(3, 2, 2), top=2, names=NAMES, words=("train",)):
    """Give the command a folder of four files of these shapes."""
    with tempfile.TemporaryDirectory() as folder:
        for name, shape in zip(names, (train, labels, test, test[:1]), strict=False):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(idx(*shape, top=top))
        command(*words, "--data", folder)


def cut_while_read():
    """A file that becomes shorter after its size was read."""
    with mock.patch.object(mnist_files.os, "fstat", lambda number: Namespace(st_size=99)):
        read(idx(9)[:-3])


def wait_for(program, patience=60):
    """Wait for a peer that is this program of Python's."""
    with (
        mock.patch.multiple(bench, PEER=[sys.executable, "-c", program], PATIENCE=patience),
        bench.Peer("NumPy") as peer,
    ):
        peer.version()


def save_to(path, writable=True):
    with mock.patch.object(os, "access", lambda *arguments: writable):
        train.check_can_save(path)


def train_on(error):
    """Train where the loop over epochs ends by an error."""
    with mock.patch.object(train, "train_in_turn", side_effect=error):
        command("train", "--epochs", "1", "--threads", "1")


def diverge():
    model = MLPClassifier((5,), solver="sgd", learning_rate_init=1e200, batch_size=3, random_state=0)
    train.partial_fit(model, np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 3, [0, 1, 2])


def tour_without_torch():
    with mock.patch.dict(sys.modules, torch=None):
        command("tour", "--beside", "torch")


PROVOCATIONS = {
    "an unknown command": lambda: command("cube"),
    "an unknown network": lambda: command("train", "cnn"),
    "an unknown option": lambda: command("train", "--cube"),
    "epochs of a text": lambda: command("train", "--epochs", "all"),
    "no epochs": lambda: command("train", "--epochs", "0"),
    "hidden layers of a text": lambda: command("train", "--hidden", "3,x"),
    "an unknown solver": lambda: command("train", "--solver", "cube"),
    "a tour beside what is not installed": tour_without_torch,
    "a peer that waits": lambda: wait_for("import time; time.sleep(60)", patience=0.01),
    "a peer that fails": lambda: wait_for("raise SystemExit('it is not installed')"),
    "a folder as a file": lambda: mnist_files.read_idx(os.path.dirname(__file__), 1),
    "gzip that ends": lambda: read(gzip.compress(idx(900, top=251))[:-200], "file.gz"),
    "gzip that is broken": lambda: read(b"\x1f\x8b" + bytes(30), "file.gz"),
    "an empty file": lambda: read(b""),
    "a file of other axes": lambda: read(idx(2, 2)),
    "half a header": lambda: read(idx(9)[:6]),
    "a file that ends": lambda: read(idx(9)[:-3]),
    "a file that ends meanwhile": cut_while_read,
    "a file that goes on": lambda: read(idx(9) + b"0"),
    "no folder": lambda: command("train", "--data", "nowhere"),
    "no files": lambda: read_mnist(names=[]),
    "fewer labels": lambda: read_mnist(labels=(5,)),
    "no images": lambda: read_mnist(train=(0, 2, 2), labels=(0,)),
    "other pixels": lambda: read_mnist(test=(3, 2, 3)),
    "one class": lambda: read_mnist(top=1),
    "images too small for convolutions": lambda: read_mnist(words=["train", "conv"]),
    "images too small for quarters": lambda: read_mnist((6, 1, 2), test=(3, 1, 2), words=["train", "modular"]),
    "saving to a device": lambda: save_to(os.devnull),
    "saving to a folder that is not there": lambda: save_to(os.path.join("nowhere", "model")),
    "saving to a folder of others": lambda: save_to("model", writable=False),
    "saving where the folder has vanished": lambda: train.save(os.path.join("nowhere", "model"), MLPClassifier()),
    "training that diverges": diverge,
    "Ctrl-C": lambda: train_on(KeyboardInterrupt),
    "no memory": lambda: train_on(MemoryError),
}
