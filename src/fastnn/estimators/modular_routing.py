"""What the fits of a modular network's estimators are given besides X and y: sample weights, and other metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing

from fastnn._sklearn import _raise_for_params, _routing_enabled
from fastnn.data.inputs import checked_weights as checked_sample_weight
from fastnn.data.quoted import quoted
from fastnn.estimators.module_parameters import takes_sample_weight, well_formed

if TYPE_CHECKING:
    from typing import Any


class ModularRouting:
    """Passes metadata on to modules, and to what combines them."""

    def _routed(self, X, fit_params, modules, combine):
        """What the fits of modules, and of `combine` unless that is a string or None, are given besides, by names."""
        _raise_for_params(fit_params, self, "fit", allow=["sample_weight"])
        sample_weight = fit_params.get("sample_weight")
        if sample_weight is not None:
            checked = checked_sample_weight(sample_weight, X, negative=True)  # which some estimators take
            sample_weight = checked if np.ndim(sample_weight) == 0 else np.asarray(sample_weight)
        estimators = {module.name: module.estimator for module in modules}
        if not isinstance(combine, (str, type(None))):
            estimators["combine"] = combine
        if _routing_enabled():
            routed = process_routing(self, "fit", **fit_params)
            return {name: routed[name].fit for name in estimators}
        if sample_weight is None:
            return {name: {} for name in estimators}
        for name, estimator in estimators.items():
            if not takes_sample_weight(estimator):
                raise TypeError(
                    f"sample_weight must be None, since the fit of {quoted(name)} does not take it, got weights: "
                    f"{quoted(estimator)}"
                )
        return {name: {"sample_weight": sample_weight} for name in estimators}

    def get_metadata_routing(self) -> Any:
        """Which metadata `fit` passes on to which estimator, as scikit-learn's users' guide describes it.

        Returns
        -------
        MetadataRouter
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        of_fit = MethodMapping().add(caller="fit", callee="fit")
        estimators = {name: estimator for name, estimator, _ in well_formed(self.modules)}
        if not isinstance(self.combine, str):
            estimators["combine"] = self.combine
        return router.add(method_mapping=of_fit, **estimators)
