"""Without a network, `nox -s linkcheck` checks no links to elsewhere, and says so."""

import socket

from sphinx.util.logging import getLogger

SITE = "github.com", 443


def has_network():
    try:
        with socket.create_connection(SITE, timeout=10):
            return True
    except OSError:
        return False


def check_what_can_be_reached(app):
    if app.builder.name == "linkcheck" and not has_network():
        app.config.linkcheck_ignore = [r"https?://.*"]
        getLogger(__name__).info("%s cannot be reached: links to elsewhere are not checked", SITE[0])


def setup(app):
    app.connect("builder-inited", check_what_can_be_reached)
    return {"parallel_read_safe": True}
