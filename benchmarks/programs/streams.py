"""One epoch over a folder of Parquet files: by `fit_stream`, by `partial_fit` in a loop, and of rows in memory.

    python benchmarks/programs/streams.py --gigabytes 1

Each way runs in a process of its own, which prints the rows per second and the resident memory beside what the process
had after its imports. The folder is made first, of random float32 columns, and kept with --folder.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np

N_COLUMNS, ROWS_IN_A_GROUP, GROUPS_IN_A_FILE = 100, 65_536, 4
WAYS = ("disk", "stream", "loop", "memory")


def make(folder, n_rows):
    """Write files of row groups; the classes follow from two of the columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng, rows_in_a_file = np.random.default_rng(0), ROWS_IN_A_GROUP * GROUPS_IN_A_FILE
    folder.mkdir(parents=True, exist_ok=True)
    for i, start in enumerate(range(0, n_rows, rows_in_a_file)):
        size = min(rows_in_a_file, n_rows - start)
        columns = rng.standard_normal((N_COLUMNS, size), dtype=np.float32)
        table = pa.table({f"c{j:02}": column for j, column in enumerate(columns)})
        table = table.append_column("y", pa.array((columns[0] > columns[1]).astype(np.int8)))
        pq.write_table(table, folder / f"part-{i:05}.parquet", row_group_size=ROWS_IN_A_GROUP, use_dictionary=False)


def resident():
    """The resident memory in MB: anonymous, and of files, whose pages the system can take back."""
    pairs = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return np.array([int(pairs[name].split()[0]) / 1024 for name in ("RssAnon", "RssFile")])


class Watch(threading.Thread):
    """Notes the most resident memory."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most, self.ends = resident(), threading.Event()

    def run(self):
        while not self.ends.wait(0.02):
            self.most = np.maximum(self.most, resident())


def model(hidden):
    from fastnn import MLPClassifier

    return MLPClassifier(hidden, batch_size=256, max_iter=1, random_state=0)


def measure(way, folder, hidden, most_rows):
    """Run one way; returns what came of it."""
    import pyarrow.dataset  # noqa: F401

    from fastnn.streams import parquet

    warnings.simplefilter("ignore")
    net = model(hidden).fit(np.zeros((300, N_COLUMNS), np.float32), np.arange(300) % 2)  # imports, threads
    net = model(hidden)
    chunks = parquet(folder, y="y")
    n_rows, before = chunks.n_samples, resident()
    X = y = None
    if way == "memory":
        n_rows = min(n_rows, most_rows)
        X, y = np.empty((n_rows, N_COLUMNS), np.float32), np.empty(n_rows, np.int8)
        start = 0
        for part, labels in chunks:
            size = min(len(part), n_rows - start)
            X[start : start + size], y[start : start + size] = part[:size], labels[:size]
            start += size
            if start == n_rows:
                break
    watch = Watch()
    watch.start()
    start = time.perf_counter()
    if way == "disk":
        for _ in chunks:
            pass
    elif way == "stream":
        net.fit_stream(chunks, classes=[0, 1], epochs=1)
    elif way == "loop":
        for part, labels in chunks:
            net.partial_fit(part, labels, classes=[0, 1])
    else:
        net.fit(X, y)
    seconds = time.perf_counter() - start
    watch.ends.set()
    watch.join()
    anonymous, of_files = watch.most - before
    return {"rows": n_rows, "seconds": seconds, "anonymous": anonymous, "of_files": of_files}


def report(results, folder):
    n_bytes = sum(path.stat().st_size for path in folder.glob("*.parquet"))
    print(f"{'way':8} {'rows':>11} {'seconds':>8} {'rows/s':>10} {'MB':>7} {'MB of files':>12}")
    speed = {}
    for way, result in results.items():
        speed[way] = result["rows"] / result["seconds"]
        print(
            f"{way:8} {result['rows']:11,} {result['seconds']:8.2f} {speed[way]:10,.0f} {result['anonymous']:7.0f} "
            f"{result['of_files']:12.0f}"
        )
    print(f"files are read and decoded at {n_bytes / results['disk']['seconds'] / 1e6:,.0f} MB/s (of the page cache)")
    for other, name in (("memory", "fit in memory"), ("loop", "partial_fit in a loop")):
        print(f"fit_stream runs at {speed['stream'] / speed[other]:.2f} times the speed of {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=5.0, help="the size of all rows as float32")
    parser.add_argument("--folder", type=Path, help="where the files are, or are to be made and kept")
    parser.add_argument("--hidden", type=int, nargs="*", default=[256, 128], help="the sizes of hidden layers")
    parser.add_argument("--most-rows", type=int, default=2_500_000, help="the most rows to have in memory")
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=WAYS)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)  # what a child is to do
    given = parser.parse_args()
    if given.way:
        print(json.dumps(measure(given.way, given.folder, tuple(given.hidden), given.most_rows)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        if not any(folder.glob("*.parquet")):
            make(folder, int(given.gigabytes * 1e9 / 4 / N_COLUMNS))
        results = {}
        for way in given.ways:
            settings = ["--folder", str(folder), "--most-rows", str(given.most_rows), "--hidden"]
            command = [sys.executable, __file__, "--way", way, *settings, *map(str, given.hidden)]
            child = subprocess.run(command, env=os.environ, check=True, capture_output=True, text=True)
            results[way] = json.loads(child.stdout)
            print(way, json.dumps(results[way]), file=sys.stderr)
        if set(given.ways) == set(WAYS):
            report(results, folder)


if __name__ == "__main__":
    main()
