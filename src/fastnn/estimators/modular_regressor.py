"""The regressor that independent modules make together."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sklearn.base import RegressorMixin
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from fastnn.estimators.combining import mean
from fastnn.estimators.constraints import StrOptions
from fastnn.estimators.docstrings import documented
from fastnn.estimators.modular import BaseModular
from fastnn.estimators.module_parameters import well_formed
from fastnn.estimators.suggestions import with_advice
from fastnn.training.transaction import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal

    import numpy as np
    from numpy.typing import ArrayLike, NDArray


@with_advice
@documented
class ModularRegressor(RegressorMixin, BaseModular):
    """Regressor of independent modules, trained side by side, whose outputs are combined.

    <modular networks>

    Parameters
    ----------
    <modules>
    combine : "mean" or regressor, default="mean"
        How the answer follows from the modules' outputs. "mean": it is the mean of their predictions. A regressor is
        trained on the modules' outputs for samples that their fits held out, as in scikit-learn's `StackingRegressor`.
        It must be a regressor if there are `targets`.
    <parameters of modular networks>

    Attributes
    ----------
    <attributes of modular networks>

    See Also
    --------
    sklearn.ensemble.VotingRegressor : Modules that all read all of X.
    sklearn.ensemble.StackingRegressor : The same, with a regressor trained on their outputs.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import RidgeCV
    >>> from fastnn import MLPRegressor, ModularRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> network = MLPRegressor(hidden_layer_sizes=(16,), solver="lbfgs", alpha=100, max_iter=2000, random_state=0)
    >>> modules = [("person", network, ["age", "sex", "bmi", "bp"]), ("blood", network, slice("s1", "s6"))]
    >>> model = ModularRegressor(modules, combine=RidgeCV()).fit(X, y)
    >>> model.score(X, y) > 0.4
    True
    >>> len(model.combined_scores_)  # one for each fold
    5
    """

    if TYPE_CHECKING:  # written by tools/shared_source.py

        def __init__(
            self,
            modules: Sequence[tuple[str, Any, Any]],
            *,
            targets: Mapping[str, int | str | Callable[[Any], Any]] | None = None,
            combine: Any = "mean",
            weights: ArrayLike | None = None,
            cv: Any = 5,
            passthrough: bool = False,
            on_error: Literal["raise", "skip"] = "raise",
            n_threads: int | None = None,
        ) -> None: ...

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseModular._parameter_constraints,
        "combine": [StrOptions(["mean"]), *BaseModular._parameter_constraints["combine"]],
    }
    _y_checks: ClassVar[dict[str, Any]] = {"y_numeric": True}

    @documented
    def predict(self, X: Any) -> NDArray[np.floating[Any]]:
        """The number, or the numbers, for each sample.

        Parameters
        ----------
        <X of modules>

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_columns)
            In the type that the modules, or the regressor `combine`, predict in.
        """
        check_is_fitted(self)
        fitted = snapshot(self)
        if isinstance(fitted._combination, str):
            return mean(fitted._outputs(fitted._read_X(X, reset=False)), fitted._weights)
        return fitted._combination.predict(fitted._columns(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        of_modules = [get_tags(estimator).target_tags for _, estimator, _ in well_formed(self.modules)]
        tags.target_tags.multi_output = all(each.multi_output for each in of_modules)
        return tags
