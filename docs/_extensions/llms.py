"""Writes llms.txt (https://llmstxt.org): what fastnn is, and each page with its first sentence, for language models."""

import re
from pathlib import Path

from docutils import nodes
from sphinx.environment.adapters.toctree import global_toctree_for_doc

from fastnn.runtime.installation import DOCUMENTATION

HEAD = """\
# fastnn

> Neural networks for CPUs with scikit-learn's interface: perceptrons, multilayer, convolutional, recurrent and modular
> networks, trained by a Cython engine and C kernels of its own. The distribution is called `scikit-fastnn`.

- `MLPClassifier`, `MLPRegressor` and `Perceptron` take the place of scikit-learn's estimators of the same names.
- Networks of layers have Keras's names and arguments: `SequentialClassifier([Conv2D(16, 3), MaxPooling2D()])`.
- The output layer follows from y and is not listed. X of sequences is a list of arrays; do not pad.
- Keras's and PyTorch's names of parameters are refused: `max_iter`, not `epochs`; `learning_rate_init`, not `lr`.

"""


def first_sentence(document):
    """What a page says of itself."""
    for section in document.findall(nodes.section):
        for paragraph in section.findall(nodes.paragraph):
            text = " ".join(paragraph.astext().split())
            return re.split(r"(?<=[.:]) (?=[A-Z`])", text)[0].rstrip(":")
    return ""


def write(app, error):
    """Write the list of pages, in their order in the navigation, with the reference in a part of its own."""
    if error or app.builder.format != "html":
        return
    pages = {"Pages": [], "Reference": []}
    for page in ordered_pages(app):
        document = app.env.get_and_resolve_doctree(page, app.builder)
        title = app.env.titles[page].astext()
        sentence = first_sentence(document)
        line = f"- [{title}]({DOCUMENTATION}/{page}.html)" + (f": {sentence}" if sentence else "")
        pages["Reference" if page.startswith(("api/", "reference/")) else "Pages"].append(line)
    parts = [f"## {name}\n\n" + "\n".join(lines) + "\n" for name, lines in pages.items()]
    Path(app.outdir, "llms.txt").write_text(HEAD + "\n".join(parts), encoding="utf-8")


def ordered_pages(app):
    """The pages in the order of the table of contents."""
    tree = global_toctree_for_doc(app.env, app.config.root_doc, app.builder, collapse=False, includehidden=True)
    links = (link["refuri"] for link in tree.findall(nodes.reference) if link.get("internal"))
    return dict.fromkeys(link.partition("#")[0].removesuffix(".html") for link in links)


def setup(app):
    app.connect("build-finished", write)
    return {"parallel_read_safe": True}
