"""Python in processes and threads of their own, each with an end."""

import os
import subprocess
import sys
import threading

from fastnn.engine.threads.cores import unbound

PATIENCE = 60.0  # seconds after which a call counts as hanging, on a machine however busy


def run_python(code, *arguments, patience=PATIENCE, **environment):
    """What a program, given as text or as a Path, prints: of a fresh process in which warnings are errors."""
    foreign = ("OMP_", "GOMP_", "KMP_", "LOKY_", "FASTNN_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    program = ["-c", code] if isinstance(code, str) else [str(code)]
    command = [sys.executable, "-W", "error", *program, *map(str, arguments)]
    with unbound():  # a child begins with its parent's cores
        done = subprocess.run(
            command, env=env | environment, capture_output=True, text=True, timeout=patience, check=False
        )
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr}"
    return done.stdout


def in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive()
