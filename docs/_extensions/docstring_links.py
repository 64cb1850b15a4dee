"""The reference shows what is fastnn's own, and what docstrings say of pages in docs/ becomes links to these."""

import re


def link_pages(app, what, name, thing, options, lines):
    """In a docstring, `docs/modular.md` is a page."""
    for i, line in enumerate(lines):
        lines[i] = re.sub(r"\bdocs/(\w+)\.md\b", r":doc:`/\1`", line)


def is_left_out(app, what, name, thing, skip, options):
    """Methods that scikit-learn documents."""
    function = getattr(thing, "__func__", thing)
    module = getattr(function, "__module__", None) or ""
    return True if module.partition(".")[0] == "sklearn" or name.endswith("_request") else None


def setup(app):
    app.connect("autodoc-process-docstring", link_pages, priority=400)  # before numpydoc
    app.connect("autodoc-skip-member", is_left_out)
    return {"parallel_read_safe": True}
