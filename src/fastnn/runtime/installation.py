"""Which distribution this package came with, and whether another one has put its files into the same folder."""

from importlib.metadata import PackageNotFoundError, distribution, version

from fastnn.runtime.warnings import warn_user

#: What pip calls this package. Its own name belongs to somebody else's distribution, of another package of that name.
DISTRIBUTION, NAMESAKE = "scikit-fastnn", "fastnn"


def installed_version():
    """The version of this package."""
    return version(DISTRIBUTION)


def warn_of_namesake():
    """Warn where the other distribution is installed beside this one.

    Where it was installed later, its ``__init__.py`` has replaced ours, and nothing of this runs.
    """
    try:
        distribution(NAMESAKE)
    except PackageNotFoundError:
        return
    warn_user(
        f"another distribution, {NAMESAKE}, is installed beside {DISTRIBUTION}, and both install a package called "
        "fastnn: the one installed last has overwritten files of the other, and uninstalling either removes files of "
        f"both. Repair it by `pip uninstall -y {NAMESAKE} {DISTRIBUTION}` and then "
        f"`pip install --force-reinstall {DISTRIBUTION}` (from a checkout: `pip install --force-reinstall .`)"
    )
