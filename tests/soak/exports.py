"""Random networks beside their exports to ONNX, thousands of them: python exports.py [first seed] [last seed].

A model that answers something else than its export is printed, with its seed.
"""

import sys
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from onnx_models import random_model
from onnx_runs import compare

from fastnn.export import to_onnx

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
OF_CELLS_WITH_SLOPE = 1e-8  # ONNX has the slope of LeakyRelu in cells in float32 only


def main(first=0, last=3000):
    warnings.simplefilter("ignore")
    worst, n_models, n_wrong = Counter(), Counter(), 0
    for seed in range(first, last):
        for dtype, tolerance in TOLERANCE.items():
            model, X = random_model(np.random.default_rng(seed), np.dtype(dtype))
            difference, n_labels, by_onnxruntime = compare(model, X, to_onnx(model))
            by = dtype, "onnxruntime" if by_onnxruntime else "onnx.reference"
            n_models[by] += 1
            if "leaky_relu" in str(getattr(model, "layers", "")):
                tolerance = max(tolerance, OF_CELLS_WITH_SLOPE)
            else:
                worst[by] = max(worst[by], difference)
            if difference > tolerance or n_labels:
                n_wrong += 1
                print(f"seed {seed}, {dtype}: {difference:.2g}, {n_labels} labels, {model}", flush=True)
    for by, n in n_models.items():
        print(f"{n} models in {by[0]} by {by[1]}: the largest difference is {worst[by]:.2g}")
    return n_wrong


if __name__ == "__main__":
    sys.exit(bool(main(*map(int, sys.argv[1:]))))
