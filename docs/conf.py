"""How Sphinx builds the documentation: `nox -s docs`.

What is drawn or generated while building is made by the modules in `_extensions/`.
"""

import os
import sys
import warnings
from pathlib import Path

import fastnn

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))
os.environ["MPLBACKEND"] = "agg"

project = "fastnn"
author = "the fastnn developers"
project_copyright = author
version = release = fastnn.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "myst_parser",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "capabilities",
    "docstring_links",
    "llms",
    "mathml",
    "offline",
    "pictures",
]
root_doc = "index"
exclude_patterns = ["_build", "_extensions", "_generated", "_templates", "tour/*"]
templates_path = ["_templates"]
nitpicky = True
nitpick_ignore_regex = [("py:obj", r"sklearn\..*")]  # what docstrings name there as related, on pages of others
# A word in single backticks in a docstring is code: a parameter, mostly.
default_role = "literal"
highlight_language = "python"

# Markdown: headings can be linked to, as on GitHub.
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3

# The reference.
autosummary_generate = True
autodoc_typehints = "none"  # docstrings say the types
toc_object_entries_show_parents = "hide"  # a list of methods is wide enough without the name of their class
numpydoc_show_class_members = False  # the template of classes lists them
numpydoc_class_members_toctree = False

# The gallery: each program is run, and its pictures are shown.
GALLERIES = {"tour": "gallery/tour", "../examples": "gallery/examples"}
sphinx_gallery_conf = {
    "examples_dirs": list(GALLERIES),
    "gallery_dirs": list(GALLERIES.values()),
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"/_",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
    "write_computation_times": False,
}
# In an example a warning would be read as part of it: as in the tests, each is an error.
warnings.filterwarnings("error", module="fastnn")

# The pages.
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["formulas.css"]
html_theme = "pydata_sphinx_theme"
html_title = f"fastnn {release}"
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 5,
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
}
html_sidebars = {page: [] for page in ("index", "performance", "engine")}  # these have no pages below them
html_copy_source = True
html_show_sourcelink = False

linkcheck_timeout = 20
linkcheck_anchors_ignore_for_url = [r"https://github\.com/.*"]
linkcheck_ignore = [rf"{fastnn.runtime.installation.DOCUMENTATION}/.*"]  # these very pages
