"""The phases of a training step, as data: the operations of each phase follow from what the layers say of themselves.

A team of threads takes each batch through the phases, with a barrier after each. Within a phase every thread does its
share of each operation, so no lock is needed and no sum is split. For dense layers 0 ... L - 1 the phases are

    forward 0, ...
    rows          the last forward product, the loss and its gradient, row by row
    back L - 1
    back l        and the step of layer l + 1, whose weights have then been read for the last time
    the end       the remaining steps, and the gathering of the next batch

The last layers of a network, if they are small, are all in the phase of rows, forward and back: a small network has
only this phase and the last one. Clipping needs the norm of the whole gradient: the steps then only store the gradient,
and two more phases find its norm and make the optimizer's step.

Layers such as convolutions, whose weights are small beside what flows through them, are always taken by rows: forward,
the gradient (`grad`) and back, a few samples at a time. Where such layers are below wide dense ones, they have a phase
of rows forward and another one back.

Batch normalization couples the samples of a batch by sums over all of them. By rows, it needs two phases forward, and
two back:

    rows          ..., forward l - 1, sums l
    add sums l    each thread by itself; rows: forward l, ...
    rows          ..., back l + 1, grad l
    add gradients l, likewise; rows: back l, ...

So the layers between two such layers, and the last ones with the loss, stay in the cache.
"""

import os
import sys

# The number of parameters that stay in a core's cache while it takes a few rows at a time through the last layers and
# back. Threads need not wait for each other between layers that have no more parameters together.
BY_ROWS = 32_000
# Likewise where convolutions, whose signals are large, would have to write and read all of a batch's in between.
BY_ROWS_WITH_MAPS = 128_000


def first_layer(layers):
    """The number of the first layer that makes a signal. One that rescales X does so while X is gathered."""
    return int(len(layers) > 1 and layers[0].rescales_input())


def first_by_rows(layers):
    """The number of the first of the last layers that together are small enough to be taken by rows."""
    first, total = len(layers), 0
    most = BY_ROWS_WITH_MAPS if any(layer.sums_by_samples() for layer in layers) else BY_ROWS
    while first > 0:
        cost = layers[first - 1].rows_cost()
        if cost is None or (total := total + cost) > most:
            break
        first -= 1
    return first


def plan(layers, clipped=False):
    """The phases of a step.

    Parameters
    ----------
    layers : sequence of EngineLayer
    clipped : bool, default=False
        Whether the gradient's norm is clipped, for which the gradient is stored before the step.

    Returns
    -------
    list of list of tuple
        The operations of each phase: a name and, where there is one, the layer's number, as ``("forward", 0)``. The
        operation ``("rows", operations)`` has a list of those that every thread does for rows of its own.
    """
    n_layers, first = len(layers), first_by_rows(layers)
    learns = [any(shape.learnt for shape in layer.parameter_shapes()) for layer in layers]
    if not any(learns):
        raise ValueError(f"a network must have a layer that learns, got {n_layers} that do not")
    first_learnt = learns.index(True)  # the layers below it need no error
    couples = [layer.couples_samples() for layer in layers]
    by_rows = [i >= first or layer.takes_samples_alone() for i, layer in enumerate(layers)]
    phases, rows = [], None  # rows: the operations of the last phase, if it is one of rows
    for i in range(first_layer(layers), n_layers):
        if not by_rows[i] and i < n_layers - 1:
            phases.append([("forward", i)])
            rows = None
            continue
        if rows is None:
            rows = []
            phases.append([("rows", rows)])
        if couples[i]:
            rows.append(("sums", i))
            rows = []
            phases.append([("add sums", i), ("rows", rows)])
        rows.append(("forward", i))  # always the last layer: the loss is taken by rows
    rows.append(("loss",))
    after_loss, end = len(phases), n_layers  # the layers from `end` on have made their step
    for i in range(n_layers - 1, first_learnt - 1, -1):
        grad = [("grad", i)] if learns[i] and layers[i].sums_by_samples() else []
        back = [("back", i)] if i > first_learnt else []
        if by_rows[i] and rows is not None:
            rows += grad if couples[i] else grad + back
        elif grad or back:
            rows = (grad if couples[i] else grad + back) if by_rows[i] else None
            phases.append([("rows", rows) if by_rows[i] else back[0], *_steps(learns, i + 1, end)])
            end = i + 1
        if couples[i] and back:
            rows = back
            phases.append([("add gradients", i), ("rows", rows), *_steps(learns, i + 1, end)])
            end = i + 1
    phases.append([*_steps(learns, 0, end), ("gather",)])
    phases[0].insert(0, ("begin",))
    phases[after_loss].insert(0, ("add losses",))
    if clipped:
        phases += [[("norm",)], [("clipped step",)]]
    return phases


def signals_of_rows(phases, n_layers):
    """Which signals are read and written within one operation by rows only, so that they are a thread's own.

    Parameters
    ----------
    phases : list of list of tuple
        As `plan` returns them.
    n_layers : int

    Returns
    -------
    list of bool
        For what each layer makes.
    """
    users = [set() for _ in range(n_layers)]  # of each signal: the phases, negative for operations that threads share
    summed = {i for _, name, *layer in _operations(phases) if name == "grad" for i in layer}
    for number, name, *layer in _operations(phases):
        if name == "loss":
            users[-1].add(number)
        elif name == "sums" and layer[0] > 0:
            users[layer[0] - 1].add(number)
        elif name in ("forward", "grad", "back") or (name == "step" and layer[0] not in summed):
            for i in (layer[0] - 1, layer[0]):
                if i >= 0:
                    users[i].add(number)
    return [len(numbers) == 1 and min(numbers) > 0 for numbers in users]


def by_name(phases):
    """Two sets of operations, each a name and a layer: "rows", those by rows, and "team", those that threads share."""
    sets = {"rows": set(), "team": set()}
    for number, *operation in _operations(phases):
        sets["rows" if number > 0 else "team"].add(tuple(operation))
    return sets


def _operations(phases):
    """The operations of all phases, each with the number of its phase, which is negative where threads share it."""
    for number, phase in enumerate(phases, 1):
        for name, *arguments in phase:
            if name == "rows":
                yield from ((number, *operation) for operation in arguments[0])
            else:
                yield -number, name, *arguments


def _steps(learns, first, end):
    """The steps of those of layers first ... end - 1 that learn, from the last layer down."""
    return [("step", i) for i in range(end - 1, first - 1, -1) if learns[i]]


def show(phases):
    """Print the phases, if the environment has FASTNN_SHOW_SCHEDULE=1."""
    if os.environ.get("FASTNN_SHOW_SCHEDULE") == "1":
        print(f"fastnn: the phases of a step\n{text(phases)}", file=sys.stderr)


def text(phases):
    """The phases as text, a line for each."""
    return "\n".join(f"{i:3}  {', '.join(map(_operation_text, phase))}" for i, phase in enumerate(phases, 1))


def _operation_text(operation):
    name, *arguments = operation
    if name == "rows":
        return f"rows ({', '.join(map(_operation_text, *arguments))})"
    return " ".join(map(str, operation))
