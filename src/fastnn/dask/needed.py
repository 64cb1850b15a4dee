"""The packages that only this part of fastnn needs, imported when they are used."""

from functools import partial

from fastnn.runtime import installation

#: The module with a name, of dask or distributed.
needed = partial(installation.needed, for_what="fastnn.dask", to_install="scikit-fastnn[dask]")
