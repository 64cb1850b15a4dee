"""The phases of a training step, as data: which operations each has, worked out from what the layers say of themselves.

A team of threads takes each batch through phases, with a barrier after each. Within a phase every thread does its share
of each operation, so nothing is locked and no sum is split. For dense layers 0 ... L - 1 the phases are

    forward 0, ...
    rows          the last of the forward products, the loss and its gradient, row by row
    back L - 1
    back l        and the step of l + 1, whose weights nobody needs any more
    the end       the steps that are left, and the next batch's rows gathered

Small layers are gone through in the phase of rows, forward and back: a small network has only this phase and the last.
Clipping by the gradient's norm needs all of that first: the steps then only leave the gradient, and two more phases
find its norm and step.
"""

# As many parameters of a network's last layers stay in a core's cache while it takes a few rows at a time through them,
# and their error back: threads then need not wait for each other between these layers.
BY_ROWS = 32_000


def first_by_rows(layers):
    """The first of the last layers that are small enough to be taken through by rows."""
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
        Whether the gradient is left whole, and its norm clipped before the step.

    Returns
    -------
    list of list of tuple
        Of each phase the operations: ``("forward", 0)`` and so on, by layer; ``("rows", operations)`` has those that
        every thread does for rows of its own.
    """
    n_layers, first = len(layers), first_by_rows(layers)
    learns = [any(shape.learnt for shape in layer.parameter_shapes()) for layer in layers]
    first_learnt = learns.index(True)  # below it nobody needs the error
    forward_rows = range(min(first, n_layers - 1), n_layers)  # the last layer's in any case: the loss is theirs
    back_rows = range(n_layers - 1, max(first, first_learnt + 1) - 1, -1)
    rows = [("forward", i) for i in forward_rows] + [("loss",)] + [("back", i) for i in back_rows]
    phases = [[("forward", i)] for i in range(forward_rows.start)] + [[("rows", rows)]]
    phases[0].insert(0, ("begin",))
    end = n_layers  # of the layers that have not made their step
    for i in range(n_layers - 1 - len(back_rows), first_learnt, -1):
        phases.append([("back", i), *_steps(learns, i + 1, end)])
        end = i + 1
    phases.append([*_steps(learns, 0, end), ("gather",)])
    phases[forward_rows.start + 1].insert(0, ("add losses",))
    if clipped:
        phases += [[("norm",)], [("clipped step",)]]
    return phases


def _steps(learns, first, end):
    """The steps of layers first ... end - 1, from the last one down."""
    return [("step", i) for i in range(end - 1, first - 1, -1) if learns[i]]


def text(phases):
    """The phases for people to read, a line each."""
    return "\n".join(f"{i:3}  {', '.join(map(_operation_text, phase))}" for i, phase in enumerate(phases, 1))


def _operation_text(operation):
    name, *arguments = operation
    if name == "rows":
        return f"rows ({', '.join(map(_operation_text, *arguments))})"
    return " ".join(map(str, operation))
