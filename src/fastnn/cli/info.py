"""fastnn info: describes this build of fastnn, and what it uses on this machine."""

import fastnn
from fastnn.cli.arguments import Parser


def run(arguments):
    """Print the output of `fastnn.show_config`."""
    description = "Describe this build of fastnn, and what it uses on this machine."
    Parser("info", description=description).parse_args(arguments)
    fastnn.show_config()
