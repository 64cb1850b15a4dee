"""Modular networks: modules that know nothing of each other, and one answer from their outputs."""

from dataclasses import replace
from numbers import Integral
from typing import ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.base import MetaEstimatorMixin, TransformerMixin
from sklearn.utils import Bunch, get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from fastnn._sklearn import (
    HasMethods,
    _BaseComposition,
    _check_feature_names_in,
    _fit_context,
    _raise_for_params,
    _routing_enabled,
    nested_parameters,
    set_nested_parameters,
    visual_block,
)
from fastnn.data.inputs import as_column, validated_y
from fastnn.data.quoted import quoted
from fastnn.data.ragged import holds_ragged
from fastnn.data.sparse import check_sparse
from fastnn.estimators.combining import beside, columns_of, n_columns
from fastnn.estimators.constraints import Interval, StrOptions
from fastnn.estimators.docstrings import documented
from fastnn.estimators.module import score
from fastnn.estimators.module_fits import fit_combiner, fit_modules, folds_of
from fastnn.estimators.module_parameters import (
    active,
    as_table,
    check_combination,
    check_modules,
    checked_weights,
    estimators_in,
    is_table,
    read_modules,
    reads_all,
    takes_sample_weight,
)
from fastnn.runtime.warnings import warn_user
from fastnn.training.transaction import SnapshotMixin, all_or_nothing, snapshot


class BaseModular(SnapshotMixin, TransformerMixin, MetaEstimatorMixin, _BaseComposition):
    """What modular classifiers and regressors share."""

    _parameter_constraints: ClassVar[dict] = {
        "modules": [list, tuple],
        "targets": [None, dict],
        "combine": [HasMethods(["fit", "predict"])],
        "weights": [None, "array-like"],
        "cv": ["cv_object"],
        "passthrough": ["boolean"],
        "on_error": [StrOptions(["raise", "skip"])],
        "n_threads": [None, Interval(Integral, 1, None, closed="left")],
    }
    _y_checks: ClassVar[dict] = {}

    def __init__(
        self,
        modules,
        *,
        targets=None,
        combine="mean",
        weights=None,
        cv=5,
        passthrough=False,
        on_error="raise",
        n_threads=None,
    ):
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
        """The modules as (name, estimator), which scikit-learn's nested parameters are of."""
        try:
            return [(name, estimator) for name, estimator, _ in self.modules]
        except (TypeError, ValueError):  # fit refuses them
            return self.modules

    @_named.setter
    def _named(self, pairs):
        self.modules = [(*pair, columns) for pair, (_, _, columns) in zip(pairs, self.modules, strict=True)]

    def get_params(self, deep=True):
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

    def set_params(self, **parameters):
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
    @documented
    def fit(self, X, y, **fit_params):
        """Fit each module to its columns and its target, side by side, and then what combines them.

        Parameters
        ----------
        <X of modules>
        <y of modules>
        <fit_params of modules>

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
            errors = draft._fit(X, y, fit_params)
        for name, error in errors.items():  # last: where a filter makes one an error, the estimator is fitted
            warn_user(f"The module {quoted(name)} failed to fit and is left out: {type(error).__name__}: {error}")
        return self

    def _fit(self, X, y, fit_params):
        """Fit a draft. Returns the errors of modules that are left out, by the modules' names."""
        check_modules(self)
        self._reads_X = self.passthrough
        y, y_names = self._read_y(y, reset=True)
        X = self._read_X(X, reset=True)
        check_consistent_length(X, y)
        modules, targets = read_modules(self, X, y, y_names)
        check_combination(self, modules, y)
        weights = checked_weights(self)
        self._set_classes(modules, y)
        parameters = self._routed(X, fit_params, modules)
        folds = [] if isinstance(self.combine, str) else folds_of(self, X, y)
        fitted, outputs, errors = fit_modules(modules, X, targets, parameters, folds, self.n_threads)
        if errors and (self.on_error == "raise" or not fitted):
            error = _named_error(errors)
            raise error
        self._set_modules(list(fitted.values()))
        self._weights = None if weights is None else [weights[name] for name in fitted]
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
        return errors

    @documented
    def refit(self, name, X, y, *, refit_combiner=False, **fit_params):
        """Fit one module anew, and leave the others as they are, with the same bits.

        Parameters
        ----------
        name : str
            The module's name in `named_modules_`. Its estimator is that of `modules`, whose parameters may have been
            set since.
        <X of modules>
        <y of modules>
        refit_combiner : bool, default=False
            Whether to fit the model that combines the outputs anew, too, to the outputs of all modules for these
            samples, cross-validated as in `fit`. False: it stays as it is.
        <fit_params of modules>

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
        """
        check_is_fitted(self)
        with all_or_nothing(self) as (draft, _):
            draft._refit(name, X, y, refit_combiner, fit_params)
        return self

    def _refit(self, name, X, y, refit_combiner, fit_params):
        old = self._named_module(name)
        check_modules(self)
        estimators = dict(self._named)
        if isinstance(estimators.get(name), (str, type(None))):
            raise ValueError(f"modules must have an estimator {quoted(name)} to fit, got {quoted(self.modules)}")
        if refit_combiner and isinstance(self._combination, str):
            raise ValueError(f"refit_combiner must be False with combine={self._combination!r}, got {refit_combiner}")
        X, y = self._read_X(X, reset=False), self._read_y(y, reset=False)[0]
        check_consistent_length(X, y)
        modules = [replace(old, estimator=estimators[name])]
        if refit_combiner:
            modules = [replace(each, estimator=estimators[each.name]) for each in self._modules]
        targets = [module.target(y) for module in modules]
        for module, target in zip(modules, targets, strict=True):
            module.check_classes(target)
        parameters = self._routed(X, fit_params, modules)
        folds = folds_of(self, X, y) if refit_combiner else []
        fitted, outputs, errors = fit_modules(modules, X, targets, parameters, folds, self.n_threads, only=name)
        if errors:
            error = _named_error(errors)
            raise error
        self._set_modules([fitted.get(module.name, module) for module in self._modules])
        if refit_combiner:
            self._fit_combiner(X, y, outputs, parameters, folds)

    def _set_modules(self, modules):
        self._modules = modules
        self.named_modules_ = Bunch(**{module.name: module.estimator for module in modules})

    def _named_module(self, name):
        found = [module for module in self._modules if module.name == name]
        if not found:
            raise ValueError(f"name must be one of {', '.join(self.named_modules_)}, got {quoted(name)}")
        return found[0]

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

    def _routed(self, X, fit_params, modules):
        """What the fits of these modules and of the combiner are given besides, by their names."""
        _raise_for_params(fit_params, self, "fit", allow=["sample_weight"])
        names = [*(module.name for module in modules), *([] if isinstance(self.combine, str) else ["combine"])]
        if _routing_enabled():
            routed = process_routing(self, "fit", **fit_params)
            return {name: routed[name].fit for name in names}
        sample_weight = fit_params.get("sample_weight")
        if sample_weight is None:
            return {name: {} for name in names}
        check_consistent_length(X, sample_weight)
        estimators = {module.name: module.estimator for module in modules} | {"combine": self.combine}
        for name in names:
            if not takes_sample_weight(estimators[name]):
                raise TypeError(
                    f"sample_weight must be None, since the fit of {quoted(name)} does not take it, got weights: "
                    f"{quoted(estimators[name])}"
                )
        return {name: {"sample_weight": np.asarray(sample_weight)} for name in names}

    def get_metadata_routing(self):
        """Which metadata `fit` passes on to which estimator, as scikit-learn's users' guide describes it.

        Returns
        -------
        MetadataRouter
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        of_fit = MethodMapping().add(caller="fit", callee="fit")
        estimators = {name: estimator for name, estimator, _ in active(self.modules).values()}
        if not isinstance(self.combine, str):
            estimators["combine"] = self.combine
        return router.add(method_mapping=of_fit, **estimators)

    # -- X and y ------------------------------------------------------------------------------------------------------

    def _read_X(self, X, reset):
        """X as the modules read it: unless all read it as it is, a table."""
        check_sparse(X, "X")
        (X,) = indexable(X)  # CSR of any sparse matrix, and an array of whatever only says how it becomes one
        if reset:
            readers = [name for name, _, columns in active(self.modules).values() if not reads_all(columns)]
        else:
            readers = [module.name for module in self._modules if module.columns is not None]
        if readers:
            X = as_table(X, readers[0])
        if is_table(X):
            validate_data(self, X, skip_check_array=True, reset=reset)
        elif reset:
            for name in ("n_features_in_", "feature_names_in_"):  # of an earlier fit
                vars(self).pop(name, None)
        if self._reads_X and not is_table(X):
            raise ValueError("passthrough must be False unless X has 2 axes, got passthrough=True and another X")
        return X

    def _read_y(self, y, reset):
        """y as an array, and the names of its columns or None."""
        if holds_ragged(y):
            raise ValueError("y must have one target for each sample, got one for each step of sequences")
        names = list(y.columns) if hasattr(y, "columns") else None
        y = as_column(validated_y(self, y, multi_output=True, **self._y_checks))
        y = y.toarray() if sp.issparse(y) else y
        if reset:
            self._y_shape = y.shape[1:]
        elif y.shape[1:] != self._y_shape:
            columns = [(shape or (1,))[0] for shape in (self._y_shape, y.shape[1:])]
            raise ValueError(f"y must have {columns[0]} columns, as in fit, got {columns[1]}")
        return y, names

    # -- outputs ------------------------------------------------------------------------------------------------------

    @documented
    def transform(self, X):
        """The modules' outputs, as the combiner reads them, one module after the other.

        Parameters
        ----------
        <X of modules>

        Returns
        -------
        ndarray or sparse matrix of shape (n_samples, n_outputs)
            With ``combine="vote"`` the labels that the modules vote for, otherwise probabilities or other numbers. An
            estimator that combines them reads of two probabilities only the second one, and with `passthrough` X, too.
        """
        check_is_fitted(self)
        return snapshot(self)._columns(X)

    def _outputs(self, X):
        return [module.outputs(module.inputs(X)) for module in self._modules]

    def _columns(self, X):
        """What `transform` returns, before scikit-learn makes a frame of it where it should."""
        X, for_model = self._read_X(X, reset=False), not isinstance(self._combination, str)
        outputs = zip(self._outputs(X), self._modules, strict=True)
        return self._joined([columns_of(each, module, for_model) for each, module in outputs], X)

    def _joined(self, columns, X):
        return beside(columns, X) if self._reads_X else np.hstack(columns)

    def get_feature_names_out(self, input_features=None):
        """The names of the columns that `transform` makes.

        Parameters
        ----------
        input_features : array-like of str, default=None
            The names of X's columns, which are among them with `passthrough`. None: `feature_names_in_`, or x0, x1, ...

        Returns
        -------
        ndarray of str objects
            The class's name, the module's, and a number if the module has several columns.
        """
        check_is_fitted(self)
        prefix, names = type(self).__name__.lower(), []
        for module, n in zip(self._modules, self._n_columns, strict=True):
            name = f"{prefix}_{module.name}"
            names += [name] if n == 1 else [f"{name}{i}" for i in range(n)]
        if hasattr(self, "n_features_in_"):
            inputs = _check_feature_names_in(self, input_features, generate_names=self._reads_X)
            names += list(inputs) if self._reads_X else []
        return np.asarray(names, dtype=object)

    @documented
    def score_modules(self, X, y):
        """The score of each module on its own target.

        Parameters
        ----------
        <X of modules>
        <y of modules>

        Returns
        -------
        dict of str to float
            What the `score` of each estimator returns, by the module's name.
        """
        check_is_fitted(self)
        fitted = snapshot(self)
        X, (y, _) = fitted._read_X(X, reset=False), fitted._read_y(y, reset=False)
        return {module.name: score(module.estimator, module.inputs(X), module.target(y)) for module in fitted._modules}

    # -- what scikit-learn asks ---------------------------------------------------------------------------------------

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_modules")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        tags.target_tags.required = True
        of_modules = [get_tags(estimator).input_tags for estimator in estimators_in(self.modules)]
        for name in ("sparse", "allow_nan"):
            setattr(tags.input_tags, name, all(getattr(each, name) for each in of_modules))
        return tags

    def _sk_visual_block_(self):
        names, estimators, columns = zip(*self.modules, strict=True)
        modules = visual_block("parallel", estimators, names=names, name_details=list(map(quoted, columns)))
        if isinstance(self.combine, str):
            return modules
        combine = visual_block("parallel", [self.combine], names=["combine"], dash_wrapped=False)
        return visual_block("serial", (modules, combine), dash_wrapped=False)


def _named_error(errors):
    """The first error, with a note that names its module."""
    name, error = next(iter(errors.items()))
    error.add_note(f"It is the fit of the module {quoted(name)} that failed.")
    return error
