"""A network's layers as a table: what each makes of a sample, and how many numbers it has."""

import math
from html import escape

HEADS = "Layer", "Output Shape", "Param #"


def rows_of(chain, head):
    """A row for each layer that is not left out, and the totals.

    Parameters
    ----------
    chain : Chain
    head : str
        The activation of the output layer.

    Returns
    -------
    rows : list of (str, str, str)
    totals : dict of str to int
        The numbers of all parameters, of those that training changes, and of the others.
    """
    rows, total, trained = [], 0, 0
    for layer, shapes, name, output_shape in layers_of(chain, head):
        sizes = {name: math.prod(shape) for name, shape in shapes.items()}
        total += sum(sizes.values())
        if getattr(layer, "trainable", True):
            trained += sum(size for name, size in sizes.items() if name not in layer.state())
        rows.append((name, str(output_shape), f"{sum(sizes.values()):,}"))
    return rows, {"Total params": total, "Trainable params": trained, "Non-trainable params": total - trained}


def layers_of(chain, head):
    """The layers that are not left out: each with the shapes of its weights, its name, and the shape that it makes.

    Parameters
    ----------
    chain : Chain
    head : str
        The activation of the output layer.

    Yields
    ------
    layer : Layer
    weight_shapes : dict of str to tuple of int
    name : str
    output_shape : tuple of int
    """
    for i, (link, shapes) in enumerate(zip(chain.links, chain.weight_shapes(), strict=True)):
        if link.layer is not None:
            name = repr(link.layer) if i < len(chain.layers) else f"output, {head}"
            yield link.layer, shapes, name, link.output_shape


def as_text(rows, totals):
    """The table in lines of text."""
    widths = [max(map(len, column)) for column in zip(HEADS, *rows, strict=True)]
    rule = "-" * (sum(widths) + 4)
    lines = [
        f"{name:{widths[0]}}  {shape:{widths[1]}}  {count:>{widths[2]}}".rstrip()
        for name, shape, count in (HEADS, *rows)
    ]
    return "\n".join([lines[0], rule, *lines[1:], rule, *(f"{name}: {count:,}" for name, count in totals.items())])


def as_html(rows, totals):
    """The table for notebooks."""
    head = "".join(f"<th>{name}</th>" for name in HEADS)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    foot = ", ".join(f"{name}: {count:,}" for name, count in totals.items())
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{foot}</p>"
