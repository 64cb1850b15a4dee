"""A network's layers one after the other: what each reads and makes, and what the engine does for all of them.

The engine has fewer layers than the user, where it can do the work of two in one pass: dropout is a rate of the signal
that it leaves numbers out of, and an activation belongs to the layer before. It has more, where a map is flattened.
Where sequences differ in their numbers of steps, shapes have None in place of them.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from fastnn.data.quoted import quoted
from fastnn.engine.layers.convolution import KEEP_ORDER
from fastnn.layers.activation import Activation, engine_activation
from fastnn.layers.bidirectional import is_recurrent
from fastnn.layers.dense import Dense
from fastnn.layers.dropout import Dropout
from fastnn.layers.embedding import Masking, embedding_of
from fastnn.layers.normalization import BatchNormalization, LayerNormalization
from fastnn.layers.pooling import MaxPooling1D, MaxPooling2D
from fastnn.layers.rescaling import Rescaling
from fastnn.layers.reshaping import copied
from fastnn.layers.rules import MOST
from fastnn.layers.spec import Layer
from fastnn.layers.windows import SIGNALS

# Layers that read a vector as they read each step of a sequence.
_STEP_BY_STEP = Activation, BatchNormalization, Dense, Dropout, LayerNormalization, Rescaling
# The axes of what layers read.
_AXES = {"sequence": "(steps, channels)", "map": "(height, width, channels)"}


@dataclass(frozen=True)
class Link:
    """A layer at its place in a chain.

    Attributes
    ----------
    layer : Layer or None
        None is a place that is left out.
    input_shape, output_shape : tuple of int
        The shapes of one sample of what the layer reads and makes.
    depth : int or None
        The number of the engine's layers that make the output of this one; None where they make it only together
        with the activation that follows.
    """

    layer: Layer | None
    input_shape: tuple
    output_shape: tuple
    depth: int | None


def check_layers(layers):
    """Refuse what is not a layer, settings that break a rule, and what comes before a layer that reads X itself.

    Raises
    ------
    ValueError
    """
    before = None
    for i, layer in enumerate(layers):
        if layer is None:
            continue
        if not isinstance(layer, Layer):
            raise ValueError(
                f"layers[{i}] must be a layer of fastnn.layers, such as Dense(100), or None, got {quoted(layer)}"
            )
        layer.check(f"layers[{i}]")
        if layer.comes_after is not None and before is not None and not isinstance(layers[before], layer.comes_after):
            but_for = "".join(f" but for a {cls.__name__}" for cls in layer.comes_after)
            raise ValueError(
                f"{named(layers, i)}, reads X, and must be the first layer{but_for}, got it after "
                f"{named(layers, before)}"
            )
        before = i


def deciding_layer(layers):
    """The number of the first layer that takes only maps or only sequences, which says what X is.

    None if there is no such layer, or if another one reshapes X before it: then each sample is a vector.
    """
    for i, layer in enumerate(layers):
        if layer is not None and layer.reads != "anything":
            return i
        if layer is not None and layer.reshapes:
            return None
    return None


def sample_shape(layers, shape):
    """The shape of a sample with all of its axes: an image without channels has one, and a vector is a series.

    Parameters
    ----------
    layers : sequence of Layer
    shape : tuple of int
        The shape of a sample, as the user has it; (None, channels) for sequences that differ in their steps.

    Returns
    -------
    tuple of int

    Raises
    ------
    ValueError
        If the layers take no such samples.
    """
    i = deciding_layer(layers)
    if i is None:
        if None in shape:
            for i, layer in enumerate(layers):
                if layer is not None and layer.reshapes:
                    layer.output_shape(shape, f"layers[{i}]")  # which says that it cannot
            raise ValueError(
                "layers must have one that reads sequences, such as GRU(64) or Conv1D(8, 3), for sequences that differ "
                f"in their numbers of steps, got {quoted(list(layers))}"
            )
        return shape
    reads = layers[i].reads
    missing = len(_AXES[reads].split(", ")) - len(shape)
    if missing not in (0, 1) or (reads == "map" and None in shape):
        advice = "" if missing < 0 or None in shape else ": give X all of these axes, or set input_shape"
        raise ValueError(
            f"X must have shape (n_samples, {_AXES[reads][1:]} for {named(layers, i)}, got {_of(shape)}{advice}"
        )
    return shape + (1,) * missing


def named(layers, i):
    """A layer in messages."""
    return f"layers[{i}], {quoted(layers[i])}"


def _of(shape):
    return f"(n_samples, {', '.join(map(str, shape))})"


class Chain:
    """Layers one after the other, and an output layer.

    Parameters
    ----------
    layers : sequence of Layer or None
        The hidden layers, whose settings are checked already.
    shape : tuple of int
        The shape of a sample, as `sample_shape` returns it.
    n_outputs : int
        The number of units of the output layer, which is dense.
    fuses : bool, default=True
        Whether the engine does the work of two layers in one pass where it can. If not, it makes the output of each.

    Attributes
    ----------
    layers : tuple of Layer or None
        The hidden layers.
    links : list of Link
        One for each of them, and one for the output layer.
    input_shape : tuple of int
        The shape of a sample for the engine: where steps are left out of sequences, their number is None.
    description : tuple of tuple
        The engine's layers.
    dropout : tuple of float
        The rate for each of the engine's hidden layers.
    ends_in_sequence : bool
        Whether the output layer makes a vector for each step of a sequence, and not one for each sample.

    Raises
    ------
    ValueError
        If a layer cannot read what comes before it. Nothing is allocated.
    """

    def __init__(self, layers, shape, n_outputs, fuses=True):
        self.layers, self.sample_shape, self.n_outputs, self._fuses = tuple(layers), shape, n_outputs, fuses
        self.links, self._operations, self._rates = [], [], []
        self.input_shape = (math.prod(shape),) if deciding_layer(layers) is None else shape
        if any(layer is not None and layer.removes_steps for layer in layers):
            self.input_shape = (None, *shape[1:])
        self._check_size("X", self.input_shape)
        shape = self.input_shape
        for i, layer in enumerate(self.layers):
            shape = self._append(layer, shape, i)
        self.ends_in_sequence = len(shape) == 2
        self._append(Dense(n_outputs, "identity"), shape, len(self.layers))
        self.description = tuple(operation.description() for operation in self._operations)
        self.dropout = tuple(self._rates[:-1])

    def looking_further(self):
        """The number of the first layer that makes of steps something else than steps, each of itself and of earlier
        ones; None if there is no such layer."""
        return next(
            (i for i, layer in enumerate(self.layers) if layer is not None and not layer.works_stepwise), None
        )

    def unfused(self):
        """The same layers, each with an output of its own, and with the same weights."""
        return Chain(self.layers, self.sample_shape, self.n_outputs, fuses=False)

    def has_layers_of(self, description):
        """Whether a description is of these layers, though others may learn, and cells may drop out another part."""
        if len(description) != len(self._operations):
            return False
        return all(
            _lasting(given) in [_lasting(operation.with_trainable(learns).description()) for learns in (False, True)]
            for given, operation in zip(description, self._operations, strict=True)
        )

    # -- sequences ----------------------------------------------------------------------------------------------------

    def sequence_advice(self):
        """What to do where the output is a sequence, and a target belongs to each sample: the end of a message."""
        advice = "add GlobalMaxPooling1D()" + ("" if None in self.links[-1].output_shape else " or Flatten()")
        others = [i for i, layer in enumerate(self.layers) if not isinstance(layer, (*_STEP_BY_STEP, type(None)))]
        if others and is_recurrent(self.layers[others[-1]]):  # the layers after it take vectors as well
            advice = f"set return_sequences=False on layers[{others[-1]}], or {advice}"
        return f"the last layer gives a sequence: {advice}"

    def output_lengths(self, lengths, n_layers=None):
        """The number of steps of what the layers make of each sequence.

        Parameters
        ----------
        lengths : array-like of int
            The number of steps of each sequence, without those that layers leave out of X.
        n_layers : int or None, default=None
            The number of layers, from the first one on; None is all of them.

        Returns
        -------
        ndarray of int or None
            At least 0. None where no sequence is made.
        """
        return [np.asarray(lengths), *self._lengths(lengths)][len(self.links) if n_layers is None else n_layers]

    def _lengths(self, lengths):
        """For each link, the lengths of what it makes."""
        steps = np.asarray(lengths)
        for link in self.links:
            made = link.output_shape
            if len(made) != 2:
                steps = None
            elif made[0] is not None:
                steps = np.full(len(lengths), made[0])
            elif link.layer is not None:
                steps = link.layer.output_steps(steps)
            yield steps

    def check_lengths(self, lengths):
        """Refuse sequences of which a layer would leave no step.

        Parameters
        ----------
        lengths : array-like of int
            The number of steps of each sequence, without those that layers leave out of X.

        Raises
        ------
        ValueError
            With the first such sequence's number, its length, the layer, and the length that it needs.
        """
        if None not in self.input_shape:
            return
        for i, steps in enumerate([np.asarray(lengths), *self._lengths(lengths)]):
            if steps is None or steps.all():
                continue
            least = bisect_left(range(MOST), 1, key=lambda n: int(self.output_lengths([n], i)[0]))
            removing = [j for j, layer in enumerate(self.layers) if layer is not None and layer.removes_steps]
            reader = f" for {named(self.layers, i - 1)}" if i else ""
            left = f" that {named(self.layers, removing[0])}, does not leave out" if removing else ""
            sequence = int(np.argmin(steps))
            raise ValueError(
                f"X must have at least {least} step{'s' if least > 1 else ''}{left} in each sequence{reader}, got "
                f"{lengths[sequence]} in sequence {sequence}"
            )

    # -- the engine's layers ------------------------------------------------------------------------------------------

    def _append(self, layer, shape, i):
        if isinstance(layer, Dense) and len(shape) == 3:
            shape = (math.prod(shape),)
            self._do(copied(shape))
        if isinstance(layer, Dropout):
            self._drop(layer.rate, shape)
        elif isinstance(layer, Activation):
            self._activate(engine_activation(layer.name), shape)
        elif (layer is None or isinstance(layer, Masking)) and not self._fuses and not embedding_of(self.layers[i:]):
            self._do(copied(shape))  # before an Embedding it would have tokens, which the engine cannot copy
        made = shape if layer is None else self._made(layer, shape, i)
        self.links.append(Link(layer, shape, made, len(self._operations)))
        return made

    def _made(self, layer, shape, i):
        if layer.reads != "anything" and len(shape) != len(_AXES[layer.reads].split(", ")):
            raise ValueError(
                f"{named(self.layers, i)}, must read {SIGNALS[layer.reads]} {_AXES[layer.reads]}, got shape {shape}"
            )
        made = layer.output_shape(shape, f"layers[{i}]")
        self._check_size(f"layers[{i}]", made)
        for weights in layer.weight_shapes(shape).values():
            self._check_size(f"the weights of layers[{i}]", weights[:-1])
        operation = layer.operation(shape)
        if isinstance(layer, (MaxPooling1D, MaxPooling2D)) and self._pools_with(layer):
            self._change_last(pool_size=layer.along(layer.pool_size))
        elif operation is not None and (made != shape or operation != copied(made) or not self._fuses):
            self._do(operation)
        return made

    def _pools_with(self, layer):
        """Whether the engine can pool what the convolution before makes while it makes it."""
        if not self._fuses or not self._operations or self._rates[-1] or self._operations[-1].pool_size is not None:
            return False
        last, is_side_by_side = self._operations[-1], layer.strides in (None, layer.pool_size)
        return (
            last.kind == "convolution"
            and last.activation in KEEP_ORDER
            and layer.padding == "valid"
            and is_side_by_side
        )

    def _change_last(self, **changes):
        """Change the engine's last layer, which then makes no more what it made for the user's layers so far."""
        depth = len(self._operations)
        self._operations[-1] = replace(self._operations[-1], **changes)
        self.links = [replace(link, depth=None) if link.depth == depth else link for link in self.links]

    def _check_size(self, what, shape):
        if math.prod(n for n in shape if n is not None) > MOST:
            raise ValueError(f"{what} must have at most 2**31 - 1 numbers for each sample or unit, got shape {shape}")

    def _do(self, operation):
        self._operations.append(operation)
        self._rates.append(0.0)

    def _drop(self, rate, shape):
        if rate == 0 and self._fuses:
            return
        # A second dropout has a mask of its own. What rescales X does so while it is gathered, and has none.
        if not self._fuses or not self._rates or self._rates[-1] or self._operations[-1].kind == "rescaling":
            self._do(copied(shape))
        self._rates[-1] = float(rate)

    def _activate(self, name, shape):
        if name == "identity" and self._fuses:
            return
        last = self._operations[-1] if self._operations else None
        if not self._fuses or not last or self._rates[-1] or last.activation != "identity" or last.pool_size:
            self._do(copied(shape))
        self._change_last(activation=name)

    # -- weights ------------------------------------------------------------------------------------------------------

    def gain(self):
        """The gain of initial weights, as in scikit-learn, where one activation of all hidden layers decides it."""
        hidden = self._operations[:-1]
        names = {
            op.activation for op in hidden if op.activation and (op.kind, op.activation) != ("reshape", "identity")
        }
        return 2.0 if names == {"logistic"} else 6.0

    def initial_weights(self, random_state, gain):
        """Draw all layers' weights, as the engine lists them."""
        weights = []
        for link in self.links:
            if link.layer is not None:
                weights += link.layer.initial_weights(link.input_shape, random_state, gain)
        return weights

    def weight_shapes(self):
        """For each layer, the output layer last, the shapes of its weights by their names."""
        return [{} if link.layer is None else link.layer.weight_shapes(link.input_shape) for link in self.links]

    def by_layer(self, arrays):
        """For each layer a dict of its weights by their names, from arrays as the engine lists them."""
        remaining = iter(arrays)
        return [
            {} if link.layer is None else link.layer.from_engine(remaining, link.input_shape) for link in self.links
        ]

    def to_engine(self, weights):
        """Arrays as the engine lists them, from a dict for each layer."""
        arrays = []
        for link, of_layer in zip(self.links, weights, strict=True):
            arrays += [] if link.layer is None else link.layer.to_engine(of_layer)
        return arrays


def _lasting(description):
    """A description of a layer without the rates of dropout, which may change from fit to fit."""
    return description[:7] + description[9:] if description[0] == "recurrent" else description


@lru_cache(maxsize=64)
def chain_of(layers, shape, n_outputs):
    """The Chain of a tuple of layers: the last ones made are kept, since many small fits are of the same layers."""
    return Chain(layers, shape, n_outputs)
