"""What commands share: parsing of options, and errors in one line, which say the rule and what was given."""

import argparse
import re


class CommandError(Exception):
    """What the user has to be told, in one line."""


class Parser(argparse.ArgumentParser):
    def error(self, message):
        """A CommandError, in place of the usage, the message and the end of the process."""
        raise CommandError(re.sub(r"^argument (--[\w-]+): must", r"\1 must", message))


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
    """Another: text to a tuple of them."""

    def convert(text):
        try:
            return tuple(map(integer(least, most), text.split(",")))
        except argparse.ArgumentTypeError:
            rule = f"must be integers from {least} to {most} with commas between them"
            raise argparse.ArgumentTypeError(f"{rule}, got {text!r}") from None

    return convert


def one_of(names):
    """Another: text that is one of a few names."""

    def convert(text):
        if text not in names:
            raise argparse.ArgumentTypeError(f"must be one of {', '.join(names)}, got {text!r}")
        return text

    return convert
