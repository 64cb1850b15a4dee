"""The documentation is built without a warning, its links lead somewhere, and a browser shows it.

Its examples are not run here: `test_doctests` runs those of pages, and `nox -s docs` those of the gallery.
"""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from browser import BROWSER, opened, served

import fastnn
from fastnn.runtime.installation import DOCUMENTATION

for package in (
    "sphinx",
    "pydata_sphinx_theme",
    "numpydoc",
    "sphinx_gallery",
    "myst_parser",
    "matplotlib",
    "latex2mathml",
):
    pytest.importorskip(package)

ROOT = Path(__file__).parents[2]
READ = (
    *("docs", "examples", "tests/plot/baseline", "benchmarks/README.md"),
    *("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
)
MADE = shutil.ignore_patterns("_build", "_generated", "api", "gallery", "__pycache__")
ESTIMATORS = [name for name in fastnn.__all__ if hasattr(getattr(fastnn, name), "fit")]

pytestmark = pytest.mark.skipif(not (ROOT / "docs" / "conf.py").exists(), reason="the pages are in the repository only")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the pages, which `.ci/run` has built; or else they are built here.

    They are built from a copy, since Sphinx writes beside its sources, too.
    """
    if built := os.environ.get("DOCUMENTATION_SITE"):
        return Path(built)
    copy, pages = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("pages")
    for name in READ:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=MADE)
        else:
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-D", "plot_gallery=0", "-b", "html"]
    done = subprocess.run([*command, str(copy / "docs"), str(pages)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return pages


class Links(HTMLParser):
    """What a page links to or shows, and the places in it that can be linked to."""

    def __init__(self):
        super().__init__()
        self.targets, self.places = [], {"", "top"}

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.places.add(attributes.get("id"))
        if tag == "link" and attributes.get("rel") in ("prev", "next"):
            return
        self.targets += [attributes[name] for name in ("href", "src") if attributes.get(name)]


def links_of(page):
    links = Links()
    links.feed(page.read_text(encoding="utf-8"))
    return links


def test_every_link_within_the_pages_leads_somewhere(site):
    pages = {page: links_of(page) for page in site.rglob("*.html") if "_static" not in page.parts}
    assert len(pages) > 70
    broken = []
    for page, links in pages.items():
        for target in links.targets:
            url = urlsplit(target)
            if url.scheme or url.netloc:
                continue
            file = (page.parent / unquote(url.path)).resolve() if url.path else page
            lacks_place = file in pages and unquote(url.fragment) not in pages[file].places
            if not file.exists() or lacks_place:
                broken.append(f"{page.relative_to(site)}: {target}")
    assert broken == []


def test_no_link_leads_out_of_the_pages_to_a_file_of_the_repository(site):
    """A relative link to a file that is no page is made a download, which hides that the page is missing."""
    downloads = {file.name for file in site.glob("_downloads/*/*") if file.suffix in (".md", ".rst")}
    assert downloads == set()


def test_estimators_link_to_pages_that_there_are(site):
    for name in [*(f"fastnn.{estimator}" for estimator in ESTIMATORS), "fastnn.sequences.PerStep"]:
        assert (site / "api" / f"{name}.html").exists()


def test_pages_load_nothing_from_elsewhere(site):
    """They can be read without a network; formulas are MathML, not a script's."""
    pages = [page for page in site.rglob("*.html") if "_static" not in page.parts]
    loaded = [
        f"{page.relative_to(site)}: {url}"
        for page in pages
        for url in re.findall(
            r'<(?:script|img|link rel="stylesheet")[^>]+(?:src|href)="(https?://[^"]+)', page.read_text()
        )
    ]
    assert loaded == []
    tour = (site / "gallery" / "tour" / "plot_3_multilayer.html").read_text(encoding="utf-8")
    assert tour.count("<math ") >= 20 and tour.count("<mtable") == 1 and "<mi>&" not in tour.replace("<mi>&#", "")


def test_the_reference_has_a_group_for_each_module(site):
    page = (site / "api.html").read_text(encoding="utf-8")
    groups = re.findall(r'toctree-l1"><a class="reference internal" href="reference/(\w+)\.html', page)
    assert {*groups} == {"estimators", "dask", "layers", "sequences", "streams", "files", "plot", "export"}


def test_llms_txt_lists_every_page(site):
    text = (site / "llms.txt").read_text(encoding="utf-8")
    assert text.startswith("# fastnn\n\n> ")
    listed = re.findall(rf"\]\({re.escape(DOCUMENTATION)}/([^)]+)\)", text)
    assert [page for page in listed if not (site / page).exists()] == []
    built = {str(page.relative_to(site)) for page in site.rglob("*.html") if "_static" not in page.parts}
    made_by_sphinx = {"index.html", "search.html", "genindex.html", "py-modindex.html"}
    assert {page for page in built - set(listed) if Path(page).name not in made_by_sphinx} == set()


def test_the_table_of_what_estimators_take_is_made_by_trying(site):
    page = (site / "capabilities.html").read_text(encoding="utf-8")
    cells = [re.findall(r"<td[^>]*>(?:<p>)?(.*?)(?:</p>)?</td>", row, re.DOTALL) for row in page.split("<tr")]
    rows = {re.sub("<.*?>", "", row[0]): [cell == "yes" for cell in row[1:]] for row in cells if row}
    assert all(rows["X: a sparse matrix"]) and len(rows) >= 20
    ragged = next(can for what, can in rows.items() if "ragged" in what)
    assert ragged == [name.startswith(("Modular", "Sequential")) for name in ESTIMATORS]


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
@pytest.mark.parametrize(
    ("page", "shown"),
    [
        ("index.html", ["fastnn trains and runs neural networks", "_images/speed.svg", "SequentialClassifier"]),
        ("capabilities.html", ["Which estimator takes what", "ragged"]),
        ("engine.html", ["_images/tiers.svg", "_images/phases.svg"]),
        ("api/fastnn.MLPClassifier.html", ["hidden_layer_sizes", "from_weights", "Examples"]),
        ("gallery/examples/index.html", ["A convolutional network in four pictures"]),
    ],
)
def test_a_browser_shows_the_page(site, tmp_path, page, shown):
    with served(site) as address:
        made = opened(address + page, tmp_path)
    assert [text for text in shown if text not in made] == []
    assert 'data-mode="' in made  # the theme's script has run
