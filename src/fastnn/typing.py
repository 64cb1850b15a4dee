"""Types of what users pass and get: names of activations, solvers and losses, samples, and sets of parameters.

They are for annotations of programs that use fastnn, as those of `numpy.typing` are. The names of each are those that
the engine and the estimators have: a test compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Activation",
    "Arrays",
    "CellActivation",
    "Chunk",
    "Chunks",
    "ClassWeight",
    "Classes",
    "ClassifierParameters",
    "DType",
    "Frame",
    "Initializer",
    "LayerActivation",
    "LayerWeights",
    "Loss",
    "MLPClassifierParameters",
    "MLPRegressorParameters",
    "NetworkParameters",
    "RandomState",
    "RegressorParameters",
    "SamplesLike",
    "Schedule",
    "SequentialClassifierParameters",
    "SequentialRegressorParameters",
    "Shape",
    "Solver",
    "SparseMatrix",
    "SupportsArray",
]

# -- names ------------------------------------------------------------------------------------------------------------

Activation: TypeAlias = Literal[
    "identity", "relu", "logistic", "tanh", "leaky_relu", "elu", "softplus", "exp", "gelu", "silu"
]
#: What an activation of a layer may be: also Keras's names.
LayerActivation: TypeAlias = Activation | Literal["linear", "sigmoid", "swish"] | None
#: What an activation of a recurrent layer may be.
CellActivation: TypeAlias = (
    Literal["identity", "relu", "logistic", "tanh", "leaky_relu", "elu", "softplus", "exp", "linear", "sigmoid"] | None
)
Solver: TypeAlias = Literal["sgd", "rmsprop", "adam", "adamw", "adagrad", "lbfgs"]
Schedule: TypeAlias = Literal["constant", "invscaling", "adaptive", "cosine", "one_cycle"]
Loss: TypeAlias = Literal["squared_error", "absolute_error", "huber", "quantile", "poisson"]
Initializer: TypeAlias = Literal[
    "glorot_uniform",
    "glorot_normal",
    "he_uniform",
    "he_normal",
    "lecun_uniform",
    "lecun_normal",
    "orthogonal",
    "zeros",
    "ones",
]

# -- numbers ----------------------------------------------------------------------------------------------------------


class SupportsArray(Protocol):
    """An array, or what becomes one, such as a frame of pandas or polars."""

    def __array__(self) -> NDArray[Any]: ...


class SparseMatrix(Protocol):
    """A matrix or an array of scipy.sparse."""

    def tocsr(self) -> Any: ...

    def toarray(self) -> NDArray[Any]: ...


class Frame(Protocol):
    """A frame of pandas or polars."""

    @property
    def columns(self) -> Any: ...

    def __len__(self) -> int: ...

    def __getitem__(self, key: Any, /) -> Any: ...


#: One object that has all samples.
Arrays: TypeAlias = SupportsArray | SparseMatrix
#: X: an array, a frame, a sparse matrix, lists of numbers, or a list with an array for each sequence.
SamplesLike: TypeAlias = Arrays | Sequence[ArrayLike]
#: X and y, and perhaps sample_weight: some of the samples that `fit_stream` trains on.
Chunk: TypeAlias = tuple[SamplesLike, SamplesLike] | tuple[SamplesLike, SamplesLike, ArrayLike | None]
#: What can be gone through again for each epoch, or a function that returns what goes through it once.
Chunks: TypeAlias = Iterable[Chunk] | Callable[[], Iterable[Chunk]]
Shape: TypeAlias = tuple[int | None, ...]
#: The labels of the outputs; for several columns of classes, a sequence of such.
Classes: TypeAlias = ArrayLike | Sequence[ArrayLike]
ClassWeight: TypeAlias = Mapping[Any, float] | Literal["balanced"]
RandomState: TypeAlias = int | np.random.RandomState
DType: TypeAlias = Literal["float32", "float64"] | type[np.float32 | np.float64] | np.dtype[np.float32 | np.float64]
#: The weights of each layer by their names, the output layer's last.
LayerWeights: TypeAlias = Sequence[Mapping[str, ArrayLike]]

# -- parameters -------------------------------------------------------------------------------------------------------


class NetworkParameters(TypedDict, total=False):
    """Parameters that every network has, as the keywords of a constructor."""

    solver: Solver
    alpha: float
    batch_size: int | Literal["auto"]
    learning_rate: Schedule | Callable[[int], float]
    learning_rate_init: float
    power_t: float
    warmup_fraction: float | None
    max_iter: int
    shuffle: bool
    random_state: RandomState | None
    tol: float
    verbose: int
    warm_start: bool
    momentum: float
    nesterovs_momentum: bool
    early_stopping: bool
    validation_fraction: float
    scoring: str | Callable[..., float] | None
    beta_1: float
    beta_2: float
    epsilon: float
    rho: float
    weight_decay: float | None
    n_iter_no_change: float
    max_fun: int
    clip_norm: float | None
    callback: Callable[[Any], object] | None
    dtype: DType | None
    n_threads: int | None


class ClassifierParameters(NetworkParameters, total=False):
    """Parameters that every network which predicts classes has."""

    class_weight: ClassWeight | Sequence[ClassWeight | None] | None
    label_smoothing: float


class RegressorParameters(NetworkParameters, total=False):
    """Parameters that every network which predicts numbers has."""

    loss: Loss
    quantile: float | Sequence[float]
    huber_delta: float
    output_activation: Activation | None


class MLPClassifierParameters(ClassifierParameters, total=False):
    """Parameters of `MLPClassifier`, besides those of its hidden layers."""

    dropout: float | Sequence[float]


class MLPRegressorParameters(RegressorParameters, total=False):
    """Parameters of `MLPRegressor`, besides those of its hidden layers."""

    dropout: float | Sequence[float]


class SequentialClassifierParameters(ClassifierParameters, total=False):
    """Parameters of `SequentialClassifier`, besides its layers and the shape of its samples."""

    truncate_steps: int | None


class SequentialRegressorParameters(RegressorParameters, total=False):
    """Parameters of `SequentialRegressor`, besides its layers and the shape of its samples."""

    truncate_steps: int | None
