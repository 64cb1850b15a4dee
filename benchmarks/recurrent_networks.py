"""Whole networks over sequences beside NumPy and PyTorch: epochs, predictions of many sequences and of one, memory.

The networks are those of `peers/workloads.py`, as in `convnets.py`. NumPy has a GRU, over sequences of one length.
Where lengths differ, PyTorch pads, or packs what a recurrent layer reads.
"""

from .measuring import _Tracked, figures
from .peer_networks import N_SAMPLES, WORKLOADS, _Networks, made, names

NETWORKS = names(lambda workload: not workload.ragged and len(workload.input_shape) == 2)
OF_ANY_LENGTH = names(lambda workload: workload.ragged)


class Recurrent(_Networks):
    """Sequences of one length."""

    params = (["fastnn", "numpy", "torch"], NETWORKS)


class OfAnyLength(_Networks):
    """Sequences of different lengths, and texts."""

    params = (["fastnn", "torch"], OF_ANY_LENGTH)


class Figures(_Tracked):
    """What an epoch comes to, on all threads: of the network that NumPy has, too."""

    param_names = ("network",)
    params = (["gru"],)

    def setup_cache(self):
        return {(name,): self._measured(name) for name in self.params[0]}

    @staticmethod
    def _measured(name):
        ours, numpys = (made(implementation, name)[1] for implementation in ("fastnn", "numpy"))
        return figures(float(WORKLOADS[name].flops() * N_SAMPLES), lambda: ours(1), lambda: numpys(1), "float32")
