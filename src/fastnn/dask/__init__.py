"""Estimators for a cluster: networks that train on the workers of Dask, from its arrays, frames and bags.

They need dask and distributed, which `pip install 'scikit-fastnn[dask]'` installs; both are imported when an estimator
is fitted.
"""

from fastnn.dask.estimators import DaskClassifier, DaskRegressor

__all__ = ["DaskClassifier", "DaskRegressor"]
