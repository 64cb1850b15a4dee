"""How modular networks read X and y, and what their modules make of X."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from sklearn.base import TransformerMixin, is_classifier
from sklearn.utils import indexable
from sklearn.utils.validation import check_is_fitted, validate_data

from fastnn._sklearn import _check_feature_names_in
from fastnn.data.class_targets import indicates
from fastnn.data.inputs import as_column, validated_y
from fastnn.data.sequence_forms import holds_ragged
from fastnn.data.sparse import check_dense, check_sparse
from fastnn.estimators.combining import beside, columns_of
from fastnn.estimators.module import score
from fastnn.estimators.module_parameters import active, as_table, is_table, reads_all
from fastnn.training.transaction import snapshot

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import ArrayLike, NDArray

    from fastnn.typing import SamplesLike


class ModularOutputs(TransformerMixin):
    """What is read of X and y, and the outputs of modules, which are what `transform` returns."""

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
        if sp.issparse(y):
            if not (is_classifier(self) and indicates(y)):
                check_dense(y)
            y = y.toarray()
        if reset:
            self._y_shape = y.shape[1:]
        elif y.shape[1:] != self._y_shape:
            columns = [(shape or (1,))[0] for shape in (self._y_shape, y.shape[1:])]
            raise ValueError(f"y must have {columns[0]} columns, as in fit, got {columns[1]}")
        return y, names

    # -- outputs ------------------------------------------------------------------------------------------------------

    def transform(self, X: Any) -> Any:
        # From tools/docstrings: <X of modules>
        """The modules' outputs, as the combiner reads them, one module after the other.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples. If all modules read all of it, any X that they take.

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

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
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

    def score_modules(self, X: Any, y: SamplesLike) -> dict[str, float]:
        # From tools/docstrings: <X of modules>, <y of modules>
        """The score of each module on its own target.

        Parameters
        ----------
        X : array-like, frame or sparse matrix of shape (n_samples, n_features)
            Samples. If all modules read all of it, any X that they take.
        y : array-like of shape (n_samples,) or (n_samples, n_columns)
            Targets. `targets` may name the columns of a frame.

        Returns
        -------
        dict of str to float
            What the `score` of each estimator returns, by the module's name.

        Examples
        --------
        >>> from sklearn.datasets import load_iris
        >>> from fastnn import MLPClassifier, ModularClassifier
        >>> X, y = load_iris(return_X_y=True)
        >>> network = MLPClassifier((8,), solver="lbfgs", max_iter=1000, random_state=0)
        >>> modules = [("sepals", network, slice(0, 2)), ("petals", network, slice(2, 4))]
        >>> model = ModularClassifier(modules).fit(X, y)
        >>> scores = model.score_modules(X, y)
        >>> scores["petals"] > scores["sepals"]
        True
        """
        check_is_fitted(self)
        fitted = snapshot(self)
        X, (y, _) = fitted._read_X(X, reset=False), fitted._read_y(y, reset=False)
        return {module.name: score(module.estimator, module.inputs(X), module.target(y)) for module in fitted._modules}
