"""fastnn and PyTorch in one process, each with an OpenMP library of its own, whichever is imported first."""

import importlib.util
import subprocess
import sys

import pytest

if importlib.util.find_spec("torch") is None:
    pytest.skip("needs PyTorch", allow_module_level=True)

# Every thread of both libraries works before the other's do, and again after.
FIT_IN_BOTH = """
import numpy as np

rng = np.random.default_rng(0)
X = rng.normal(size=(2000, 50)).astype(np.float32)
y = (X[:, 0] > X[:, 1]).astype(int)


def fit_fastnn():
    model = fastnn.MLPClassifier((64, 64), max_iter=20, n_iter_no_change=20, random_state=0, n_threads=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y).score(X, y)


def fit_torch():
    torch.manual_seed(0)
    torch.set_num_threads(2)
    model = torch.nn.Sequential(torch.nn.Linear(50, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    inputs, labels = torch.from_numpy(X), torch.from_numpy(y)
    for _ in range(100):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    return (model(inputs).argmax(1) == labels).float().mean().item()


scores = [fit_fastnn(), fit_torch(), fit_fastnn(), fit_torch()]
assert min(scores) > 0.95, scores
assert scores[:2] == scores[2:], scores
"""


@pytest.mark.parametrize("imports", ["import fastnn, torch", "import torch, fastnn"])
def test_both_fit(imports):
    code = f"import warnings\n{imports}\nfrom sklearn.exceptions import ConvergenceWarning\n{FIT_IN_BOTH}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
