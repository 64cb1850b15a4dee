"""The distribution that this package belongs to, and a warning if another one has installed files in its folder.

Also packages that are imported when they are needed.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, distribution, version

from fastnn.runtime.warnings import warn_user

#: This package's name for pip, and the distribution of another package that is also called fastnn.
DISTRIBUTION, NAMESAKE = "scikit-fastnn", "fastnn"
#: Where the documentation is: pages of classes are in its folder ``api``.
DOCUMENTATION = "https://scikit-fastnn.readthedocs.io/en/stable"


def installed_version() -> str:
    """The version of this package."""
    return version(DISTRIBUTION)


def warn_of_namesake() -> None:
    """Warn if the other distribution is installed beside this one.

    If it was installed later, its ``__init__.py`` has replaced ours, and this function does not run.
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


def needed(package, for_what, to_install):
    """A package that is imported when it is needed.

    Raises
    ------
    ImportError
        With what to install.
    """
    try:
        return import_module(package)
    except ImportError as error:
        raise ImportError(f"{for_what} needs {package}: pip install '{to_install}' installs it") from error
