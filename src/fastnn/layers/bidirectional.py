"""A recurrent layer in both directions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from fastnn.layers.recurrent import Recurrent
from fastnn.layers.rules import Rule, one_of
from fastnn.layers.spec import Layer, layer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Literal

    import numpy as np
    from numpy.typing import NDArray

    from fastnn.layers.spec import Operation
    from fastnn.typing import Shape

# The order of the weights of both layers.
_WAYS = "forward", "backward"


@layer
class Bidirectional(Layer):
    """Two recurrent layers of the same settings, of which one reads a sequence forward and the other backward [1]_.

    Where all outputs are passed on, those of both layers for a step belong together. The weights have the names of
    the recurrent layer's, as ``forward_kernel`` and ``backward_kernel``.

    Parameters
    ----------
    layer : SimpleRNN, GRU or LSTM
        The layer that reads forward. The other one has the same settings, and weights of its own.
    merge_mode : {"concat", "sum", "mul", "ave"}, default="concat"
        What becomes of the outputs of both: one after the other, their sum, their product, or their mean.

    References
    ----------
    .. [1] M. Schuster, K. Paliwal: "Bidirectional recurrent neural networks", IEEE Transactions on Signal Processing
       45 (1997).

    Examples
    --------
    >>> from fastnn.layers import GRU, Bidirectional
    >>> Bidirectional(GRU(64)).output_shape((100, 3))
    (128,)
    """

    layer: Recurrent
    merge_mode: Literal["concat", "sum", "mul", "ave"] = "concat"

    reads: ClassVar[str] = "sequence"
    rules: ClassVar[dict[str, Rule]] = {
        "layer": Rule("a SimpleRNN, GRU or LSTM", lambda value: isinstance(value, Recurrent)),
        "merge_mode": one_of(["concat", "sum", "mul", "ave"]),
    }

    @property
    def trainable(self) -> bool:
        return self.layer.trainable

    @property
    def drops(self) -> bool:
        return self.layer.drops

    @property
    def return_sequences(self) -> bool:
        return self.layer.return_sequences

    def check(self, name: str) -> None:
        super().check(name)
        self.layer.check(f"{name}.layer")
        if self.layer.go_backwards:
            raise ValueError(f"{name}.layer.go_backwards must be False in Bidirectional, got True")

    def output_shape(self, shape: Shape, name: str = "the layer") -> Shape:
        *steps, units = self.layer.output_shape(shape, name)
        return *steps, 2 * units if self.merge_mode == "concat" else units

    def output_steps(self, steps: Any) -> Any:
        return self.layer.output_steps(steps)

    def operation(self, shape: Shape) -> Operation | None:
        return self.layer.operation_along(self.merge_mode)

    def weight_shapes(self, shape: Shape) -> dict[str, tuple[int, ...]]:
        shapes = self.layer.weight_shapes(shape)
        return {f"{way}_{name}": its_shape for way in _WAYS for name, its_shape in shapes.items()}

    def initial_weights(
        self, shape: Shape, random_state: np.random.RandomState, gain: float
    ) -> list[NDArray[np.float64]]:
        return [array for _ in _WAYS for array in self.layer.initial_weights(shape, random_state, gain)]

    def to_engine(self, weights: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        arrays = []
        for way in _WAYS:
            arrays += self.layer.to_engine(
                {name.removeprefix(f"{way}_"): array for name, array in weights.items() if name.startswith(f"{way}_")}
            )
        return arrays

    def from_engine(self, arrays: Iterator[NDArray[Any]], shape: Shape) -> dict[str, NDArray[Any]]:
        return {
            f"{way}_{name}": array for way in _WAYS for name, array in self.layer.from_engine(arrays, shape).items()
        }


def is_recurrent(layer):
    """Whether a layer is recurrent, in one direction or in both."""
    return isinstance(layer, (Recurrent, Bidirectional))
