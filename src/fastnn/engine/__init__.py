"""The engine: layers, losses and optimizers over a batch, without the GIL and on every core."""

from fastnn.engine.threads.cores import unbound

with unbound():  # this loads OpenMP, which counts the cores and divides them into places only once
    from fastnn.engine.threads import team  # noqa: F401
