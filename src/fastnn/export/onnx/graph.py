"""A graph of ONNX's operators while it is made, and the signal that goes from one layer's operators to the next's."""

from dataclasses import dataclass, field, replace

import numpy as np


@dataclass(frozen=True)
class Graph:
    """Operators, the constants that they read, and names for what they make.

    Attributes
    ----------
    dtype : numpy.dtype
        What the operators compute in.
    nodes : list of onnx.NodeProto
    constants : dict of str to ndarray
        By their names.
    n_named : dict of str to int
        How often each name was asked for: no two tensors have the same.
    """

    dtype: np.dtype
    nodes: list = field(default_factory=list)
    constants: dict = field(default_factory=dict)
    n_named: dict = field(default_factory=dict)

    def computing_in(self, dtype):
        """The same graph, to which operators that compute in another type are added."""
        return replace(self, dtype=np.dtype(dtype))

    def named(self, name):
        """A name that no other tensor has."""
        n = self.n_named[name] = self.n_named.get(name, 0) + 1
        return name if n == 1 else f"{name}_{n}"

    def constant(self, value, name="constant"):
        """The name of a constant: small ones are kept once."""
        value = np.asarray(value)
        if value.size <= 8:
            for known, array in self.constants.items():
                if array.dtype == value.dtype and array.shape == value.shape and array.tolist() == value.tolist():
                    return known
        name = self.named(name)
        self.constants[name] = value
        return name

    def number(self, value, name="number"):
        """The name of a constant of the type that is computed in."""
        return self.constant(np.asarray(value, self.dtype), name)

    def integers(self, *values):
        """The name of a vector of integers, such as the axes of an operator."""
        return self.constant(np.array(values, np.int64), "integers")

    def add(self, operator, *inputs, output=None, n_outputs=1, **attributes):
        """Add an operator.

        Parameters
        ----------
        operator : str
        *inputs : str
            The names of tensors; an empty one is an input that is left out.
        output : str or None, default=None
            The name of the tensor that it makes. None: one that no other has.
        n_outputs : int, default=1
        **attributes
            The operator's.

        Returns
        -------
        str, or a list of such if there are several outputs
        """
        from onnx import helper

        made = [output or self.named(operator.lower()) for _ in range(n_outputs)]
        self.nodes.append(helper.make_node(operator, inputs, made, name=self.named(operator), **attributes))
        return made[0] if n_outputs == 1 else made

    # -- what several layers need -------------------------------------------------------------------------------------

    def cast(self, tensor, dtype):
        from onnx import helper

        return self.add("Cast", tensor, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def size(self, tensor, axis):
        """The number of a tensor's entries along an axis, as a vector of one integer."""
        return self.add("Shape", tensor, start=axis, end=axis + 1)

    def positions(self, n):
        """0, 1, ... up to a number that is a vector of one integer."""
        none = self.constant(np.array(0, np.int64), "zero")
        return self.add("Range", none, self.add("Squeeze", n), self.constant(np.array(1, np.int64), "one"))

    def before(self, n, counts):
        """Of each sample, which of n positions come before its count: (samples, n) truth values."""
        return self.add("Less", self.positions(n), self.add("Unsqueeze", counts, self.integers(1)))

    def filled(self, shape, value):
        """A tensor of a shape with one number everywhere."""
        from onnx import numpy_helper

        return self.add("ConstantOfShape", shape, value=numpy_helper.from_array(np.asarray(value).reshape(1)))

    def chosen(self, condition, values, other):
        """Values where a condition on steps holds, and another number elsewhere."""
        condition = self.add("Unsqueeze", condition, self.integers(2))
        return self.add("Where", condition, values, self.number(other))


@dataclass(frozen=True)
class Signal:
    """What a layer makes.

    Attributes
    ----------
    tensor : str
        Its name.
    shape : tuple of int
        Of one sample, with the channels last. The number of steps is None where sequences differ in it.
    lengths : str or None
        The tensor of the number of steps of each sequence, where they differ: what follows them is padding, of any
        numbers.
    channels_first : bool
        Whether the tensor has its channels before its other axes, as ONNX's convolutions read them.
    tokens : bool
        Whether it is of integers, the numbers of an embedding's rows.
    """

    tensor: str
    shape: tuple
    lengths: str | None = None
    channels_first: bool = False
    tokens: bool = False

    def to_first(self, graph):
        """The same with the channels first."""
        n = len(self.shape)
        if self.channels_first or n == 1:
            return self
        made = graph.add("Transpose", self.tensor, perm=[0, n, *range(1, n)])
        return replace(self, tensor=made, channels_first=True)

    def to_last(self, graph):
        """The same with the channels last."""
        n = len(self.shape)
        if not self.channels_first:
            return self
        made = graph.add("Transpose", self.tensor, perm=[0, *range(2, n + 1), 1])
        return replace(self, tensor=made, channels_first=False)

    def flat(self, graph):
        """A vector of each sample; of a sequence or map in the order of its axes."""
        if len(self.shape) == 1:
            return self
        made = graph.add("Flatten", self.to_last(graph).tensor, axis=1)
        return Signal(made, (int(np.prod(self.shape)),))
