"""The parts that several docstrings have: written once in tools/docstrings/, and by this into each of the docstrings.

Whoever wants a part in a docstring writes its name there, on a line of its own: <sample_weight>. The part replaces that
line, and a comment above the docstring names it from then on. When the part is changed, it is found in the docstring

- by its titles of sections and the names of its entries. It reaches from the first to the last of them, and what stands
  between these is replaced, too;
- by its first words, if it has none of these: it is one paragraph, or the end of an entry's description.
"""

import ast
import re
import textwrap
from itertools import pairwise
from pathlib import Path

from fastnn.engine.activation import activation_names
from fastnn.training.schedules import SCHEDULES
from fastnn.training.solvers import SOLVERS

FOLDER = Path(__file__).with_name("docstrings")
SOURCE_OF_PARTS = "# From tools/docstrings: "  # begins the comment above a docstring
NAME = re.compile(r"<([\w ]+)>")
WIDTH = 120
N_FIRST_WORDS = 3  # by which a paragraph is found

# What the parts list from the code, in braces.
LISTS = {
    "{activations}": ", ".join(activation_names),
    "{schedules}": ", ".join(f'"{name}"' for name in SCHEDULES),
    "{solvers}": ", ".join(f'"{name}"' for name in SOLVERS),
}


def parts_in(folder=FOLDER):
    """The lines of each part, by its name: in the files, a part follows its name, which has a line of its own."""
    parts = {}
    for path in sorted(folder.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        for listed, names in LISTS.items():
            text = text.replace(listed, names)
        _, *texts = re.split(rf"^{NAME.pattern}$", text, flags=re.MULTILINE)
        for name, part in zip(texts[::2], texts[1::2], strict=True):
            if name in parts:
                raise ValueError(f"{path.name} has <{name}>, which is in another place already")
            parts[name] = part.strip("\n").split("\n")
    return parts


def sections_of(lines):
    """The title, the first line and the line after the last one of each section; the title is "" before the first."""
    titles = [i for i, line in enumerate(lines[1:]) if re.fullmatch("-{3,}", line) and len(line) == len(lines[i])]
    named = [(lines[start], start, end) for start, end in pairwise([*titles, len(lines)])]
    return [("", 0, titles[0] if titles else len(lines)), *named]


def entry_name(line):
    """The name of the entry that begins in a line, or None: `name : type`, `ValueError`, `.. [1] Author`."""
    if not line or line.startswith(" "):
        return None
    return line.split("]")[0] if line.startswith(".. [") else line.split(" :")[0]


def end_of(lines, start, is_beyond):
    """The line after the last one of what begins in a line: before the first that is beyond it, without blank lines."""
    end = next((i for i in range(start + 1, len(lines)) if is_beyond(lines[i])), len(lines))
    while not lines[end - 1]:
        end -= 1
    return end


def place_of_entries(part, lines, after):
    """Where a part is that has entries, or whole sections, or both in this order."""
    places = []
    for title, begin, end in sections_of(part):
        names = {entry_name(line) for line in part[begin:end]} - {None}
        for other, other_begin, other_end in sections_of(lines):
            found = [i for i in range(max(other_begin, after), other_end) if entry_name(lines[i]) in names]
            if found and title in ("", other):
                places.append((found[0], end_of(lines[:other_end], found[-1], entry_name)))
                break
    return (min(places)[0], max(places)[1]) if places else None


def indentation_of(line):
    """The number of spaces that a line begins with."""
    return len(line) - len(line.lstrip())


def is_paragraph(part):
    """Whether a part has no entries, whose descriptions are indented, and no sections."""
    return len(sections_of(part)) == len(set(map(indentation_of, part))) == 1 and not part[0].startswith(".. [")


def place_of_paragraph(part, lines, after):
    """Where a part is that is one paragraph, or the end of an entry."""
    first_words = re.match(rf" *(\S+\s*){{1,{N_FIRST_WORDS}}}", part[0])[0]
    indentation = indentation_of(part[0])
    for start in range(after, len(lines)):
        if lines[start].startswith(first_words):
            return start, end_of(lines, start, lambda line: not line[indentation:] or line[:indentation].strip())
    return None


def place_of(name, part, lines, after):
    """The first line of a part in a docstring, from some line on, and the line after its last one; None without it."""
    for i, line in enumerate(lines):
        if line == f"<{name}>":
            return i, i + 1
    return (place_of_paragraph if is_paragraph(part) else place_of_entries)(part, lines, after)


def wrapped(part, width):
    """The lines of a part, wrapped; no line ends within a formula or a shape."""
    lines, end = [], 0
    while end < len(part):
        first, indentation = part[end], indentation_of(part[end])
        end += 1
        if not indentation and not is_paragraph(part) and not first.startswith(".. ["):
            lines.append(first)  # the head of an entry, a title, an example
            continue
        text, hanging = first.strip(), " " * (indentation + len(re.match(r"(- |\.\. (?=\[))?", first.lstrip())[0]))
        while end < len(part) and re.match(hanging + r"(?!- )\S", part[end]):
            text += " " + part[end].strip()
            end += 1
        text = re.sub(r"``.*?``|\(\w+(, \w+)+\)", lambda match: match[0].replace(" ", "\0"), text)
        options = {"break_long_words": False, "break_on_hyphens": False}
        made = textwrap.wrap(text, width, initial_indent=" " * indentation, subsequent_indent=hanging, **options)
        lines += [line.replace("\0", " ") for line in made]
    return lines


def with_parts(lines, names, parts, width):
    """A docstring's lines with its parts as they are now, and the names of these in their order."""
    places, after = {}, 0
    for name in names:
        if name not in parts:
            raise ValueError(f"tools/docstrings lacks <{name}>")
        place = place_of(name, parts[name], lines, after)
        if place is None:
            raise ValueError(f"the docstring lacks <{name}>: write <{name}> where it should be, on a line of its own")
        places[name] = place
        after = place[1]
    for line in lines:
        if (match := NAME.fullmatch(line)) and match[1] not in places:
            if match[1] not in parts:
                raise ValueError(f"tools/docstrings lacks {line}")
            places[match[1]] = place_of(match[1], parts[match[1]], lines, 0)
    lines, names = list(lines), sorted(places, key=places.get)
    for name in reversed(names):
        start, end = places[name]
        lines[start:end] = wrapped(parts[name], width)
    return lines, names


def comment_on(names, indentation):
    """The lines of the comment that names the parts of a docstring; a line does not end within a name."""
    listed = ", ".join(f"<{name}>".replace(" ", "\0") for name in names)
    comment = textwrap.wrap(SOURCE_OF_PARTS + listed, WIDTH - len(indentation), subsequent_indent="# ")
    return [indentation + line.replace("\0", " ") for line in comment]


def docstrings_in(text):
    """The docstrings of all classes and functions of a module, as trees, the last one first."""
    defined = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, defined)]
    found = [node.body[0] for node in nodes if ast.get_docstring(node) is not None]
    return sorted(found, key=lambda node: -node.lineno)


def with_docstrings(text, parts):
    """The text of a module with the parts of its docstrings as they are now, and the names of all parts that it has."""
    lines, all_names = text.splitlines(), []
    for node in docstrings_in(text):
        first, last, indentation = node.lineno - 1, node.end_lineno - 1, " " * node.col_offset
        begin = first
        while lines[begin - 1].startswith(indentation + "# "):
            begin -= 1
        comment = " ".join(line.strip("# ") for line in lines[begin:first])
        names = NAME.findall(comment) if lines[begin].startswith(indentation + SOURCE_OF_PARTS) else []
        body = [line.removeprefix(indentation) for line in lines[first + 1 : last]]
        if not names and not any(map(NAME.fullmatch, body)):
            continue
        try:
            body, named = with_parts(body, names, parts, WIDTH - len(indentation))
        except ValueError as error:
            raise ValueError(f"{first + 1}: {error}") from None
        lines[first + 1 : last] = [line and indentation + line for line in body]
        lines[begin if names else first : first] = comment_on(named, indentation)
        all_names += named
    return "\n".join(lines) + "\n", all_names
