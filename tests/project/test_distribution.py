"""What the project says of itself: metadata, citation, the recipe for conda, workflows and templates agree."""

import re
import tomllib
from pathlib import Path

import pytest
from processes import run_python

import fastnn
from fastnn.runtime.installation import DISTRIBUTION, DOCUMENTATION

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
METADATA, BUILD = PROJECT["project"], PROJECT["build-system"]
PAGES = [*GITHUB.rglob("*.yml"), ROOT / "README.md", ROOT / "CITATION.cff", ROOT / "packaging/conda/recipe.yaml"]

pytestmark = pytest.mark.skipif(not GITHUB.exists(), reason="these files are in the repository only")


def read(path):
    """A YAML file, without YAML 1.1's idea that the key `on` is a truth value."""
    return yaml.load(path.read_text(), yaml.BaseLoader)


def normalized(requirement):
    """A requirement's name, and its bounds in any order."""
    name, bounds = re.fullmatch(r"([\w-]+)\s*([^;]*)", requirement.strip()).groups()
    return name, frozenset(bound.strip() for bound in bounds.split(",") if bound)


def test_the_version_is_read_when_it_is_used():
    assert fastnn.__version__ == METADATA["version"]
    program = "import fastnn; print('__version__' in vars(fastnn), fastnn.__version__, '__version__' in vars(fastnn))"
    assert run_python(program).split() == ["False", METADATA["version"], "True"]


def test_urls():
    urls = METADATA["urls"]
    assert urls["Documentation"] == DOCUMENTATION
    for url in (urls["Changelog"], urls["Issues"]):
        assert url.startswith(urls["Source"] + "/")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_pages_name_this_repository(path):
    """Links to files are to files that there are; docs/images has pictures that the documentation makes."""
    source = METADATA["urls"]["Source"]
    raw = source.replace("github.com", "raw.githubusercontent.com")
    text = path.read_text()
    assert not re.findall(r"github(?:usercontent)?\.com/[\w-]*fastnn[\w-]*/(?!fastnn\b)", text)
    for place in re.findall(rf"(?:{re.escape(source)}/blob|{re.escape(raw)})/main/([\w./-]+)", text):
        assert place.startswith("docs/images/") or (ROOT / place).exists(), place


def test_links_of_the_readme_work_on_pypi():
    """Where nothing is beside the README; and each link has a place."""
    text = (ROOT / "README.md").read_text()
    places = re.findall(r"\]\((.*?)\)", text) + re.findall(r"^\[\w+\]: (.*)$", text, re.MULTILINE)
    assert places and all(place.startswith("https://") for place in places)
    used, defined = set(re.findall(r"\]\[(\w+)\]", text)), set(re.findall(r"^\[(\w+)\]: ", text, re.MULTILINE))
    assert used == defined


def test_the_commands_of_the_readme():
    """CI runs the second one as it is written there."""
    text = (ROOT / "README.md").read_text()
    for command in ("pip install . && python -m fastnn", "pip install '.[test]' && pytest"):
        assert f"\n    {command}\n" in text
    assert "\npip install '.[test]' && pytest\n" in (ROOT / ".ci/run").read_text()


def test_citation():
    citation = read(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0" and citation["type"] == "software"
    assert citation["title"].startswith("fastnn") and citation["message"] and citation["abstract"]
    assert citation["version"] == METADATA["version"]
    assert citation["license"] == METADATA["license"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in METADATA["authors"]]
    assert citation["repository-code"] == METADATA["urls"]["Source"]
    assert citation["url"] == METADATA["urls"]["Documentation"]
    assert not citation.keys() & {"doi", "identifiers"}  # until there is one


def test_the_recipe_for_conda():
    recipe = read(ROOT / "packaging/conda/recipe.yaml")
    assert recipe["context"] == {"name": DISTRIBUTION, "version": METADATA["version"]}
    assert recipe["about"]["license"] == METADATA["license"]
    assert recipe["about"]["summary"] == METADATA["description"]
    assert recipe["about"]["repository"] == METADATA["urls"]["Source"]
    of_conda = {kind: set(map(normalized, recipe["requirements"][kind])) for kind in ("host", "run")}
    python = normalized(f"python {METADATA['requires-python']}")
    assert of_conda["run"] == {python, *map(normalized, METADATA["dependencies"])}
    tools = {normalized(name) for name in ("python", "pip", "libgomp")}
    assert of_conda["host"] == tools | set(map(normalized, BUILD["requires"]))
    cmake = PROJECT["tool"]["scikit-build"]["cmake"]["version"]
    assert f"cmake {cmake}" in recipe["requirements"]["build"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned(path):
    """By a commit, and a comment that says which version it is: a tag may be moved."""
    uses = re.findall(r"uses: (.*)", path.read_text())
    assert uses
    for action in uses:
        assert action.startswith("./") or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", action), action


def test_one_version_of_each_action():
    pins = {pin for path in WORKFLOWS for pin in re.findall(r"uses: (\S+@\S+)", path.read_text())}
    assert len(pins) == len({pin.split("@")[0] for pin in pins})


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_may_only_read(path):
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert (path.name, name) == ("release.yml", "publish") or "permissions" not in job


def test_the_release():
    workflow = read(GITHUB / "workflows/release.yml")
    assert workflow["on"] == {"push": {"tags": ["v*"]}}
    publish = workflow["jobs"]["publish"]
    assert publish["environment"] == {"name": "pypi", "url": f"https://pypi.org/project/{DISTRIBUTION}/"}
    assert publish["permissions"] == {"id-token": "write", "attestations": "write"}
    actions = [step["uses"].split("@")[0] for step in publish["steps"]]
    assert actions == ["actions/download-artifact", "actions/attest-build-provenance", "pypa/gh-action-pypi-publish"]
    assert publish["steps"][0]["with"]["pattern"] == "release-*"
    assert workflow["jobs"]["wheels"]["uses"] == "./.github/workflows/wheels.yml"


def test_what_is_claimed_is_published_and_tested():
    """Classifiers name the Pythons and systems of the published wheels; each Python is one that CI tests."""
    jobs = read(GITHUB / "workflows/wheels.yml")["jobs"]
    published = {step["env"]["CIBW_BUILD"] for step in jobs["release"]["steps"] if "env" in step}
    pythons = {f"3.{minor}" for build in published for minor in re.findall(r"cp3(\d+)-manylinux_\*", build)}
    prefix = "Programming Language :: Python :: "
    claimed = {name.removeprefix(prefix) for name in METADATA["classifiers"] if re.match(rf"{prefix}3\.\d", name)}
    assert pythons == claimed
    assert pythons <= set(read(GITHUB / "workflows/ci.yml")["jobs"]["wheel"]["strategy"]["matrix"]["python"])
    systems = [name for name in METADATA["classifiers"] if name.startswith("Operating System")]
    assert systems == ["Operating System :: POSIX :: Linux"]
    assert all(job["runs-on"].startswith("ubuntu") for name, job in jobs.items() if name != "trial")
    named = {name: step["with"]["name"] for name, job in jobs.items() for step in job["steps"] if "upload" in str(step)}
    assert {name for name, artifact in named.items() if artifact.startswith("release-")} == {"release", "sdist"}


@pytest.mark.parametrize("name", ["bug.yml", "idea.yml"])
def test_issue_templates(name):
    form = read(GITHUB / "ISSUE_TEMPLATE" / name)
    assert form["name"] and form["description"]
    ids = [part["id"] for part in form["body"]]
    assert len(set(ids)) == len(ids) >= 2
    for part in form["body"]:
        assert part["type"] in ("textarea", "input", "markdown") and part["attributes"]["label"]
