"""The packages that only this part of fastnn needs, imported when they are used."""

from importlib import import_module


def needed(name):
    """The module with this name, of dask or distributed.

    Raises
    ------
    ImportError
        With how to install it.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            "fastnn.dask needs dask and distributed: pip install 'scikit-fastnn[dask]' installs them"
        ) from error
