"""python -m fastnn: what it prints, saves and refuses."""

import gzip
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

import fastnn
from fastnn.cli import timing, train, trainable
from fastnn.cli.main import main
from fastnn.cli.numpy_training import NumpyTraining

NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def idx(array):
    """An array of bytes as an IDX file."""
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.fixture
def contents(rng):
    """Tiny data as MNIST's four files, with three classes: in each another third of the image is bright."""
    files = {}
    for (images, labels), n in zip((NAMES[:2], NAMES[2:]), (90, 30), strict=True):
        y = np.arange(n, dtype=np.uint8) % 3
        X = rng.integers(0, 100, size=(n, 6, 5), dtype=np.uint8)
        for i, label in enumerate(y):
            X[i, 2 * label : 2 * label + 2] += 150
        files |= {images: idx(X), labels: idx(y)}
    return files


def write(folder, contents, name=lambda name: name, compress=lambda data: data):
    for kind, data in contents.items():
        (folder / name(kind)).write_bytes(compress(data))
    return str(folder)


def refusal(capsys, *arguments):
    """The message that refuses the arguments: one line on standard error, with exit status 2."""
    assert main(list(map(str, arguments))) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("fastnn: error: ") and error.endswith("\n")
    return error


QUICK = ["--hidden", "8", "--epochs", "1", "--threads", "1"]
CONV = ["train", "conv", "--filters", "2,3", "--epochs", "1", "--threads", "1"]
RECURRENT = ["train", "recurrent", "--units", "4", "--epochs", "1", "--threads", "1"]
#: Options that train a small network of each kind.
SMALL = {
    "mlp": ["train", "mlp", "--hidden", "8"],
    "conv": ["train", "conv", "--filters", "4"],
    "recurrent": ["train", "recurrent", "--units", "8"],
}


# -- as users run it --------------------------------------------------------------------------------------------------


def run(*arguments, **settings):
    return subprocess.run(
        [sys.executable, "-m", "fastnn", *arguments], capture_output=True, text=True, timeout=60, **settings
    )


@pytest.mark.parametrize("words", [[], ["train", "conv", "--filters", "16,32"], ["train", "recurrent"]], ids=" ".join)
def test_digits_and_saved_model(tmp_path, words):
    file = tmp_path / "model.safetensors"
    done = run(*words, "--epochs", "12", "--threads", "1", "--save", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    progress = re.findall(r"^ +\d+/12 +[\d.]+ +[\d.]+ +[\d.]+(?: +[\d.]+)?$", done.stdout, re.MULTILINE)
    assert len(progress) == 12
    summary = dict(re.findall(r"^(\S.*?)  +(\S+)", done.stdout, re.MULTILINE))
    assert float(summary["test accuracy"]) > 0.95
    assert summary["instruction set"] in fastnn.engine.isa.available_levels()
    assert summary["threads"] == "1"
    for name in ("seconds per epoch", "GFLOP/s", "times as fast as NumPy"):
        assert float(summary[name]) > 0
    model = fastnn.load(file)
    digits = load_digits()
    X = digits.images if words else digits.data
    assert model.score((X / 16).astype(np.float32), digits.target) > 0.97
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_modules_beside_one_network(tmp_path):
    file = tmp_path / "model.safetensors"
    done = run("train", "modular", "--epochs", "12", "--threads", "1", "--save", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert "four modules with hidden layers of 64, 32, and one network of 256, 128; adam, batches of 64" in done.stdout
    modules, single = re.search(r"^test accuracy +([\d.]+) +([\d.]+)$", done.stdout, re.MULTILINE).groups()
    assert float(modules) > 0.93 and float(single) > 0.95
    alone = [float(accuracy) for accuracy in re.findall(r"^\w+ \w+ alone +([\d.]+)$", done.stdout, re.MULTILINE)]
    assert len(alone) == 4 and max(alone) < 0.8  # no module knows enough
    assert re.search(r"^seconds per epoch +[\d.]+ +[\d.]+\ntimes as fast +[\d.]+$", done.stdout, re.MULTILINE)
    digits = load_digits()
    assert fastnn.load(file).score((digits.data / 16).astype(np.float32), digits.target) > 0.93


def test_modules_on_quarters_of_mnist(tmp_path, contents, capsys):
    """The halves of an odd number of columns differ."""
    arguments = ["train", "modular", "--data", write(tmp_path, contents), "--epochs", "15", "--batch-size", "8"]
    assert main([*arguments, "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert "90 images to train on, 30 to test, 6 x 5 pixels each" in out
    assert re.search(r"^test accuracy +1.0000 +1.0000$", out, re.MULTILINE)
    assert "--hidden must be integers from 4 to" in refusal(capsys, *arguments, "--hidden", "3")


@pytest.mark.parametrize(
    ("words", "size"),
    [
        ([], "hidden"),
        (["train", "conv"], "filters"),
        (["train", "recurrent"], "units"),
        (["train", "modular"], "hidden"),
    ],
)
def test_help(capsys, words, size):
    assert main([*words, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: python -m fastnn ")
    for option in ("data", size, "epochs", "batch-size", "solver", "threads", "seed", "save", "version"):
        assert f"--{option} " in out


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"fastnn {fastnn.__version__}\n"


def test_error_is_one_line_without_a_traceback(tmp_path):
    done = run("--data", str(tmp_path / "nowhere"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"fastnn: error: {tmp_path}/nowhere: no such folder\n"


def test_ctrl_c_keeps_the_epochs_done(tmp_path):
    file = tmp_path / "model.safetensors"
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "fastnn", "--epochs", "100000", "--threads", "1", "--save", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Ctrl-C may be ignored here, as in a shell's background jobs, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    for line in process.stdout:
        if line.lstrip().startswith("3/"):
            break
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert re.fullmatch(
        rf"fastnn: interrupted after \d+ of 100000 epochs; the model so far is in {re.escape(str(file))}\n", error
    )
    assert len(fastnn.load(file).loss_curve_) >= 3


# -- data -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [str, lambda name: name.replace("-idx", ".idx")], ids=["dash", "dot"])
@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_mnist_files(tmp_path, contents, capsys, name, compress):
    end = ".gz" if compress is gzip.compress else ""
    folder = write(tmp_path, contents, lambda kind: name(kind) + end, compress)
    assert main(["--data", folder, "--hidden", "16", "--epochs", "15", "--batch-size", "8", "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert "90 images to train on, 30 to test, 30 pixels each" in out
    assert "network 30-16-3, ReLU and softmax; rmsprop, batches of 8, float32" in out
    assert re.search(r"^test accuracy +1.0000$", out, re.MULTILINE)


def test_reference_network_is_the_default_for_mnist(tmp_path, contents, capsys):
    assert main(["--data", write(tmp_path, contents), "--epochs", "1", "--threads", "1"]) == 0
    assert "network 30-512-256-3, ReLU and softmax; rmsprop, batches of 64, float32" in capsys.readouterr().out


def test_convolutions_of_mnist(tmp_path, contents, capsys):
    """The reference network; images that are smaller than MNIST's have a border."""
    folder = write(tmp_path, contents)
    assert main(["train", "conv", "--data", folder, "--epochs", "15", "--batch-size", "8", "--threads", "1"]) == 0
    out = capsys.readouterr().out
    assert "90 images to train on, 30 to test, 6 x 5 pixels each" in out
    assert (
        "network Conv2D(32, 3, padding='same'), MaxPooling2D(), Conv2D(64, 3, padding='same'), MaxPooling2D(), "
        "Dropout(0.5), 3 units, ReLU and softmax; adam, batches of 8, float32"
    ) in out
    assert re.search(r"^test accuracy +1.0000$", out, re.MULTILINE)
    assert main([*CONV, "--data", folder, "--filters", "2"]) == 0
    assert "network Conv2D(2, 3), MaxPooling2D(), Dropout(0.5), 3 units" in capsys.readouterr().out


def test_rows_of_mnist(tmp_path, contents, capsys):
    folder = write(tmp_path, contents)
    arguments = ["train", "recurrent", "--data", folder, "--epochs", "15", "--batch-size", "8", "--threads", "1"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert "90 images to train on, 30 to test, 6 x 5 pixels each" in out
    assert "network GRU(128) over the rows of an image, 3 units, softmax; adam, batches of 8, float32" in out
    assert re.search(r"^test accuracy +1.0000$", out, re.MULTILINE)


def test_images_that_are_too_small_for_convolutions(tmp_path, contents, capsys):
    message = "images must have at least 8 x 8 pixels for 3 of --filters, got 6 x 5"
    assert message in refusal(capsys, *CONV, "--data", write(tmp_path, contents), "--filters", "2,2,2")


def test_labels_may_have_gaps(tmp_path, contents, capsys):
    contents[NAMES[1]] = contents[NAMES[1]][:8] + contents[NAMES[1]][8:].replace(b"\x02", b"\xf0")
    file = tmp_path / "model.safetensors"
    assert main(["--data", write(tmp_path, contents), *QUICK, "--save", str(file)]) == 0
    assert list(fastnn.load(file).classes_) == [0, 1, 240]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda data: b"", "must start with 00000803, got an empty file"),
        (
            lambda data: b"\0\0\x0d\x03" + data[4:],
            "an IDX file of bytes in 3 dimensions must start with 00000803, got 00000",
        ),
        (
            lambda data: b"\0\0\x08\x01" + data[4:],
            "an IDX file of bytes in 3 dimensions must start with 00000803, got 00000",
        ),
        (lambda data: data[:10], "truncated: its header must have 16 bytes, got 10"),
        (lambda data: data[:-1], "truncated: it must have "),
        (lambda data: data[:4] + b"\xff" * 12 + data[16:], "truncated: it must have 4294967295 x"),
        (lambda data: data + b"\0", "bytes after its header, got more"),
        (lambda data: data[:4] + bytes(12), "train must have at least 1 image, got 0"),
        (
            lambda data: idx(np.zeros((89, 6, 5), np.uint8)),
            "train must have a label for each image, got 89 images and 90 labels",
        ),
        (
            lambda data: idx(np.zeros((90, 5, 6), np.uint8)),
            "t10k images must have 5 x 6 pixels, as train images have, got 6 x 5",
        ),
    ],
)
@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzipped"])
def test_spoilt_images(tmp_path, contents, capsys, spoil, says, compress):
    contents[NAMES[0]] = spoil(contents[NAMES[0]])
    if "at least 1 image" in says:
        contents[NAMES[1]] = contents[NAMES[1]][:4] + bytes(4)
    assert says in refusal(capsys, "--data", write(tmp_path, contents, compress=compress), *QUICK)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda data: data[:-9], "truncated: the gzipped data ends too early"),
        (lambda data: data[: len(data) // 2], "truncated: the gzipped data ends too early"),
        (lambda data: data[:-8] + bytes(4) + data[-4:], "damaged gzipped data"),
        (lambda data: data[:10] + b"\xff" * 20 + data[30:], "damaged gzipped data"),
        (lambda data: data + b"rubbish", "damaged gzipped data"),
    ],
)
def test_spoilt_gzip(tmp_path, contents, capsys, spoil, says):
    contents[NAMES[2]] = spoil(gzip.compress(contents[NAMES[2]]))
    error = refusal(capsys, "--data", write(tmp_path, contents), *QUICK)
    assert f"{NAMES[2]}: {says}" in error


def test_missing_and_unreadable_files(tmp_path, contents, capsys):
    assert "no such folder" in refusal(capsys, "--data", tmp_path / "nowhere")
    assert "no such folder" in refusal(capsys, "--data", "two\nlines")
    del contents[NAMES[3]]
    assert f"no such file: {NAMES[3]}" in refusal(capsys, "--data", write(tmp_path, contents))
    (tmp_path / NAMES[3]).mkdir()
    assert f"no such file: {NAMES[3]}" in refusal(capsys, "--data", tmp_path)


def test_one_class_only(tmp_path, contents, capsys):
    contents[NAMES[1]] = idx(np.full(90, 7, np.uint8))
    assert "train labels must have at least 2 classes, got 7 only" in refusal(
        capsys, "--data", write(tmp_path, contents)
    )


# -- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--epochs", "0"], "--epochs must be from 1 to 2147483647, got 0"),
        (["--epochs", "many"], "--epochs must be an integer, got 'many'"),
        (["--hidden", "9,0"], "--hidden must be integers from 1 to 1048576 with commas between them, got '9,0'"),
        (["--solver", "lbfgs"], "--solver must be one of sgd, rmsprop, adam, got 'lbfgs'"),
        ([*CONV, "--filters", "0"], "--filters must be integers from 1 to 1048576 with commas between them, got '0'"),
        ([*RECURRENT, "--units", "0"], "--units must be from 1 to 65536, got 0"),
    ],
)
def test_messages_name_the_option_the_rule_and_what_was_given(capsys, arguments, rule):
    assert refusal(capsys, *arguments) == f"fastnn: error: {rule}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--epochs", "-1"],
        ["--hidden", "a,b"],
        ["--hidden", "10,"],
        ["--hidden", "0"],
        ["--hidden", str(2**20 + 1)],
        ["--hidden", "9" * 30],
        ["--hidden", ""],
        ["--batch-size", "0"],
        ["--threads", "0"],
        ["--threads", "1000000"],
        ["--solver", "lbfgs"],
        ["--seed", "-1"],
        ["--seed", str(2**32)],
        ["--unknown"],
        ["--filters", "8"],
        ["argument"],
        ["--epochs"],
    ],
    ids=" ".join,
)
def test_bad_options(capsys, arguments):
    assert arguments[0] in refusal(capsys, *arguments)


def test_network_beyond_memory(capsys, monkeypatch):
    """MemoryError is simulated: an overcommitted allocation would succeed, and its use would end the process."""

    def fail(*args, **kwargs):
        raise MemoryError

    for estimator in fastnn.MLPClassifier, fastnn.SequentialClassifier:
        monkeypatch.setattr(estimator, "partial_fit", fail)
    assert "not enough memory for a network with hidden layers 8" in refusal(capsys, *QUICK)
    assert "not enough memory for a network with filters 2,3" in refusal(capsys, *CONV)
    assert "not enough memory for a network with 4 recurrent units" in refusal(capsys, *RECURRENT)


def test_diverging_training(capsys, monkeypatch):
    monkeypatch.setitem(train.LEARNING_RATES, "sgd", 1e30)
    assert "diverged" in refusal(capsys, *QUICK, "--solver", "sgd")


@pytest.mark.parametrize("network", SMALL)
@pytest.mark.parametrize("solver", ["sgd", "rmsprop", "adam"])
def test_numpy_trains_the_same_network(solver, network, monkeypatch):
    """The losses of the two agree, epoch by epoch, so the ratio of their times is fair."""
    losses = []
    train_epoch = NumpyTraining.train_epoch
    monkeypatch.setattr(
        NumpyTraining,
        "train_epoch",
        lambda *args: losses.append(train_epoch(*args)) or losses[-1],
    )
    train_in_turn = train.train_in_turn
    epochs = []

    def listen(*args):
        for epoch in train_in_turn(*args):
            epochs.append(epoch)
            yield epoch

    monkeypatch.setattr(train, "train_in_turn", listen)
    assert main([*SMALL[network], "--epochs", "3", "--threads", "1", "--solver", solver]) == 0
    np.testing.assert_allclose([epoch.loss for epoch in epochs], losses, rtol=1e-3)


def epochs_of(pairs):
    return [train.Epoch(0.1, 0.9, *seconds) for seconds in pairs]


def summary_of(pairs, capsys, monkeypatch, n_running=0):
    """The summary of epochs with these seconds, while `n_running` threads of other processes run."""
    monkeypatch.setattr(timing, "SETTLE_SECONDS", 0.0)
    other_work = timing.OtherWork()
    other_work.samples = [n_running]
    options = train.with_defaults(train.parser(trainable.Mlp).parse_args(["--threads", "1"]), trainable.Mlp)
    train.print_summary(epochs_of(pairs), 1e9, options, other_work)
    return capsys.readouterr().out


def test_figures_are_medians_of_the_epochs_that_both_trained(capsys, monkeypatch):
    """An epoch that other work slowed does not matter, and epochs after NumPy's last one do not count."""
    printed = summary_of([(1, 4), (1, 4), (1, 400), (9, np.nan), (9, np.nan), (9, np.nan)], capsys, monkeypatch)
    assert re.search(r"^seconds per epoch +1\.0000 +± 0 % +NumPy 4\.0000 ± ", printed, re.MULTILINE)
    assert re.search(r"^GFLOP/s +1\.0 +NumPy 0\.2$", printed, re.MULTILINE)
    assert re.search(r"^times as fast as NumPy +4\.0 ", printed, re.MULTILINE)
    assert "NumPy trained for 3 of 6 epochs only" in printed


def test_busy_machine(capsys, monkeypatch):
    steady = [(1, 4)] * 5
    assert "busy" not in summary_of(steady, capsys, monkeypatch)
    assert "This machine is busy: 64.0 threads" in summary_of(steady, capsys, monkeypatch, 64)
    varying = summary_of([(1, 4), (2, 9), (3, 20), (1, 100), (7, 5)], capsys, monkeypatch)
    assert "This machine is busy: the times vary by ± " in varying
    assert "busy" not in summary_of([(1, 4)], capsys, monkeypatch)  # one epoch has no spread


def flops(kind, words, image_shape, n_classes):
    options = train.with_defaults(train.parser(kind).parse_args(words), kind)
    return kind(options, image_shape, n_classes).flops_per_sample()


def test_flops():
    assert flops(trainable.Mlp, ["--hidden", "5"], (3, 1), 2) == 2 * (2 * (3 * 5 + 5 * 2) + 5 * 2)
    forward = [26 * 26 * 32 * 9, 11 * 11 * 64 * 9 * 32, 1600 * 10]
    assert flops(trainable.Conv, [], (28, 28), 10) == 2 * (3 * sum(forward) - forward[0])
    assert flops(trainable.Conv, ["--filters", "2"], (2, 2), 3) == 2 * (2 * 4 * 9 * 2 + 3 * 2 * 3)  # with a border
    of_rows, of_states = 28 * 3 * 128 * 28, 28 * 3 * 128 * 128
    recurrent = flops(trainable.Recurrent, ["--units", "128"], (28, 28), 10)
    assert recurrent == 2 * (2 * of_rows + 3 * of_states + 3 * 128 * 10)


# -- saving -----------------------------------------------------------------------------------------------------------


def test_places_where_nothing_can_be_saved(tmp_path, capsys):
    assert "no such folder" in refusal(capsys, *QUICK, "--save", tmp_path / "nowhere" / "model")
    assert "not a regular file" in refusal(capsys, *QUICK, "--save", tmp_path)
    assert "not a regular file" in refusal(capsys, *QUICK, "--save", os.devnull)
    assert "not a regular file" in refusal(capsys, *QUICK, "--save", "")


def test_failed_write_leaves_the_old_file(tmp_path, capsys, monkeypatch):
    file = tmp_path / "model"
    file.write_text("old")

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    assert "No space left on device" in refusal(capsys, *QUICK, "--save", file)
    assert file.read_text() == "old"
    assert os.listdir(tmp_path) == ["model"]


def test_link_to_a_model_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to("model")
    assert main([*QUICK, "--save", str(tmp_path / "link")]) == 0
    assert (tmp_path / "link").is_symlink()
    assert fastnn.load(tmp_path / "model").n_features_in_ == 64


def test_number_of_threads_is_the_commands_not_the_models(tmp_path, capsys, monkeypatch):
    file = tmp_path / "model"
    assert main([*QUICK, "--save", str(file)]) == 0
    assert fastnn.load(file).n_threads is None
    interrupt_after(2, monkeypatch)
    assert main(["--hidden", "8", "--save", str(file)]) == 130
    assert fastnn.load(file).n_threads is None


def interrupt_after(n_epochs, monkeypatch):
    partial_fit = fastnn.MLPClassifier.partial_fit

    def interrupted(self, *args, **kwargs):
        if len(getattr(self, "loss_curve_", [])) == n_epochs:
            raise KeyboardInterrupt
        return partial_fit(self, *args, **kwargs)

    monkeypatch.setattr(fastnn.MLPClassifier, "partial_fit", interrupted)


def test_ctrl_c_before_the_first_epoch_is_done(tmp_path, capsys, monkeypatch):
    interrupt_after(0, monkeypatch)
    assert main([*QUICK, "--save", str(tmp_path / "model")]) == 130
    assert capsys.readouterr().err == "fastnn: interrupted after 0 of 1 epochs\n"
    assert os.listdir(tmp_path) == []


def test_ctrl_c_without_save(capsys, monkeypatch):
    interrupt_after(2, monkeypatch)
    assert main(["--hidden", "8", "--epochs", "5", "--threads", "1"]) == 130
    assert capsys.readouterr().err == "fastnn: interrupted after 2 of 5 epochs\n"
