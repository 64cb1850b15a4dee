"""Instructions of one training step and of one prediction, which do not depend on the machine's mood.

    python instructions.py            # compare with what is recorded; fails where more than 3 % are more
    python instructions.py --record   # record

Needs valgrind, and fastnn built with its symbols (pip install -C install.strip=false). valgrind knows no AVX-512, so it
is AVX2's kernels that are counted. Counts are recorded for a compiler; for another one there is nothing to compare.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

RECORD = Path(__file__).with_name("instructions.json")
TOLERANCE = 0.03

#: Sizes and batch size.
NETWORKS = {"784-512-256-10, 64": ((784, 512, 256, 10), 64), "64-100-10, 200": ((64, 100, 10), 200)}
#: The engine's functions that are counted: a step is what a segment of two batches takes beyond one of one.
FUNCTIONS = (
    "__pyx_f_6fastnn_6engine_7segment_run_segment",
    "__pyx_f_6fastnn_6engine_10prediction_forward_blocks",
)


def work():
    """What valgrind watches: for each network segments of one batch, one, and two, and two predictions.

    A count begins where the last one ended, so the first of each kind has counted what made it ready.
    """
    import numpy as np

    from fastnn.engine.loss import Loss
    from fastnn.engine.network import Network
    from fastnn.engine.optimizer import Optimizer
    from fastnn.engine.trainer import Trainer

    rng = np.random.default_rng(0)
    for sizes, batch_size in NETWORKS.values():
        layers = [("dense", units, "relu") for units in sizes[1:-1]] + [("dense", sizes[-1], "identity")]
        network = Network(layers, sizes[:1], "softmax", "float32")
        network.set_weights([rng.normal(0, shape[0] ** -0.5, shape) for shape in network.shapes])
        loss = Loss("softmax", "softmax", sizes[-1])
        trainer = Trainer(network, loss, Optimizer("adam", 0.001, 1e-4, 0.9, 0.999, 1e-8), batch_size, 1)
        X = rng.random((2 * batch_size, sizes[0]), np.float32)
        y = rng.integers(0, sizes[-1], 2 * batch_size, dtype=np.int32)
        orders = [np.arange(n * batch_size) for n in (1, 1, 2)]
        for order in orders:
            trainer.run(X, y, order)
        for _ in range(2):
            network.forward(X[:1], 1)


def count():
    """The instructions of each network's step and prediction."""
    watched = [f"--dump-after={name}" for name in FUNCTIONS]
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", *watched]
        command += [f"--callgrind-out-file={folder}/out", sys.executable, __file__, "--work"]
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)
        dumps = sorted(Path(folder).glob("out.*"), key=lambda path: int(path.suffix[1:]))
        texts = [text for text in map(Path.read_text, dumps) if "Trigger: --dump-after" in text]
        totals = [int(re.search(r"^totals: (\d+)", text, re.M)[1]) for text in texts]
    expected = 5 * len(NETWORKS)
    if len(totals) != expected:
        sys.exit(f"{len(totals)} of {expected} counts: was fastnn built with -C install.strip=false?")
    counts = {}
    for i, name in enumerate(NETWORKS):
        _, one, two, _, predict = totals[5 * i : 5 * i + 5]
        counts[name] = {"step": two - one, "predict": predict}
    return counts


def compare(counts, recorded):
    """Print both; return whether all is well."""
    well = True
    for name, each in counts.items():
        for what, n in each.items():
            before = recorded.get(name, {}).get(what)
            change = "" if before is None else f"{n / before - 1:+8.2%} from {before:,}"
            print(f"{name:24}{what:10}{n:14,}{change:>28}")
            well &= before is None or n <= (1 + TOLERANCE) * before
    return well


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="keep the counts for later comparisons")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work()
        return
    if not shutil.which("valgrind"):
        print("valgrind is not installed: instructions are not counted")
        return
    from fastnn.engine.threads import team

    records = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    counts = count()
    well = compare(counts, records.get(team.compiler, {}))
    if options.record:
        RECORD.write_text(json.dumps(records | {team.compiler: counts}, indent=2) + "\n")
    elif team.compiler not in records:
        print(f"nothing is recorded for {team.compiler}")
    elif not well:
        sys.exit(f"more than {TOLERANCE:.0%} more instructions than recorded: mend it, or record it and say why")


if __name__ == "__main__":
    main()
