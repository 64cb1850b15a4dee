"""The benchmarks' web pages, made by asv from a quick run and opened in a browser: they show both implementations."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from browser import BROWSER, QuietHandler, opened, served

pytest.importorskip("asv")

ROOT = Path(__file__).parents[2]
# asv's pages fetch these from elsewhere; Debian has them in packages.
SCRIPTS = Path("/usr/share/javascript")
PACKAGES = {
    "jquery": "libjs-jquery",
    "jquery-flot": "libjs-jquery-flot",
    "jquery-stupidtable": "libjs-jquery-stupidtable",
    "bootstrap": "libjs-bootstrap",
    "blueimp-md5": "node-blueimp-md5",
}
BENCHMARK = "activations.Activation.time_activation"

pytestmark = [
    pytest.mark.skipif(BROWSER is None, reason="no Chromium"),
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="asv needs the repository"),
    pytest.mark.skipif(
        not all((SCRIPTS / folder).exists() for folder in PACKAGES),
        reason=f"needs Debian's {', '.join(PACKAGES.values())}",
    ),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The folder of the pages."""
    folder = tmp_path_factory.mktemp("benchmarks")
    for file in (ROOT / "benchmarks").iterdir():
        if file.is_file():
            shutil.copy(file, folder)
    settings = folder / "asv.conf.json"
    settings.write_text(settings.read_text().replace('"repo": ".."', f'"repo": {json.dumps(str(ROOT))}'))
    environment = os.environ | {"HOME": str(folder)}  # where asv keeps what it knows of the machine

    def asv(*arguments):
        command = [sys.executable, "-m", "asv", *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr

    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    asv("machine", "--yes")
    only_relu = rf"{re.escape(BENCHMARK)}\(.*'relu', 'float32'\)"
    asv("run", "--python=same", "--quick", "--set-commit-hash", commit.strip(), "--bench", only_relu)
    asv("publish")
    html = folder / ".asv" / "html"
    (html / "nothing").touch()  # in place of a plugin, for bars, that Debian has not: without it asv shows an error
    return html


class Handler(QuietHandler):
    """Serves the pages, and the scripts that they fetch from elsewhere."""

    def translate_path(self, path):
        name = path.split("?")[0].rsplit("/", 1)[-1]
        if path.startswith("/elsewhere/"):
            name = re.sub(r"-\d+\.\d+\.\d+", "", name)
            return str(next(SCRIPTS.glob(f"*/**/{name}"), Path(self.directory) / "nothing"))
        return super().translate_path(path)

    def do_GET(self):
        if self.path.split("?")[0] in ("/", "/index.html"):
            page = (Path(self.directory) / "index.html").read_text()
            page = re.sub(r'(src|href)="https://[^"]*/', r'\1="/elsewhere/', page)
            page = re.sub(r'integrity="[^"]*"', "", page).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page)
        else:
            super().do_GET()


@pytest.fixture(scope="module")
def address(pages):
    with served(pages, Handler) as url:
        yield url


def test_the_grid_names_the_benchmark(address, tmp_path):
    assert BENCHMARK in opened(address, tmp_path)


def test_the_graph_shows_both_implementations(address, tmp_path):
    page = opened(f"{address}#{BENCHMARK}?p-activation='relu'&p-dtype='float32'", tmp_path)
    assert '<canvas class="flot-base"' in page
    for implementation in ("fastnn", "numpy"):  # the curves' legend
        assert f"activation-relu; dtype-float32; implementation-{implementation}" in page
