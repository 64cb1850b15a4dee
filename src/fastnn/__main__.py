"""python -m fastnn: see cli/."""

import sys

from fastnn.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
