"""What can be set on every network: names, defaults, and what is allowed.

Names and defaults that scikit-learn's estimators have too are theirs. What each means is said in the docstrings of
networks; where it is written once for all of them, see tools/shared_docstrings.py.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np

from fastnn._sklearn import Options
from fastnn.estimators.constraints import Interval, StrOptions
from fastnn.training.schedules import SCHEDULES
from fastnn.training.solvers import SOLVERS

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    from fastnn.typing import DType, RandomState, Schedule, Solver

C = TypeVar("C", bound=type)

# The activations that scikit-learn's networks may have.
SKLEARN_ACTIVATIONS = "identity", "logistic", "tanh", "relu"


def with_constructor(cls: C) -> C:
    """Make a class of estimators a data class. Its source shows the constructor that this makes.

    Editors and type checkers read the latter: they do not know all rules by which a constructor follows from fields.
    """
    return dataclass(eq=False, repr=False)(cls)


@dataclass(eq=False, repr=False)
class NetworkParameters:
    """The parameters themselves: a data class, so that each is named and has its default in one place."""

    _: KW_ONLY
    solver: Solver = "adam"
    alpha: float = 0.0001
    batch_size: int | Literal["auto"] = "auto"
    learning_rate: Schedule | Callable[[int], float] = "constant"
    learning_rate_init: float = 0.001
    power_t: float = 0.5
    warmup_fraction: float | None = None
    max_iter: int = 200
    shuffle: bool = True
    random_state: RandomState | None = None
    tol: float = 1e-4
    verbose: int = False
    warm_start: bool = False
    momentum: float = 0.9
    nesterovs_momentum: bool = True
    early_stopping: bool = False
    validation_fraction: float = 0.1
    scoring: str | Callable[..., float] | None = None
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    rho: float = 0.9
    weight_decay: float | None = None
    n_iter_no_change: float = 10
    max_fun: int = 15000
    clip_norm: float | None = None
    callback: Callable[[Any], object] | None = None
    dtype: DType | None = None
    n_threads: int | None = None

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "solver": [StrOptions(SOLVERS)],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions(["auto"]), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions(SCHEDULES), callable],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "warmup_fraction": [None, Interval(Real, 0, 1, closed="both")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "scoring": [None, str, callable],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "rho": [Interval(Real, 0, 1, closed="left")],
        "weight_decay": [None, Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "clip_norm": [None, Interval(Real, 0, None, closed="neither")],
        "callback": [None, callable],
        "dtype": [None, StrOptions(["float32", "float64"]), type, np.dtype],
        "n_threads": [None, Interval(Integral, 1, None, closed="left")],
    }

    def _compute_dtype(self, X, numbers=None):
        """The type to compute in, for samples and, in a regression, their targets."""
        dtype = np.result_type(X.dtype, np.float32) if self.dtype is None else np.dtype(self.dtype)
        if self.dtype is None and X.dtype != np.float32 and numbers is not None:
            dtype = np.result_type(dtype, numbers.dtype)
        if dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, got {dtype}")
        return dtype
