"""The regressor that independent modules make together."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sklearn.base import RegressorMixin
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from fastnn.estimators.combining import mean
from fastnn.estimators.constraints import StrOptions
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
class ModularRegressor(RegressorMixin, BaseModular):
    # From tools/docstrings: <modular networks>, <modules>, <parameters of modular networks>,
    # <attributes of modular networks>
    """Regressor of independent modules, trained side by side, whose outputs are combined.

    Modules know nothing of each other: each has columns of X and a target of its own, and only their outputs meet. So
    each is the same, bit for bit, as its estimator fitted alone, one can be fitted anew without the others, and a wrong
    one spoils little. docs/modular.md is the guide.

    Parameters
    ----------
    modules : list of (name, estimator, columns)
        The modules: any estimators, and the columns that each reads, which may overlap. Columns are what
        `ColumnTransformer` takes: an integer or a string, a list of such, a slice, a mask, or a function of X; one
        integer or string alone makes a vector. With ``slice(None)`` for all modules, X may also be images, or sequences
        of any length. "drop" in place of an estimator leaves the module out.
    targets : dict of str to int, str or callable, default=None
        What modules learn, by their names, in place of y: a column of y, by its number or name, or a function of y that
        returns an array.
    combine : "mean" or regressor, default="mean"
        How the answer follows from the modules' outputs. "mean": it is the mean of their predictions. A regressor is
        trained on the modules' outputs for samples that their fits held out, as in scikit-learn's `StackingRegressor`.
        It must be a regressor if there are `targets`.
    weights : array-like of shape (n_modules,), default=None
        What each module counts for in the mean, the product or the vote. None is 1 for each.
    cv : int, cross-validation generator or iterable, default=5
        The folds, as in `sklearn.model_selection.check_cv`, whose held-out parts a model that is `combine` is trained
        on.
    passthrough : bool, default=False
        Whether a model that is `combine` reads X, too.
    on_error : {"raise", "skip"}, default="raise"
        What to do where the fit of a module fails: raise its error, or warn and go on without it.
    n_threads : int, default=None
        The most threads to fit on. Whole modules go to threads while there are enough of these. None is what the
        environment allows. The model has the same bits for any number.

    Attributes
    ----------
    named_modules_ : Bunch
        The fitted estimators by the modules' names, also as attributes.
    combiner_ : estimator
        The fitted model that combines outputs, if `combine` is one.
    combined_scores_ : ndarray of shape (n_folds,)
        The score of such a model on the part of the samples that each fold holds out, trained on those of the others.
    n_features_in_ : int
        The number of columns of X. It is not there for images and sequences of several axes.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The names of the columns, if they are all strings.

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

    def predict(self, X: Any) -> NDArray[np.floating[Any]]:
        # From tools/docstrings: <X of modules>
        """The number, or the numbers, for each sample.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples. If all modules read all of it, any X that they take.

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
