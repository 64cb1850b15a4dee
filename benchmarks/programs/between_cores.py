"""How long a line of memory takes from one core to the other, again and again: python between_cores.py [seconds].

Where it takes 50 ns, two threads train a small network in two thirds of the time that one takes; where 250, one is
faster.
"""

import ctypes
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1]))
from measuring import compiled

TIMES = 100_000


def main(seconds=10.0):
    library = compiled("between_cores.c")
    if library is None:
        sys.exit("needs a C compiler with OpenMP")
    library.there_and_back.restype, library.there_and_back.argtypes = ctypes.c_double, [ctypes.c_long]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        print(f"{library.there_and_back(TIMES) / 2 * 1e9:.0f} ns", flush=True)
        time.sleep(1)


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
