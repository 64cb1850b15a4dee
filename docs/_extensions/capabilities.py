"""Writes the table of which estimator takes what, by trying it: each cell is what a small fit did.

To add a row, add a function to TRIALS: it gets a function that makes the estimator for X of a kind, and fails by an
error of `REFUSALS` where the estimator cannot do this.
"""

import re
import warnings
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from sklearn.base import is_classifier

import fastnn
from fastnn.layers import GRU, Conv2D, Dense

ESTIMATORS = [name for name in fastnn.__all__ if hasattr(getattr(fastnn, name), "fit")]
REFUSALS = TypeError, ValueError, AttributeError
N_SAMPLES = 12
rng = np.random.default_rng(0)
TABLE = rng.normal(size=(N_SAMPLES, 6)).astype(np.float32)
IMAGES = rng.normal(size=(N_SAMPLES, 5, 5, 2))
SEQUENCES = [rng.normal(size=(n_steps, 2)) for n_steps in rng.integers(3, 9, N_SAMPLES)]
LABELS = np.array(["a", "b", "c"] * (N_SAMPLES // 3))
LAYERS = {
    "table": [Dense(3)],
    "images": [Conv2D(2, 3)],
    "sequences": [GRU(3)],
    "steps": [GRU(3, return_sequences=True)],
}


def made(name, kind="table", **parameters):
    """A small estimator of this name for X of this kind."""
    cls = getattr(fastnn, name)
    known = cls._get_param_names()
    if "modules" in known:
        network = f"Sequential{name.removeprefix('Modular')}"
        modules = [(which, made(network, kind, **parameters), slice(None)) for which in ("first", "second")]
        return cls(modules)
    if "layers" in known:
        parameters["layers"] = LAYERS[kind]
    elif "hidden_layer_sizes" in known:
        parameters["hidden_layer_sizes"] = (3,)
    return cls(max_iter=2, random_state=0, **parameters)


def targets(model):
    """A target of each sample."""
    return LABELS if is_classifier(model) else TABLE[:, 0]


def fitted(name, X=TABLE, kind="table", y=None, parameters=(), **arguments):
    """A small estimator that has been fitted to X, and has predicted it."""
    model = made(name, kind, **dict(parameters))
    model.fit(X, targets(model) if y is None else y, **arguments)
    model.predict(X)
    return model


def steps(name):
    """Targets for each step."""
    classifier = name.endswith("Classifier") or name == "Perceptron"
    y = [np.where(each[:, 0] > 0, "up", "down") if classifier else each[:, 0] for each in SEQUENCES]
    return fitted(name, SEQUENCES, "steps", y)


def with_combiner(model):
    """A modular classifier with a network that combines: only then may y have several columns."""
    if is_classifier(model) and "combine" in model.get_params(deep=False):
        model.set_params(combine=made("MLPClassifier"), cv=2)
    return model


def several_targets(name):
    """Columns of classes, or of numbers."""
    model = with_combiner(made(name))
    columns = np.column_stack([LABELS, LABELS[::-1]]) if is_classifier(model) else TABLE[:, :2]
    assert model.fit(TABLE, columns).predict(TABLE).shape == (N_SAMPLES, 2)


def multilabel(name):
    """An indicator matrix; of a regressor it would be numbers."""
    model = with_combiner(made(name))
    if not is_classifier(model):
        raise TypeError("a regressor has no labels")
    labels = (TABLE[:, :3] > 0).astype(int)
    assert model.fit(TABLE, labels).predict(TABLE).shape == labels.shape


def partial_fit(name):
    """One more epoch, for a model that is not fitted."""
    model = made(name)
    classes = {"classes": np.unique(LABELS)} if is_classifier(model) else {}
    model.partial_fit(TABLE, targets(model), **classes)


def fit_stream(name):
    """Samples that come in chunks."""
    model, half = made(name), N_SAMPLES // 2
    y = targets(model)
    model.fit_stream([(TABLE[:half], y[:half]), (TABLE[half:], y[half:])]).predict(TABLE)


def saved(name):
    """A file of `fastnn.save`."""
    with TemporaryDirectory() as folder:
        path = str(Path(folder, "model.safetensors"))
        fastnn.save(fitted(name), path)
        fastnn.load(path).predict(TABLE)


def exported(name):
    """A model of ONNX."""
    fastnn.export.to_onnx(fitted(name))


def clustered(name):
    """A fit on a cluster of threads."""
    import dask.array as da
    from distributed import Client

    model = made(name)
    X, y = (da.from_array(each, chunks=(4, *each.shape[1:])) for each in (TABLE, targets(model)))
    cls = fastnn.dask.DaskClassifier if is_classifier(model) else fastnn.dask.DaskRegressor
    with Client(processes=False, dashboard_address=":0", set_as_default=False, silence_logs=50) as client:
        cls(model, client=client).fit(X, y)


TRIALS = {
    "X: an array, (samples, features)": fitted,
    "X: a data frame": lambda name: fitted(name, pd.DataFrame(TABLE)),
    "X: a sparse matrix": lambda name: fitted(name, csr_array(TABLE)),
    "X: images, (samples, height, width, channels)": lambda name: fitted(name, IMAGES, "images"),
    "X: ragged, a list of sequences of any length": lambda name: fitted(name, SEQUENCES, "sequences"),
    "y: a target for each step of a sequence": steps,
    "y: several columns": several_targets,
    "y: multilabel": multilabel,
    "`sample_weight`": lambda name: fitted(name, sample_weight=np.ones(N_SAMPLES)),
    "`class_weight`": lambda name: fitted(name, parameters={"class_weight": "balanced"}),
    "`X_val` and `y_val` in `fit`": lambda name: fitted(name, X_val=TABLE, y_val=targets(made(name))),
    "`early_stopping`": lambda name: fitted(
        name, np.vstack([TABLE] * 3), y=np.concatenate([targets(made(name))] * 3), parameters={"early_stopping": True}
    ),
    "`warm_start`": lambda name: fitted(name, parameters={"warm_start": True}),
    "`partial_fit`": partial_fit,
    "`fit_stream`: X in chunks": fit_stream,
    "`predict_proba`": lambda name: fitted(name).predict_proba(TABLE),
    "`decision_function`": lambda name: fitted(name).decision_function(TABLE),
    "`callback`": lambda name: fitted(name, parameters={"callback": lambda model: False}),
    "`n_threads` or `n_jobs`": lambda name: made(name).set_params(
        **{"n_jobs" if name == "Perceptron" else "n_threads": 1}
    ),
    "`hidden_activations`": lambda name: fitted(name).hidden_activations(TABLE),
    "`to_sklearn`": lambda name: fitted(name).to_sklearn(),
    "files: `save`, `load`": saved,
    "ONNX: `to_onnx`": exported,
    "a cluster: `fastnn.dask`": clustered,
}
NEEDED = {exported: "onnx", clustered: "distributed"}


def tried(trial, name):
    """Whether an estimator does what a trial asks for."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial(name)
    except REFUSALS:
        return False
    return True


def capabilities():
    """For each row of the table, which estimators can do it."""
    trials = {what: trial for what, trial in TRIALS.items() if find_spec(NEEDED.get(trial, "fastnn"))}
    return {what: [tried(trial, name) for name in ESTIMATORS] for what, trial in trials.items()}


def written(table):
    """The table in Markdown, with narrow cells, so that all columns are seen at once."""
    heads = [f"[{re.sub(r'(?=Classifier|Regressor)', ' ', name)}](api/fastnn.{name}.rst)" for name in ESTIMATORS]
    lines = ["| | " + " | ".join(heads) + " |", "| --- |" + " :-: |" * len(heads)]
    lines += [f"| {what} | " + " | ".join("yes" if can else "—" for can in row) + " |" for what, row in table.items()]
    return "\n".join(["```{table}", ":class: table-sm", "", *lines, "```"]) + "\n"


def write(app, config):
    """Write the table where the page includes it from."""
    folder = Path(app.srcdir, "_generated")
    folder.mkdir(exist_ok=True)
    (folder / "capabilities.md").write_text(written(capabilities()), encoding="utf-8")


def setup(app):
    app.connect("config-inited", write)
    return {"parallel_read_safe": True}
