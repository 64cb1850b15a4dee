"""fastnn [train [NETWORK] | tour | bench | info]: runs a command; errors become an exit status."""

import os
import sys
from contextlib import suppress
from importlib import import_module

from fastnn.cli.arguments import CommandError, named

EXIT_NO_READER = 1
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130  # as shells report Ctrl-C

#: Each command is a module of this folder, with a function `run`. The first one is run where none is named.
COMMANDS = ("train", "tour", "bench", "info")


def run(arguments):
    """Run the command that the arguments name, or `train` if they name none."""
    command, arguments = named(arguments, COMMANDS, "the command")
    import_module(f"fastnn.cli.{command}").run(arguments)


def complain(message):
    """Print a line on standard error, if that is open."""
    with suppress(AttributeError, OSError):
        sys.stderr.write(f"fastnn: {message}\n")


def main(arguments=None):
    """Run the command line. Any error ends it with an exit status and at most one line, and without a traceback.

    Parameters
    ----------
    arguments : list of str, default=None
        The arguments after the program's name. None takes them from `sys.argv`.

    Returns
    -------
    int
        The exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # the encoding may lack characters of file names, or ±
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            run(sys.argv[1:] if arguments is None else arguments)
        finally:  # after --help, too
            if sys.stdout is not None:  # it is None if the program was started without one
                sys.stdout.flush()  # here, since errors of a flush at exit are not handled
    except SystemExit as ended:  # argparse's, after --help and --version
        return ended.code
    except KeyboardInterrupt as interrupt:
        complain(str(interrupt) or "interrupted")
        return EXIT_INTERRUPTED
    except OSError as error:  # standard output's: errors of files and peers are CommandErrors
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # otherwise Python's flush at exit would fail
        if isinstance(error, BrokenPipeError):  # the reader of the output has ended
            return EXIT_NO_READER
        complain(f"error: cannot write: {error.strerror}")
        return EXIT_BAD_INPUT
    except CommandError as error:
        complain(f"error: {' '.join(str(error).split())}")
        return EXIT_BAD_INPUT
    return 0
