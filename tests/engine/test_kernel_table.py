"""What the build makes of kernels.h, the only list of kernels; and its message where it cannot read a declaration."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "cmake" / "kernel_table.py"
pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the sources are not here")

HEADER = """\
/* A comment; with a semicolon. */
#ifndef KERNELS_H
#define KERNELS_H
#include <stdint.h>
#include "colours.h"
#define NOTHING UINT32_MAX

enum { MOST = 4 };
typedef struct {
    size_t rows, cols; /* one
    and another */
    const void *values;
    uint32_t *first, *last;
    enum colour colour;
    double pair[2];
} matrix;
typedef struct {
    const char *level;
    void (*copy)(const matrix *X, double factor,
                 void *in);
    int (*is_zero)(size_t n, const void *x);
} fastnn_kernels;
const fastnn_kernels *fastnn_select(const char *level, int is_double);
#endif
"""
COLOURS = """\
enum colour {
#define COLOUR(NAME, name) IS_##NAME,
#include "colours.def"
#undef COLOUR
    N_COLOURS
};
"""
ROWS = """\
KERNEL_ROW(void, copy, (const matrix *X, double factor, void *in))
KERNEL_ROW(int, is_zero, (size_t n, const void *x))
"""
PXD = """\
cdef extern from "kernels.h" nogil:
    enum:
        IS_RED
        IS_BLUE
        N_COLOURS
    const uint32_t NOTHING
    enum:
        MOST
    ctypedef struct matrix:
        size_t rows
        size_t cols
        const void *values
        uint32_t *first
        uint32_t *last
        int colour
        double pair[2]
    ctypedef struct fastnn_kernels:
        const char *level
        void (*copy)(const matrix *, double, void *) noexcept nogil
        int (*is_zero)(size_t, const void *) noexcept nogil
    const fastnn_kernels * fastnn_select(const char *, int)
"""


def made_of(header, folder):
    """The script's run on a header; what it writes is in folder/made."""
    (folder / "colours.def").write_text("/* NAME, name */\nCOLOUR(RED, red)\nCOLOUR(BLUE, blue)\n")
    (folder / "colours.h").write_text(COLOURS)
    (folder / "kernels.h").write_text(header)
    command = [sys.executable, str(SCRIPT), str(folder / "kernels.h"), str(folder / "made")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_rows_for_c_and_a_pxd_for_cython(tmp_path):
    done = made_of(HEADER, tmp_path)
    assert done.returncode == 0, done.stderr
    assert [Path(line).name for line in done.stdout.splitlines()] == ["kernels.h", "colours.h", "colours.def"]
    assert (tmp_path / "made/kernels.def").read_text() == ROWS
    assert (tmp_path / "made/fastnn/engine/kernels.pxd").read_text().endswith(f"\n\n{PXD}")


def test_what_would_be_the_same_is_not_written_again(tmp_path):
    """All that is made of it need then not be made again."""
    made_of(HEADER, tmp_path)
    before = [path.stat().st_mtime_ns for path in sorted((tmp_path / "made").rglob("*.*"))]
    assert made_of(HEADER.replace("A comment", "Another one"), tmp_path).returncode == 0
    assert [path.stat().st_mtime_ns for path in sorted((tmp_path / "made").rglob("*.*"))] == before


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("enum { MOST = 4 };", "union { int a; } u;", 8),
        ("enum { MOST = 4 };", "#define MOST 4\nint x;", 8),
        ("    double pair[2];", "    double (*f)(int n);", 15),
        ("    double pair[2];", "    unsigned : 3;", 15),
        ("    const char *level;", "    struct { int a; } level;", 17),
        ("(size_t n, const void *x)", "(size_t, const void *x)", 21),
        ("(size_t n, const void *x)", "(int (*f)(int))", 21),
        ("#endif\n", "static int x;\n", 24),
    ],
)
def test_what_it_cannot_read_is_named_by_file_and_line(tmp_path, old, new, line):
    assert HEADER.count(old) == 1
    done = made_of(HEADER.replace(old, new), tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{tmp_path / 'kernels.h'}:{line}: a declaration must be one that ")
    assert not (tmp_path / "made").exists()
