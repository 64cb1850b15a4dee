"""Every command ends with an exit status, at most one line on standard error, and no traceback."""

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from importlib.metadata import entry_points

import pytest
from processes import PATIENCE

import fastnn
from fastnn.cli.main import COMMANDS, main

LONG = [["--epochs", "100000", "--hidden", "8", "--threads", "1"], ["bench"], ["tour"]]
QUICK = [["--epochs", "1", "--hidden", "8", "--threads", "1"], ["--help"], ["bench", "--help"], ["info"]]
command_ids = " ".join


#: The console script, where one is installed in this environment.
SCRIPT = shutil.which("fastnn", path=sysconfig.get_path("scripts"))


def start(*arguments, **settings):
    """Start the command in a session of its own: Ctrl-C in a terminal is a signal to a whole session."""
    return subprocess.Popen(
        [sys.executable, "-m", "fastnn", *arguments],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | settings,
        start_new_session=True,
    )


@pytest.mark.parametrize("arguments", LONG, ids=command_ids)
def test_ctrl_c(arguments):
    process = start(*arguments)
    process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert re.fullmatch(r"fastnn: interrupted.*\n", error)


@pytest.mark.parametrize("arguments", [[], *([word] for word in COMMANDS)], ids=command_ids)
def test_ctrl_c_while_a_command_is_imported(arguments, tmp_path):
    """scikit-learn, which takes longest, is one here that is interrupted when it is imported."""
    (tmp_path / "sklearn.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\n")
    process = start(*arguments, env=os.environ | {"PYTHONPATH": str(tmp_path)})
    output, error = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output, error) == (130, "", "fastnn: interrupted\n")


@pytest.mark.parametrize("arguments", LONG, ids=command_ids)
def test_reader_may_leave(arguments):
    process = start(*arguments)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(PATIENCE) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")
@pytest.mark.parametrize("arguments", [*QUICK, ["bench"]], ids=command_ids)
def test_full_disk_under_standard_output(arguments):
    with open("/dev/full", "w") as full:
        process = start(*arguments, stdout=full)
        _, error = process.communicate(timeout=PATIENCE)
    if process.returncode or error:  # argparse ignores errors of writing help
        assert process.returncode == 2
        assert re.fullmatch(r"fastnn: error: cannot write: .*\n", error)


@pytest.mark.parametrize("arguments", QUICK, ids=command_ids)
def test_closed_standard_output(arguments):
    process = start(*arguments, preexec_fn=lambda: os.close(1), stdout=None)
    _, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert not error or error.startswith("usage: ")  # argparse's, if standard output is closed


def test_names_that_the_terminal_cannot_show(tmp_path):
    """These are a folder's name that is not UTF-8, and ± on a terminal with ASCII only."""
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    process = start("--data", os.fsdecode(os.fsencode(tmp_path) + b"/\xff"), env=environment)
    output, error = process.communicate(timeout=PATIENCE)
    assert (process.returncode, output) == (2, "")
    assert "no such folder" in error
    process = start("--epochs", "2", "--hidden", "8", "--threads", "1", env=environment)
    output, error = process.communicate(timeout=PATIENCE)
    assert (process.returncode, error) == (0, "")
    assert "\\xb1" in output


def test_interruption_anywhere(monkeypatch, capsys):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(fastnn.cli.main, "run", interrupted)
    assert main([]) == 130
    assert capsys.readouterr().err == "fastnn: interrupted\n"


@pytest.mark.parametrize("words", [[], ["train"], ["train", "mlp"]], ids=command_ids)
def test_the_default_command_is_train_mlp(words, capsys):
    assert main([*words, "--epochs", "1", "--hidden", "8", "--threads", "1"]) == 0
    assert "network 64-8-10" in capsys.readouterr().out


def test_info(capsys):
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    fastnn.show_config()
    assert printed == capsys.readouterr().out


CALLS = {
    "python -m fastnn": ["/somewhere/fastnn/__main__.py", "/somewhere/pytest"],
    "fastnn": ["fastnn", "/somewhere/bin/fastnn", "fastnn.exe"],
}


@pytest.mark.parametrize(("program", "file"), [(name, file) for name, files in CALLS.items() for file in files])
@pytest.mark.parametrize("command", [*COMMANDS, "train modular"])
def test_help_names_the_command_as_it_was_called(command, program, file, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [file])
    assert main([*command.split(), "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert text.startswith(f"usage: {program} ")
    for other in ("python -m fastnn", "`fastnn"):
        assert other.strip("`") == program or other not in text


@pytest.mark.skipif(SCRIPT is None, reason="the console script is not installed here")
def test_the_console_script():
    def called(*arguments):
        done = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stdout, done.stderr

    assert called("--version") == (0, f"fastnn {fastnn.__version__}\n", "")
    status, out, _ = called("--help")
    assert status == 0 and out.startswith("usage: fastnn [train [mlp]] ")
    rule = "the command must be one of train, tour, bench, info, got 'trian'"
    assert called("trian") == (2, "", f"fastnn: error: {rule}\n")


def test_the_console_script_is_listed():
    (script,) = (script for script in entry_points(group="console_scripts") if script.name == "fastnn")
    assert script.load() is main


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["trian"], "the command must be one of train, tour, bench, info, got 'trian'"),
        (["train", "forest"], "the network to train must be one of mlp, conv, recurrent, modular, got 'forest'"),
        (["tour", "more"], "unrecognized arguments: more"),
        (["tour", "--beside", "keras"], "--beside must be one of numpy, torch, got 'keras'"),
        (["tour", "--dtype", "float16"], "--dtype must be one of float32, float64, got 'float16'"),
        (["info", "more"], "unrecognized arguments: more"),
        (["bench", "--epochs", "3"], "unrecognized arguments: --epochs 3"),
    ],
)
def test_wrong_words(arguments, rule, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"fastnn: error: {rule}\n"
