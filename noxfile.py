"""What CI does, session by session: nox -s test, lint, bench, sanitize."""

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
def bench(session):
    """The asv benchmarks, once each, on this checkout."""
    session.install(".[bench]")
    session.chdir("benchmarks")
    session.run("asv", "run", "--python=same", "--quick", *session.posargs)
