"""Make the table of kernels in C and its .pxd from kernels.h, which is the only list of kernels.

    python kernel_table.py kernels.h FOLDER

writes two files, and prints the names of all that it has read:

- FOLDER/kernels.def, a row KERNEL_ROW(type, name, (arguments)) for each function in the table, fastnn_kernels;
- FOLDER/fastnn/engine/kernels.pxd, all of kernels.h as Cython sees it.

It reads the subset of C that kernels.h is written in. At anything else it stops, and names the file and the line.
"""

import re
import sys
from pathlib import Path

TABLE = "fastnn_kernels"

# What stands in a header, in an enum, and in a struct.
SPACE = re.compile(r"\s+|#(?:ifndef|endif|include <\w+\.h>)[^\n]*|#define \w+\n")
INCLUDE = re.compile(r'#include "(\w+\.h)"')
LARGEST = re.compile(r"#define (\w+) (U?INT\d+)_MAX\n")  # which no enum can hold
ENUM = re.compile(r"enum(?: \w+)? {([^{}]*)};")
STRUCT = re.compile(r"typedef struct {([^{}]*)} (\w+);")
FUNCTION = re.compile(r"([\w\s]+[\s*])(\w+)\(([^()]*)\);")

ENUMERATOR = re.compile(r"(\w+)(?: = \w+)?,?")
ENUMERATORS = re.compile(r'#define (\w+)\(([\w, ]+)\) (\w*)##(\w+),\n\s*#include "(\w+\.def)"\n\s*#undef \1\n')

FIELDS = re.compile(r"((?:const |enum )?\w+)\s+([\w\s*,\[\]]+);")
KERNEL = re.compile(r"([\w\s]+[\s*])\(\*(\w+)\)\(([^()]*)\);")

ARGUMENT = re.compile(r"((?:const )?\w+ \*?)(\w+)")


files_read = []


class Source:
    """A file of C, or the part of one between two offsets."""

    def __init__(self, path):
        self.path = Path(path)
        files_read.append(self.path)
        # Comments become blanks, so that offsets stay the file's.
        self.text = re.sub(
            r"/\*.*?\*/", lambda found: re.sub(r"[^\n]", " ", found[0]), self.path.read_text(), flags=re.S
        )
        self.at, self.end = 0, len(self.text)

    def part(self, at, end):
        part = object.__new__(Source)
        part.path, part.text, part.at, part.end = self.path, self.text, at, end
        return part

    def beside(self, name):
        return Source(self.path.with_name(name))

    def read(self, *patterns):
        """Yield, for each declaration in turn, the pattern that it matches and the match."""
        while True:
            while blank := SPACE.match(self.text, self.at, self.end):
                self.at = blank.end()
            if self.at == self.end:
                return
            matches = ((pattern, pattern.match(self.text, self.at, self.end)) for pattern in patterns)
            pattern, match = next((found for found in matches if found[1]), (None, None))
            if pattern is None:
                self.fail()
            yield pattern, match
            self.at = match.end()

    def fail(self):
        n_before = self.text.count("\n", 0, self.at)
        line = self.text.splitlines()[n_before].strip()
        place = f"{self.path}:{n_before + 1}"
        raise SystemExit(f"{place}: a declaration must be one that kernel_table.py can read, got: {line}")


def one_line(text):
    return " ".join(text.split())


def argument_types(source, arguments):
    """The types without the names, since one name, `in`, is a keyword in Python."""
    matches = [ARGUMENT.fullmatch(one_line(argument)) for argument in arguments.split(",")]
    if not all(matches):
        source.fail()
    return ", ".join(match[1].strip() for match in matches)


def enumerators(source):
    """The names in an enum, and those that a macro makes of the rows of a .def file."""
    for pattern, match in source.read(ENUMERATORS, ENUMERATOR):
        if pattern is ENUMERATOR:
            yield match[1]
        else:
            macro, parameters, prefix, parameter, file = match.groups()
            column = parameters.split(", ").index(parameter)
            row = re.compile(rf"{macro}\((.*)\)\n")
            for _, its_row in source.beside(file).read(row):
                yield prefix + its_row[1].split(", ")[column]


def fields(source):
    """The lines of a struct in the .pxd."""
    for _, match in source.read(FIELDS):
        of_type = re.sub(r"enum \w+", "int", match[1])
        for name in match[2].split(","):
            yield f"{of_type} {name.strip()}"


def table(source, rows):
    """The lines of the table's struct in the .pxd. Each kernel is added to the rows."""
    for pattern, match in source.read(KERNEL, FIELDS):
        if pattern is KERNEL:
            result, name, arguments = match.groups()
            rows.append(f"KERNEL_ROW({result.strip()}, {name}, ({one_line(arguments)}))")
            yield f"{one_line(result)} (*{name})({argument_types(source, arguments)}) noexcept nogil"
        else:
            yield from fields(source.part(*match.span()))


def declarations(source, rows):
    """The lines of the .pxd's `cdef extern`. Each kernel is added to the rows."""
    for pattern, match in source.read(INCLUDE, LARGEST, ENUM, STRUCT, FUNCTION):
        if pattern is INCLUDE:
            yield from declarations(source.beside(match[1]), rows)
        elif pattern is LARGEST:
            yield f"const {match[2].lower()}_t {match[1]}"
        elif pattern is FUNCTION:
            yield f"{match[1].strip()} {match[2]}({argument_types(source, match[3])})"
        else:
            part = source.part(*match.span(1))
            lines = enumerators(part) if pattern is ENUM else table(part, rows) if match[2] == TABLE else fields(part)
            yield "enum:" if pattern is ENUM else f"ctypedef struct {match[2]}:"
            yield from (f"    {line}" for line in lines)


def write(path, text):
    """Write a file unless it has this text already, so that what is made of it is not made again."""
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def main(header, folder):
    rows = []
    extern = "".join(f"    {line}\n" for line in declarations(Source(header), rows))
    imports = "from libc.stddef cimport ptrdiff_t, size_t\nfrom libc.stdint cimport *\n"
    write(Path(folder, "kernels.def"), "\n".join(rows) + "\n")
    write(Path(folder, "fastnn/engine/kernels.pxd"), f'{imports}\n\ncdef extern from "kernels.h" nogil:\n{extern}')
    for package in ("fastnn", "fastnn/engine"):  # else Cython prefers a kernels.pxd that it finds in any package fastnn
        write(Path(folder, package, "__init__.pxd"), "")
    print(*(path.as_posix() for path in files_read), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
