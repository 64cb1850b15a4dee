"""Every kind of layer in an estimator: training resumes to the bit, in memory and through a file."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import reference

import fastnn
from fastnn import MLPRegressor
from fastnn.engine.layers.registry import make_layers, weight_shapes
from fastnn.persistence import saving
from fastnn.persistence.networks import make_mlp, mlp_parts

EXAMPLES = [(kind, i) for kind, (_, examples) in reference.LAYERS.items() for i in range(len(examples))]


@dataclass(eq=False, repr=False)
class Chain(MLPRegressor):
    """A regressor of any layers."""

    example: Any = None

    _parameter_constraints: ClassVar[dict] = {**MLPRegressor._parameter_constraints, "example": [tuple]}

    def _chain_for(self, shape, n_outputs):
        input_shape, description = self.example
        shapes = weight_shapes(make_layers(description, input_shape))[0]

        def initial(rng, gain):
            """Vectors are positive: some are variances."""
            arrays = [rng.normal(0, shape[0] ** -0.5, shape) for shape in shapes]
            return [array if array.ndim > 1 else abs(array) for array in arrays]

        return SimpleNamespace(
            input_shape=input_shape,
            description=tuple(description),
            has_layers_of=lambda given: given == tuple(description),
            initial_weights=initial,
        )


@pytest.fixture(params=EXAMPLES, ids=lambda example: f"{example[0]} {example[1]}")
def example(request):
    kind, i = request.param
    return reference.LAYERS[kind][1][i]


@pytest.fixture
def data(example, rng):
    n_outputs = int(np.prod(make_layers(example[1], example[0])[-1].output_shape))
    return reference.random_samples(*example, rng, 60), rng.normal(size=(60, n_outputs))


def chain(example, **parameters):
    return Chain(example=example, batch_size=20, max_iter=3, warm_start=True, random_state=0, tol=0, **parameters)


def same(one, other, X):
    return (
        one._network.parameters.tobytes() == other._network.parameters.tobytes()
        and one._trainer.memories.tobytes() == other._trainer.memories.tobytes()
        and one.predict(X).tobytes() == other.predict(X).tobytes()
    )


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("parameters", [{}, {"clip_norm": 0.5}, {"early_stopping": True}], ids=str)
def test_training_resumes_through_a_file(example, parameters, data, tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "_models", lambda: {"Chain": (Chain, mlp_parts, make_mlp)})
    whole = chain(example, **parameters).set_params(max_iter=6).fit(*data)
    part = chain(example, **parameters).fit(*data)
    fastnn.save(part, tmp_path / "part")
    for model in (part, fastnn.load(tmp_path / "part")):
        assert model._network.description == whole._network.description
        assert same(model.set_params(max_iter=3).fit(*data), whole, data[0])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_threads_change_no_bit(example, data):
    alone, several = (chain(example, n_threads=n).set_params(max_iter=3).fit(*data) for n in (1, 3))
    assert same(alone, several, data[0])
