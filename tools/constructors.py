"""The constructors that follow from the fields of data classes, written out for editors and type checkers."""

import ast
import inspect
import sys
from functools import partial
from pathlib import Path


def classes_in(text):
    """The classes of a module, as trees."""
    return [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]


def decorators(node):
    """The names of the decorators of a class or a function."""
    calls = (each.func if isinstance(each, ast.Call) else each for each in node.decorator_list)
    return [each.id for each in calls if isinstance(each, ast.Name)]


def fields_of(cls):
    """The annotation and the default of each field of a class, as the source has them, by its name."""
    found = {}
    for base in reversed(cls.__mro__):
        if not base.__module__.startswith("fastnn."):
            continue
        text = Path(sys.modules[base.__module__].__file__).read_text(encoding="utf-8")
        segment = partial(ast.get_source_segment, text)
        node = next(node for node in classes_in(text) if node.name == base.__name__)
        for each in node.body:
            if isinstance(each, ast.AnnAssign):
                default = each.value and segment(each.value)
                found[each.target.id] = segment(each.annotation), default
            elif isinstance(each, ast.FunctionDef) and each.name == "__init__":
                for part, default in zip(each.args.kwonlyargs, each.args.kw_defaults, strict=True):
                    found[part.arg] = segment(part.annotation), segment(default)
                for part in each.args.args[1:]:
                    found[part.arg] = segment(part.annotation), None
    return found


def constructor_of(cls):
    """The lines of a class's constructor, as a part of its body."""
    fields, lines, has_star = fields_of(cls), [], False
    for parameter in inspect.signature(cls).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not has_star:
            lines.append("*")
            has_star = True
        annotation, default = fields[parameter.name]
        lines.append(f"{parameter.name}: {annotation}" + (f" = {default}" if default else ""))
    return [
        "    if TYPE_CHECKING:  # written by tools/shared_source.py",
        "",
        "        def __init__(",
        "            self,",
        *(f"            {line}," for line in lines),
        "        ) -> None: ...",
    ]


def with_constructors(module, text):
    """The text of a module whose classes have the constructors that follow from their fields."""
    lines = text.splitlines()
    for node in reversed(classes_in(text)):
        written = [each for each in node.body if isinstance(each, ast.If)]
        if not written and "with_constructor" not in decorators(node):
            continue
        constructor = constructor_of(getattr(module, node.name))
        if written:
            lines[written[0].lineno - 1 : written[0].end_lineno] = constructor
        else:
            fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
            end = max(each.end_lineno for each in fields if not ast.unparse(each.annotation).startswith("ClassVar"))
            lines[end:end] = ["", *constructor]
    return "\n".join(lines) + "\n"
