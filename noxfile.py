"""What CI does, session by session: nox -s test, lint, sanitize, bench, docs, oldest, prerelease, wheel."""

import nox

nox.options.sessions = ["lint", "sanitize", "test"]


@nox.session
def test(session):
    """The README's test command."""
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def lint(session):
    """Style of Python, Cython and C."""
    session.install("-r", ".ci/lint-requirements.txt")
    session.run(".ci/lint", external=True)


@nox.session
def sanitize(session):
    """The kernels under AddressSanitizer and UndefinedBehaviorSanitizer, and on emulated AArch64."""
    session.run("tests/kernels/run-sanitizers", external=True)
    session.run("tests/kernels/run-aarch64", external=True)


@nox.session
def sanitize_suite(session):
    """The whole test suite under AddressSanitizer and UndefinedBehaviorSanitizer."""
    session.run(".ci/sanitize", *session.posargs, external=True)


@nox.session
def races(session):
    """The tests that use several threads under ThreadSanitizer."""
    session.run(".ci/races", *session.posargs, external=True)


@nox.session
def fuzz(session):
    """Inputs of every kind: nox -s fuzz -- --inputs 1000000."""
    session.install(".[test]")
    session.run("python", "tests/support/fuzz.py", *session.posargs)
    session.run("tests/kernels/run-fuzzer", "100000", external=True)


@nox.session
def bench(session):
    """The asv benchmarks, once each, on this checkout."""
    session.install(".[bench]")
    session.chdir("benchmarks")
    session.run("asv", "run", "--python=same", "--quick", *session.posargs)


@nox.session
def docs(session):
    """The documentation, in docs/_build/html; a warning is an error. Each example is run."""
    session.install(".[docs]")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html", *session.posargs)


@nox.session
def linkcheck(session):
    """The links from the documentation to elsewhere, which needs the network. Those within it are checked by docs."""
    session.install(".[docs]")
    options = ["-W", "--keep-going", "-D", "plot_gallery=0", "-b", "linkcheck"]
    session.run("sphinx-build", *options, "docs", "docs/_build/linkcheck", *session.posargs)


@nox.session(python="3.11")
def oldest(session):
    """The tests beside the oldest NumPy, SciPy and scikit-learn."""
    session.install(".[test]", "-r", ".ci/oldest-requirements.txt")
    session.run("pytest", *session.posargs)


@nox.session
def prerelease(session):
    """The tests beside scikit-learn's newest pre-release, whose private names may have changed."""
    session.install(".[test]")
    session.install("--pre", "-U", "scikit-learn")
    session.run("python", "-c", "import sklearn; print('scikit-learn', sklearn.__version__)")
    session.run("pytest", *session.posargs)


@nox.session(python=["3.11", "3.12", "3.13", "3.14"])
def wheel(session):
    """The sdist, a wheel from it, and the tests from that, on each Python that is here."""
    session.run(".ci/wheel", f"{session.bin}/python", external=True)
