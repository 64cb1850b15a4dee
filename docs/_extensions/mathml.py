"""Formulas as MathML, which browsers show by themselves: pages need no script of somebody else's server."""

import re

from docutils import nodes
from latex2mathml.converter import convert


def as_mathml(text, display):
    """A formula of several lines is aligned at its ampersands, as by Sphinx's other renderers."""
    if r"\\" in text and r"\begin" not in text:
        text = rf"\begin{{split}}{text}\end{{split}}"
    # Chromium aligns cells by their style only.
    return re.sub(r'columnalign="(\w+)"', r'style="text-align: \1"', convert(text, display=display))


def write_inline(writer, node):
    writer.body.append(as_mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def write_block(writer, node):
    writer.body += [writer.starttag(node, "div", CLASS="formula"), as_mathml(node.astext(), "block"), "</div>"]
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (write_inline, None), (write_block, None))
    return {"parallel_read_safe": True}
