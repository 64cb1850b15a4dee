"""What a fitted network has, for its users to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class FittedAttributes:
    """The attributes of every fitted network, of which the curves are copies."""

    n_features_in_: int
    feature_names_in_: NDArray[np.object_]
    n_iter_: int
    n_layers_: int
    n_outputs_: int
    out_activation_: str
    t_: int
    loss_: float
    best_loss_: float | None
    best_epoch_: int
    best_validation_score_: float | None

    @property
    def loss_curve_(self) -> list[float]:
        """list of float: the mean loss of each epoch since training began."""
        return self._curve("loss_curve")

    @property
    def validation_scores_(self) -> list[float] | None:
        """list of float or None: the score of each epoch on the samples held out, NaN for epochs without any."""
        return self._curve("validation_scores")

    @property
    def validation_loss_curve_(self) -> list[float] | None:
        """list of float or None: the mean loss of each epoch on the samples held out, without the penalty."""
        return self._curve("validation_losses")

    def _curve(self, name):
        if not hasattr(self, "_state"):
            raise AttributeError(f"This {type(self).__name__} instance is not fitted yet, so it has no curves.")
        curve = getattr(self._state, name)
        return None if curve is None else curve.as_list()
