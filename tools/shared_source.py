"""Writes what several places of the source share into each of them; with --check, says where it is not the same.

Readers, editors and type checkers see the source alone, and everything should be there for them: the constructors that
follow from the fields of data classes (`constructors.py`), and what several docstrings say (`shared_docstrings.py`).
Run `python tools/shared_source.py` after a change of these fields, or of the texts in `tools/docstrings/`.
"""

import argparse
import importlib
import sys
from collections import Counter
from pathlib import Path

from constructors import with_constructors
from shared_docstrings import parts_in, with_docstrings

SOURCE = Path(__file__).parents[1] / "src"


def written_anew(path, text, parts):
    """The text of a module with what it shares with others, and the names of the parts of docstrings that it has."""
    if "@with_constructor" in text or "    if TYPE_CHECKING:  # written by" in text:
        module = importlib.import_module(".".join(path.relative_to(SOURCE).with_suffix("").parts))
        text = with_constructors(module, text)
    return with_docstrings(text, parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, and fail where something would be written")
    check = parser.parse_args().check
    parts, n_uses, messages, has_failed = parts_in(), Counter(), [], check
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        try:
            written, names = written_anew(path, text, parts)
        except ValueError as error:
            messages.append(f"{path.relative_to(SOURCE.parent)}:{error}")
            has_failed = True
            continue
        n_uses.update(names)
        if written != text:
            what = "must be written anew by tools/shared_source.py" if check else "written"
            messages.append(f"{path.relative_to(SOURCE.parent)}: {what}")
            if not check:
                path.write_text(written, encoding="utf-8")
    print("\n".join(messages), end="\n" if messages else "")
    sys.exit(bool(messages) and has_failed)


if __name__ == "__main__":
    main()
