"""Options of commands, and their errors: one line, which names the option, the rule, and what was given."""

import argparse
import os
import re
import sys


class CommandError(Exception):
    """An error for the user, in one line."""


def program():
    """This program as it was called: by its own name, or as a module of Python's."""
    name, _ = os.path.splitext(os.path.basename(sys.argv[0]))  # a file on Windows is fastnn.exe
    return "fastnn" if name == "fastnn" else "python -m fastnn"


class Parser(argparse.ArgumentParser):
    """The options of a command, `words`, such as "train conv"; or of another program, which is named by `prog`."""

    def __init__(self, words=None, **settings):
        if words is not None:
            settings["prog"] = f"{program()} {words}"
        super().__init__(**settings)

    def error(self, message):
        """Raise a CommandError; argparse itself would print the usage and end the process."""
        raise CommandError(re.sub(r"^argument (--[\w-]+): must", r"\1 must", message))


def named(arguments, names, what):
    """The name that the arguments begin with, and the arguments after it.

    Without a name it is the first of those there are. `what` they are names of is for the message.

    Raises
    ------
    CommandError
        For another name.
    """
    if not arguments or arguments[0].startswith("-"):
        return next(iter(names)), arguments
    name, *others = arguments
    if name not in names:
        raise CommandError(f"{what} must be one of {', '.join(names)}, got {name!r}")
    return name, others


def integer(least, most=2**31 - 1):
    """A converter for argparse: text to an integer within bounds."""

    def convert(text):
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"must be an integer, got {text!r}") from None
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"must be from {least} to {most}, got {value}")
        return value

    return convert


def integers(least, most):
    """A converter for argparse: text to a tuple of integers within bounds, with commas between them."""

    def convert(text):
        try:
            return tuple(map(integer(least, most), text.split(",")))
        except argparse.ArgumentTypeError:
            rule = f"must be integers from {least} to {most} with commas between them"
            raise argparse.ArgumentTypeError(f"{rule}, got {text!r}") from None

    return convert


def one_of(names):
    """A converter for argparse: text that is one of a few names."""

    def convert(text):
        if text not in names:
            raise argparse.ArgumentTypeError(f"must be one of {', '.join(names)}, got {text!r}")
        return text

    return convert


def add_threads(parser, libraries):
    """Add the number of threads; `libraries` are the others that it holds for, as text."""
    parser.add_argument(
        "--threads",
        metavar="N",
        type=integer(1, os.cpu_count() or 1),
        help=f"for fastnn and for {libraries} (as many as this process may use)",
    )


def add_seed(parser):
    parser.add_argument(
        "--seed",
        metavar="N",
        type=integer(0, 2**32 - 1),
        default=0,
        help="of initial weights and orders (%(default)s)",
    )
