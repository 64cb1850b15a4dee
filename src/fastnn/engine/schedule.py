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
"""

# The number of parameters that stay in a core's cache while it takes a few rows at a time through the last layers and
# back. Threads need not wait for each other between layers that have no more parameters together.
BY_ROWS = 32_000


def first_by_rows(layers):
    """The number of the first of the last layers that together are small enough to be taken by rows."""
    first, total = len(layers), 0
    while first > 0:
        cost = layers[first - 1].rows_cost()
        if cost is None or (total := total + cost) > BY_ROWS:
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
    forward_rows = range(min(first, n_layers - 1), n_layers)  # always the last layer: the loss is taken by rows
    back_rows = range(n_layers - 1, max(first, first_learnt + 1) - 1, -1)
    rows = [("forward", i) for i in forward_rows] + [("loss",)] + [("back", i) for i in back_rows]
    phases = [[("forward", i)] for i in range(forward_rows.start)] + [[("rows", rows)]]
    phases[0].insert(0, ("begin",))
    end = n_layers  # the layers from here on have made their step
    for i in range(n_layers - 1 - len(back_rows), first_learnt, -1):
        phases.append([("back", i), *_steps(learns, i + 1, end)])
        end = i + 1
    phases.append([*_steps(learns, 0, end), ("gather",)])
    phases[forward_rows.start + 1].insert(0, ("add losses",))
    if clipped:
        phases += [[("norm",)], [("clipped step",)]]
    return phases


def _steps(learns, first, end):
    """The steps of those of layers first ... end - 1 that learn, from the last layer down."""
    return [("step", i) for i in range(end - 1, first - 1, -1) if learns[i]]


def text(phases):
    """The phases as text, a line for each."""
    return "\n".join(f"{i:3}  {', '.join(map(_operation_text, phase))}" for i, phase in enumerate(phases, 1))


def _operation_text(operation):
    name, *arguments = operation
    if name == "rows":
        return f"rows ({', '.join(map(_operation_text, *arguments))})"
    return " ".join(map(str, operation))
