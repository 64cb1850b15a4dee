"""python -m fastnn info: what this build of fastnn is, and what it uses on this machine."""

import fastnn
from fastnn.cli.arguments import Parser


def run(arguments):
    """Print what fastnn.show_config does."""
    description = "Print what this build of fastnn is, and what it uses on this machine."
    Parser("python -m fastnn info", description=description).parse_args(arguments)
    fastnn.show_config()
