"""python -m fastnn [train [mlp] | bench | info]: finds the command, and ends well whatever happens to it."""

import os
import sys
from contextlib import suppress
from importlib import import_module

from fastnn.cli.arguments import CommandError

EXIT_NO_READER = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130  # what shells make of Ctrl-C

#: Each is a module of this folder, with a function run.
COMMANDS = ("train", "bench", "info")


def run(arguments):
    """Do what the command line says: `train` where it names no command."""
    command = "train"
    if arguments and not arguments[0].startswith("-"):
        command, *arguments = arguments
        if command not in COMMANDS:
            raise CommandError(f"the command must be one of {', '.join(COMMANDS)}, got {command!r}")
    import_module(f"fastnn.cli.{command}").run(arguments)


def complain(message):
    """A line on standard error, if there is one."""
    with suppress(AttributeError, OSError):
        sys.stderr.write(f"fastnn: {message}\n")


def main(arguments=None):
    """The command line: whatever happens to it, it ends with a status and at most one line, and without a traceback.

    Parameters
    ----------
    arguments : list of str, default=None
        The command line's, without the program; None takes them from sys.argv.

    Returns
    -------
    int
        The exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # names of files, and ±, in whatever encoding
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            run(sys.argv[1:] if arguments is None else arguments)
        finally:  # after --help, too
            if sys.stdout is not None:  # as where it was closed from the start
                sys.stdout.flush()  # here, where an error is still answered
    except SystemExit as ended:  # of argparse, after --help and --version
        return ended.code
    except KeyboardInterrupt as interrupt:
        complain(str(interrupt) or "interrupted")
        return EXIT_INTERRUPTED
    except OSError as error:  # of standard output: those of files and of peers are CommandErrors
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would fail to flush it at exit
        if isinstance(error, BrokenPipeError):  # whoever read the progress has gone
            return EXIT_NO_READER
        complain(f"error: cannot write: {error.strerror}")
        return EXIT_BAD_INPUT
    except CommandError as error:
        complain(f"error: {' '.join(str(error).split())}")
        return EXIT_BAD_INPUT
    return 0
