"""Modular networks: modules that know nothing of each other, and one answer from their outputs."""

from __future__ import annotations

from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from sklearn.base import MetaEstimatorMixin, is_classifier, is_regressor
from sklearn.utils import Bunch, get_tags
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from fastnn._sklearn import (
    HasMethods,
    _BaseComposition,
    _fit_context,
    nested_parameters,
    set_nested_parameters,
    visual_block,
)
from fastnn.data.quoted import quoted
from fastnn.estimators.combining import columns_of, n_columns
from fastnn.estimators.constraints import Interval, StrOptions
from fastnn.estimators.documentation import DocumentationLink
from fastnn.estimators.foreign_names import ForeignNames
from fastnn.estimators.modular_outputs import ModularOutputs
from fastnn.estimators.modular_routing import ModularRouting
from fastnn.estimators.module_fits import fit_combiner, fit_modules, folds_of
from fastnn.estimators.module_parameters import (
    check_combination,
    check_modules,
    checked_weights,
    read_modules,
    well_formed,
)
from fastnn.runtime.warnings import warn_user
from fastnn.training.transaction import SnapshotMixin, all_or_nothing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Literal, TypeVar

    from numpy.typing import ArrayLike, NDArray

    from fastnn.typing import SamplesLike

    # As typing.Self, which Jedi takes for the class that defines a method.
    Self = TypeVar("Self", bound="BaseModular")


class BaseModular(
    SnapshotMixin, ModularOutputs, ModularRouting, MetaEstimatorMixin, DocumentationLink, _BaseComposition, ForeignNames
):
    """What modular classifiers and regressors share."""

    named_modules_: Any  # a Bunch
    combiner_: Any
    combined_scores_: NDArray[np.floating[Any]]
    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "modules": [list, tuple],
        "targets": [None, dict],
        "combine": [HasMethods(["fit", "predict"])],
        "weights": [None, "array-like"],
        "cv": ["cv_object"],
        "passthrough": ["boolean"],
        "on_error": [StrOptions(["raise", "skip"])],
        "n_threads": [None, Interval(Integral, 1, None, closed="left")],
    }
    _y_checks: ClassVar[dict[str, Any]] = {}

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
    ) -> None:
        self.modules = modules
        self.targets = targets
        self.combine = combine
        self.weights = weights
        self.cv = cv
        self.passthrough = passthrough
        self.on_error = on_error
        self.n_threads = n_threads

    # -- modules as parameters ----------------------------------------------------------------------------------------

    @property
    def _named(self):
        """The modules as pairs (name, estimator), the form in which scikit-learn takes nested parameters."""
        try:
            return [(name, estimator) for name, estimator, _ in self.modules]
        except (TypeError, ValueError):  # fit refuses them
            return self.modules

    @_named.setter
    def _named(self, pairs):
        self.modules = [(*pair, *module[2:]) for pair, module in zip(pairs, self.modules, strict=True)]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by their names.

        Parameters
        ----------
        deep : bool, default=True
            Whether to add each module's estimator, by the module's name, and each of its parameters, as
            ``left__alpha``.

        Returns
        -------
        dict
        """
        return nested_parameters(self, "_named", deep)

    def set_params(self: Self, **parameters: Any) -> Self:
        """Set parameters.

        First `modules` is set, then whole estimators by ``left=MLPClassifier()``, where ``left="drop"`` leaves the
        module out, then parameters of estimators by ``left__alpha=0.1``.

        Parameters
        ----------
        **parameters
            The new values by their names.

        Returns
        -------
        self : BaseModular
            The estimator itself.
        """
        if "modules" in parameters:
            self.modules = parameters.pop("modules")
        set_nested_parameters(self, "_named", parameters)
        return self

    # -- training -----------------------------------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self: Self, X: Any, y: SamplesLike, **fit_params: Any) -> Self:
        # From tools/docstrings: <X of modules>, <y of modules>, <fit_params of modules>
        """Fit each module to its columns and its target, side by side, and then what combines them.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples. If all modules read all of it, any X that they take.
        y : array-like of shape (n_samples,) or (n_samples, n_columns)
            Targets. `targets` may name the columns of a frame.
        **fit_params
            `sample_weight`, which every module and a model that is `combine` then must take; with scikit-learn's
            metadata routing, whatever they ask for.

        Returns
        -------
        self : BaseModular
            The estimator itself, fitted.

        Raises
        ------
        ValueError, TypeError
            For parameters that do not fit each other, X or y: before anything is trained.
        Exception
            What the fit of a module raises, with a note that names the module. The estimator is then as it was before.

        Warns
        -----
        UserWarning
            With ``on_error="skip"``, for each module whose fit fails.
        """
        with all_or_nothing(self) as (draft, _):
            skipped = draft._fit(X, y, fit_params)
        for name, error in skipped.items():  # last: where a filter makes one an error, the estimator is fitted
            warn_user(f"The module {quoted(name)} failed to fit and is left out: {error}")
        return self

    def _fit(self, X, y, fit_params):
        """Fit a draft. Returns texts of the errors of modules that are left out, by the modules' names."""
        check_modules(self)
        self._reads_X = self.passthrough
        y, y_names = self._read_y(y, reset=True)
        X = self._read_X(X, reset=True)
        check_consistent_length(X, y)
        modules, targets = read_modules(self, X, y, y_names)
        check_combination(self, modules, y)
        self._set_classes(modules, y)
        for module, target in zip(modules, targets, strict=True):
            if not (target is y and is_classifier(self) and is_classifier(module.estimator)):  # else `_set_classes` has
                module.check_target(target)
        weights = checked_weights(self)
        parameters = self._routed(X, fit_params, modules, self.combine)
        folds = [] if isinstance(self.combine, str) else folds_of(self, X, y)
        fitted, outputs, errors = fit_modules(modules, X, targets, parameters, folds, self.n_threads)
        kept = [name for name in fitted if weights is None or weights[name]]
        ends_program = any(not isinstance(error, Exception) for error in errors.values())
        if errors and (self.on_error == "raise" or ends_program or not kept):  # nothing would be left to answer
            _raise_first(errors)
        skipped = {name: f"{type(error).__name__}: {error}" for name, error in errors.items()}
        errors.clear()  # their tracebacks have this frame: a cycle would keep X until Python looks for cycles
        self._set_modules(list(fitted.values()))
        self._weights = None if weights is None else np.array([weights[name] for name in fitted])
        self._combination = self.combine
        for name in ("combiner_", "combined_scores_"):  # of an earlier fit
            vars(self).pop(name, None)
        if folds:
            self._fit_combiner(X, y, outputs, parameters, folds)
        else:
            self._n_columns = [
                n_columns(module, target)
                for module, target in zip(modules, targets, strict=True)
                if module.name in fitted
            ]
        return skipped

    def refit(
        self: Self, name: str, X: Any, y: SamplesLike, *, refit_combiner: bool = False, **fit_params: Any
    ) -> Self:
        # From tools/docstrings: <X of modules>, <y of modules>, <fit_params of modules>
        """Fit one module anew, and leave the others as they are, with the same bits.

        Parameters
        ----------
        name : str
            The module's name in `named_modules_`. Its estimator is that of `modules`, whose parameters may have been
            set since.
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples. If all modules read all of it, any X that they take.
        y : array-like of shape (n_samples,) or (n_samples, n_columns)
            Targets. `targets` may name the columns of a frame.
        refit_combiner : bool, default=False
            Whether to fit the model that combines the outputs anew, too, to the outputs of all modules for these
            samples, cross-validated as in `fit`. False: it stays as it is.
        **fit_params
            `sample_weight`, which every module and a model that is `combine` then must take; with scikit-learn's
            metadata routing, whatever they ask for.

        Returns
        -------
        self : BaseModular
            The estimator itself.

        Raises
        ------
        ValueError
            For samples that do not fit those of `fit`, and classes that `fit` has not met.
        Exception
            What the fit of the module raises. The estimator is then as it was before.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastnn import MLPClassifier, ModularClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> network = MLPClassifier((8,), solver="lbfgs", max_iter=1000, random_state=0)
        >>> modules = [("sepals", network, slice(0, 2)), ("petals", network, slice(2, 4))]
        >>> model = ModularClassifier(modules).fit(X, y)
        >>> petals = model.named_modules_["petals"]
        >>> model.set_params(sepals__alpha=1.0).refit("sepals", X, y).named_modules_["petals"] is petals
        True
        """
        check_is_fitted(self)
        with all_or_nothing(self) as (draft, _):
            draft._refit(name, X, y, refit_combiner, fit_params)
        return self

    def _refit(self, name, X, y, refit_combiner, fit_params):
        check_modules(self)
        chosen = [module for module in self._modules if isinstance(name, str) and module.name == name]
        if not chosen:
            raise ValueError(f"name must be one of {', '.join(self.named_modules_)}, got {quoted(name)}")
        combine = next((each for each in (self._combination, self.combine) if isinstance(each, str)), self.combine)
        if not isinstance(refit_combiner, (bool, np.bool_)):
            raise ValueError(f"refit_combiner must be True or False, got {quoted(refit_combiner)}")
        if refit_combiner and isinstance(combine, str):
            raise ValueError(f"refit_combiner must be False with combine={combine!r}, got {refit_combiner}")
        X, y = self._read_X(X, reset=False), self._read_y(y, reset=False)[0]
        check_consistent_length(X, y)
        modules = self._with_current_estimators(self._modules if refit_combiner else chosen)
        targets = [module.target(y) for module in modules]
        for module, target in zip(modules, targets, strict=True):
            module.check_target(target)
            module.check_classes(target)
        if refit_combiner:
            self._check_all_classes(y)
        parameters = self._routed(X, fit_params, modules, combine if refit_combiner else None)
        folds = folds_of(self, X, y) if refit_combiner else []
        fitted, outputs, errors = fit_modules(modules, X, targets, parameters, folds, self.n_threads, only=name)
        if errors:
            _raise_first(errors)
        self._set_modules([fitted.get(module.name, module) for module in self._modules])
        if refit_combiner:
            self._fit_combiner(X, y, outputs, parameters, folds)

    def _with_current_estimators(self, modules):
        """Fitted modules with the estimators that `modules` has for them by now."""
        estimators = {name: estimator for name, estimator in self._named if not isinstance(estimator, str)}
        if lacking := [module.name for module in modules if module.name not in estimators]:
            raise ValueError(f"modules must have an estimator {quoted(lacking[0])} to fit, got {quoted(self.modules)}")
        current = [replace(module, estimator=estimators[module.name]) for module in modules]
        for module in current:
            kind, is_kind = ("regressor", is_regressor) if module.classes is None else ("classifier", is_classifier)
            if not is_kind(module.estimator) or not hasattr(module.estimator, module.method):
                raise ValueError(
                    f"the module {quoted(module.name)} must be a {kind} with {module.method}, as in `fit`, got "
                    f"{quoted(module.estimator)}"
                )
        return current

    def _set_modules(self, modules):
        self._modules = modules
        self.named_modules_ = Bunch(**{module.name: module.estimator for module in modules})

    def _fit_combiner(self, X, y, outputs, parameters, folds):
        columns = [columns_of(outputs[module.name], module, for_model=True) for module in self._modules]
        self._n_columns = [each.shape[1] for each in columns]
        columns = self._joined(columns, X)
        self._combination, self.combined_scores_ = fit_combiner(
            self.combine, columns, y, parameters["combine"], folds, self.n_threads
        )
        self.combiner_ = self._combination

    def _set_classes(self, modules, y):
        """Set the classes, where y has any."""

    def _check_all_classes(self, y):
        """Refuse a y that has other classes than those that `fit` has met, or fewer."""

    # -- what scikit-learn asks ---------------------------------------------------------------------------------------

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_modules")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        tags.target_tags.required = True
        of_modules = [get_tags(estimator).input_tags for _, estimator, _ in well_formed(self.modules)]
        for name in ("sparse", "allow_nan"):
            setattr(tags.input_tags, name, all(getattr(each, name) for each in of_modules))
        return tags

    def _sk_visual_block_(self):
        modules = well_formed(self.modules)
        modules = visual_block(
            "parallel",
            [estimator for _, estimator, _ in modules],
            names=[name for name, _, _ in modules],
            name_details=[quoted(columns) for _, _, columns in modules],
        )
        if isinstance(self.combine, str):
            return modules
        combine = visual_block("parallel", [self.combine], names=["combine"], dash_wrapped=False)
        return visual_block("serial", (modules, combine), dash_wrapped=False)


def _raise_first(errors):
    """Raise the first of the errors, with a note that names its module; rather one that ends the program."""
    name, error = min(errors.items(), key=lambda one: isinstance(one[1], Exception))
    errors.clear()  # an error's traceback has the frames that have the errors: a cycle would keep X
    error.add_note(f"It is the fit of the module {quoted(name)} that failed.")
    try:
        raise error
    finally:
        del error
