"""Each page of the tour runs by itself, as a program, and what it claims is true: its assertions hold."""

import re
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from processes import run_python

TOUR = Path(__file__).parents[2] / "docs" / "tour"
PAGES = sorted(TOUR.glob("*.py"))
NETWORKS = "perceptron", "feed_forward", "multilayer", "convolutional", "recurrent", "modular"

pytestmark = pytest.mark.skipif(not TOUR.exists(), reason="the tour is in the repository only")


def test_the_tour_has_a_page_for_each_network():
    assert [page.stem for page in PAGES] == [f"plot_{i}_{name}" for i, name in enumerate(NETWORKS, 1)]
    links = re.findall(r":doc:`(\w+)`", (TOUR / "GALLERY_HEADER.rst").read_text())
    assert links == [page.stem for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_page_says_what_its_network_is_made_of(page):
    terms = re.findall(r"^   \* - ([a-z -]+)$", page.read_text(), re.MULTILINE)
    assert terms == ["weights", "bias", "activation", "forward propagation", "cost function", "back-propagation"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_page_runs(page):
    """A warning is an error, and so is an assertion of the page that does not hold."""
    assert run_python(page, MPLBACKEND="agg")


def test_the_picture_of_training_can_be_made_anew(tmp_path):
    picture = TOUR.parent / "images" / "training.png"
    run_python(picture.with_suffix(".py"), tmp_path / "anew.png", MPLBACKEND="agg")
    for file in (picture, tmp_path / "anew.png"):
        assert 10_000 < file.stat().st_size < 150_000
