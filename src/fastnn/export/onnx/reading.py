"""Models of ONNX as fitted networks of layers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from fastnn.export.onnx.files import Constants, parsed
from fastnn.export.onnx.operators import OPERATORS, two_readers
from fastnn.export.takeover import Takeover, unknown
from fastnn.layers import Activation, Dense
from fastnn.persistence.checks import shown
from fastnn.runtime.installation import needed

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike

    from fastnn.estimators.sequential_classifier import SequentialClassifier
    from fastnn.estimators.sequential_regressor import SequentialRegressor

MOST_SAID = 500  # characters of an error message: it may quote the file, at any length
#: The operators by which labels, probabilities or numbers are made of a network's outputs.
_OF_ANSWERS = "ArgMax", "Cast", "Concat", "Gather", "Greater", "Identity", "Shape", "Squeeze", "Sub", "Unsqueeze"


def from_onnx(
    path: str | bytes | os.PathLike[str] | os.PathLike[bytes],
    *,
    classes: ArrayLike | None = None,
    multilabel: bool = False,
    **parameters: Any,
) -> SequentialClassifier | SequentialRegressor:
    # From tools/docstrings: <networks taken over>, <errors without onnx>
    """A chain of layers in a file of ONNX as a fitted network, which predicts the same and can be trained further.

    All of the file is checked, and nothing in it is run, so a file from an unknown source does no harm. Data outside
    of it is read from files of its own folder alone.

    Parameters
    ----------
    path : str, bytes or os.PathLike
    classes : array-like, default=None
        The labels of the outputs, sorted: with them the network is a classifier. None: those of the file, if it has
        any; else the network is a classifier of the classes 0, 1, ... if it ends in Softmax or Sigmoid, and otherwise
        predicts numbers.
    multilabel : bool, default=False
        Whether each output is a label of its own.
    **parameters
        The estimator's, such as ``learning_rate_init=1e-4`` for training further.

    Returns
    -------
    SequentialClassifier or SequentialRegressor
        It reads samples with the channels last, whatever the model in the file does.

    Raises
    ------
    ImportError
        Where the package onnx is missing: the extra ``onnx`` installs it.
    ValueError
        When the file does not hold a model of ONNX, or one of operators that are not a chain of fastnn's layers. The
        message names the operator.
    OSError
        When the file cannot be read.

    Examples
    --------
    >>> import os, tempfile
    >>> from fastnn import MLPClassifier
    >>> from fastnn.export import from_onnx, to_onnx
    >>> xor = MLPClassifier.from_weights([[[1, 1], [1, 1]], [[1], [-2]]], [[0, -1], [-0.5]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "xor.onnx")
    ...     model = to_onnx(xor, path)
    ...     from_onnx(path, learning_rate_init=0.01).partial_fit([[0, 1], [1, 1]], [1, 0])
    SequentialClassifier(input_shape=(2,), layers=[Dense(2)],
                         learning_rate_init=0.01)
    """
    onnx = needed("onnx", "from_onnx", to_install="scikit-fastnn[onnx]")
    path = os.fsdecode(path)
    try:
        walk = Walk(parsed(path, onnx), os.path.dirname(os.path.abspath(path)))
        takeover, labels = walk.run()
        classes = labels if classes is None else classes
        return takeover.finished(classes, multilabel, parameters, numbers="predictions" in walk.outputs)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{path} cannot be taken over: {str(error)[:MOST_SAID]}") from error


class Walk:
    """The way from X through the operators of a chain.

    Parameters
    ----------
    model : onnx.ModelProto
    folder : str

    Attributes
    ----------
    constants : Constants
    tensor : str
        The name of the tensor that the operators so far make.
    axes : list of str
        What its axes are: n, the samples; c, the channels; s or h and w, steps or positions; d, directions; 1, an axis
        of one entry. Numbers are those of X's axes, as long as no operator says what they are.
    takeover : Takeover or None
        None as long as no operator says what X's axes are.
    is_reversed : bool
        Whether the steps are in the opposite order.
    """

    def __init__(self, model, folder):
        graph = model.graph
        tensors = {tensor.name: tensor for tensor in graph.initializer}
        self.nodes = []
        for node in graph.node:
            if node.op_type == "Constant" and [each.name for each in node.attribute] == ["value"] and node.output:
                tensors[node.output[0]] = node.attribute[0].t
            else:
                self.nodes.append(node)
        _check_nodes(self.nodes, model)
        self.constants = Constants(tensors, folder)
        self._readers, self._seen = {}, set()
        for node in self.nodes:
            for name in dict.fromkeys(node.input):
                self._readers.setdefault(name, []).append(node)
        self.inputs = [given for given in graph.input if given.name not in tensors]
        self.outputs = {output.name for output in graph.output}
        if not self.inputs or not self.outputs:
            raise ValueError("the graph must have an input and an output, got one without")
        self.tensor, self.takeover, self.is_reversed, self._waiting = self.inputs[0].name, None, False, []
        self.sizes, self.has_tokens = self._described(self.inputs[0])
        self.axes = ["n", *map(str, range(len(self.sizes)))]
        self.lengths = None
        if len(self.inputs) == 2:
            self.lengths = {self.inputs[1].name}
            for node in self._readers.get(self.inputs[1].name, ()):
                if node.op_type in ("Cast", "Identity"):  # for recurrent operators, or as an answer
                    self.lengths |= {*node.output}
                    self._seen.add(id(node))
        elif len(self.inputs) > 2:
            names = [given.name for given in self.inputs]
            raise ValueError(f"the graph must read samples, and their lengths or not, got {shown(names)}")

    def _described(self, given):
        """The sizes of a sample's axes, and whether it is of integers."""
        tensor = given.type.tensor_type
        dims = [dim.dim_value or None for dim in tensor.shape.dim]
        if not 2 <= len(dims) <= 4 or any(size is not None and size < 1 for size in dims):
            raise ValueError(f"{shown(given.name)} must have from 2 to 4 axes, got the sizes {shown(dims)}")
        return dims[1:], tensor.elem_type in (6, 7)

    # -- the chain -----------------------------------------------------------------------------------------------------

    def run(self):
        """Go through the chain.

        Returns
        -------
        takeover : Takeover
        labels : list or None
            The classes that the graph has.
        """
        if len(self.sizes) == 1 and not self.has_tokens:
            self.settle(["n", "c"])
        while (readers := self.readers()) and not self._is_answered(readers):
            node = readers[0] if len(readers) == 1 else None
            if node is None:
                two_readers(self, readers)
            elif node.op_type not in OPERATORS or node.domain not in ("", "ai.onnx"):
                unknown(f"the operator {shown(node.name)}", node.op_type, OPERATORS)
            else:
                OPERATORS[node.op_type](self, node, {each.name: each for each in node.attribute})
        labels = self._labels()
        if beside := [node for node in self.nodes if id(node) not in self._seen]:
            raise ValueError(
                f"the operators must be one after the other, got {beside[0].op_type} {shown(beside[0].name)} besides"
            )
        if self.takeover is None:
            raise ValueError("the network must end in a dense layer, got operators without weights")
        return self.takeover, labels

    def readers(self, name=None):
        """The nodes that read a tensor, or what the chain makes so far."""
        return self._readers.get(self.tensor if name is None else name, [])

    def _is_answered(self, readers):
        """Whether what follows are only the answers of the model, of the outputs of its last layer."""
        layers = [] if self.takeover is None else self.takeover.layers
        last = next((layer for layer in reversed(layers) if not isinstance(layer, Activation)), None)
        if not isinstance(last, Dense) or not all(node.op_type in _OF_ANSWERS for node in readers):
            return False
        return len(readers) > 1 or readers[0].op_type not in ("Sub", "Unsqueeze")

    def go_on(self, *nodes, axes=None, output=0):
        """Go on behind some nodes, the last of which makes a tensor of these axes."""
        for node in nodes:
            if id(node) in self._seen:
                raise ValueError(f"the operators must lead from one to the next, got {shown(node.name)} a second time")
            self._seen.add(id(node))
        self.tensor = nodes[-1].output[output]
        self.axes = self.axes if axes is None else axes

    def _labels(self):
        """The classes among which the graph chooses; and what makes the answers is seen."""
        labels, waiting = None, [self.tensor]
        known = {self.tensor}
        while waiting:
            for node in self.readers(waiting.pop()):
                if id(node) in self._seen:
                    continue
                self._seen.add(id(node))
                if node.op_type not in _OF_ANSWERS:
                    unknown(f"the operator {shown(node.name)}", node.op_type, OPERATORS)
                if node.op_type == "Gather" and node.input[0] in self.constants:
                    labels = self.constants[node.input[0]]
                waiting += [name for name in node.output if name not in known]
                known |= {*node.output}
        if not known & self.outputs:
            raise ValueError(f"the chain must lead to an output, got {shown(self.tensor)} at its end")
        if labels is None:
            return None
        if labels.dtype == object:
            labels = np.array([label.decode("utf-8", "replace") for label in labels.reshape(-1)])
        if labels.ndim != 1 or not len(labels):
            raise ValueError(f"the classes must be a vector of labels, got shape {labels.shape}")
        return labels

    # -- what layers say -----------------------------------------------------------------------------------------------

    def settle(self, axes):
        """Note what the axes of the tensor are; refuse others than they are known to be.

        Raises
        ------
        ValueError
        """
        if self.takeover is None and len(axes) == len(self.axes):
            renamed = dict(zip(self.axes, axes, strict=True))
            sizes = {renamed[str(i)]: size for i, size in enumerate(self.sizes) if str(i) in renamed}
            if renamed.get("n") == "n" and len(sizes) == len(self.sizes):
                self.axes = axes
                self.takeover = Takeover(tuple(sizes[axis] for axis in ("s", "h", "w", "c") if axis in sizes))
                for what, layer in self._waiting:
                    self.takeover.add(what, layer)
        if self.axes != axes:
            raise ValueError(f"{shown(self.tensor)} must have the axes {', '.join(axes)}, got {', '.join(self.axes)}")

    def settle_tokens(self):
        """Note that X is sequences of tokens, (n, steps)."""
        if len(self.axes) != 2 or self.axes[0] != "n":
            raise ValueError(f"{shown(self.tensor)} must have the axes n, s, got {', '.join(self.axes)}")
        self.takeover, self.axes = Takeover((self.sizes[0], 1)), ["n", "s"]

    def add(self, node, layer, weights=None):
        """Add a layer; one that treats all numbers alike may come before what says what X's axes are."""
        what = f"{node.op_type} {shown(node.name)}"
        if self.takeover is None and weights is None:
            self._waiting.append((what, layer))
        else:
            self.settled().add(what, layer, weights)

    def settled(self):
        """The layers so far; if no operator has said what X's axes are, their order is that of fastnn."""
        if self.takeover is None:
            n = len(self.axes) - 1
            if sorted(self.axes) != [*self.axes[1:], "n"]:
                raise ValueError(f"{shown(self.tensor)} must have X's axes in their order, got {', '.join(self.axes)}")
            self.settle(["n", *{1: "c", 2: "sc", 3: "hwc"}[n]])
        return self.takeover

    def only_reader(self, name, *kinds):
        """The node that alone reads a tensor, if it is of one of these kinds; else None."""
        readers = self.readers(name)
        return readers[0] if len(readers) == 1 and readers[0].op_type in kinds else None

    def constant_beside(self, node, name):
        """The constant that a node with two inputs reads beside a tensor; None if there is no such constant."""
        others = [given for given in node.input if given != name]
        return (
            self.constants[others[0]]
            if len(node.input) == 2 and len(others) == 1 and others[0] in self.constants
            else None
        )


def _check_nodes(nodes, model):
    """Refuse operators without the inputs, outputs and attributes that ONNX says they have.

    Raises
    ------
    ValueError
    """
    from onnx import checker

    context = checker.C.CheckerContext()
    context.ir_version = 10
    context.opset_imports = {opset.domain: opset.version for opset in model.opset_import}
    for node in nodes:
        if node.op_type not in {*OPERATORS, *_OF_ANSWERS} or node.domain not in ("", "ai.onnx"):
            continue  # is refused where it is met
        try:
            checker.check_node(node, context)
        except checker.ValidationError as error:
            raise ValueError(
                f"{node.op_type} {shown(node.name)} must be an operator as ONNX has it, got another: {error}"
            ) from error
