"""Writes what several places of the source share into each of them; with --check, says where it is not the same.

Readers, editors and type checkers see the source alone, and everything should be there for them: the constructors that
follow from the fields of data classes. Run `python tools/shared_source.py` after a change of one of these.
"""

import argparse
import importlib
import sys
from pathlib import Path

from constructors import with_constructors

SOURCE = Path(__file__).parents[1] / "src"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, and fail where something would be written")
    check = parser.parse_args().check
    others = []
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "@with_constructor" not in text and "    if TYPE_CHECKING:  # written by" not in text:
            continue
        module = importlib.import_module(".".join(path.relative_to(SOURCE).with_suffix("").parts))
        written = with_constructors(module, text)
        if written != text:
            others.append(path.relative_to(SOURCE.parent))
            if not check:
                path.write_text(written, encoding="utf-8")
    for path in others:
        print(f"{path}: {'must be written anew by tools/shared_source.py' if check else 'written'}")
    sys.exit(bool(others) and check)


if __name__ == "__main__":
    main()
