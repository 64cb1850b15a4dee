"""How the loss fell: curves of one model or of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import is_classifier

from fastnn.data.quoted import quoted
from fastnn.estimators.modular import BaseModular
from fastnn.estimators.network import BaseNetwork
from fastnn.plot.display import COLOURS, MARKERS, MIDDLE, Display, font_size, without_frame
from fastnn.plot.reading import checked_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal, Self

    from matplotlib.axes import Axes

VALIDATIONS = ("loss", "score", "both", None)
_MOST_NAMED = 2  # parameters that name a model


class LossCurveDisplay(Display):
    # From tools/docstrings: <axes and figure>
    """The training loss by epochs, and beside it the loss or the score on the samples held out, of several models.

    `from_estimator` makes it of fitted models. Training is a solid line, the validation loss is dashed, and the
    validation score is dotted and has an axis on the right. A ring marks the best epoch.

    Parameters
    ----------
    losses : dict of str to array-like of shape (n_epochs,)
        The training loss of each epoch, by the models' names.
    validation_losses : dict of str to array-like of shape (n_epochs,), default=None
        The loss on the samples held out, of models that have one. NaN is an epoch without such samples.
    validation_scores : dict of str to array-like of shape (n_epochs,), default=None
        The score on the samples held out.
    best_epochs : dict of str to int, default=None
        The number of the best epoch, from 1; 0 or a missing one is not marked.
    loss_name : str, default="loss"
        What the losses are.
    score_name : str, default="score"
        What the scores are.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where the picture is.
    figure_ : matplotlib Figure
        The figure that has it.
    score_ax_ : matplotlib Axes or None
        The axis of scores.
    lines_ : dict of str to matplotlib Line2D
        The curves of the training loss, by the models' names.
    validation_lines_ : dict of str to matplotlib Line2D
        The curves of the validation loss, if it is drawn.
    score_lines_ : dict of str to matplotlib Line2D
        The curves of the validation score, if it is drawn.
    best_marks_ : dict of str to matplotlib Line2D
        The rings at the best epochs.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from fastnn import MLPClassifier
    >>> from fastnn.plot import LossCurveDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> models = [
    ...     MLPClassifier((32,), early_stopping=True, learning_rate_init=rate, random_state=0).fit(X / 16, y)
    ...     for rate in (0.01, 0.1)
    ... ]
    >>> display = LossCurveDisplay.from_estimator(models, validation="score")
    >>> list(display.lines_)
    ['learning_rate_init=0.01', 'learning_rate_init=0.1']
    """

    def __init__(
        self,
        losses: Mapping[str, Sequence[float]],
        *,
        validation_losses: Mapping[str, Sequence[float]] | None = None,
        validation_scores: Mapping[str, Sequence[float]] | None = None,
        best_epochs: Mapping[str, int] | None = None,
        loss_name: str = "loss",
        score_name: str = "score",
    ) -> None:
        self.losses = losses
        self.validation_losses = validation_losses
        self.validation_scores = validation_scores
        self.best_epochs = best_epochs
        self.loss_name = loss_name
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        validation: Literal["loss", "score", "both"] | None = "loss",
        log_scale: bool = False,
        ax: Axes | None = None,
    ) -> Self:
        # From tools/docstrings: <log_scale>, <ax>, <raises of displays>
        """Draw the curves of fitted models.

        Parameters
        ----------
        estimator : estimator, or list or dict of such
            A network of fastnn, or several. A dict has the models' names; those in a list are named by the parameters
            that differ. A modular network has the curves of its modules, if these are networks of fastnn.
        validation : {"loss", "score", "both"} or None, default="loss"
            What to draw of the samples held out, where a model has any.
        log_scale : bool, default=False
            Whether the losses have a logarithmic axis.
        ax : matplotlib Axes, default=None
            Where to draw. None: in a new figure.

        Returns
        -------
        display : LossCurveDisplay
            The picture.

        Raises
        ------
        NotFittedError
            Before the model is fitted.
        TypeError
            For an estimator of another kind.
        ImportError
            Without matplotlib.
        ValueError
            For a model that was made of given weights, and not trained since.
        """
        cls._needs_matplotlib("from_estimator")
        models = _named_models(estimator)
        for name, model in models.items():
            if not model.loss_curve_:
                raise ValueError(
                    f"the model {quoted(name)} must have been trained for at least one epoch, got 0 epochs: "
                    f"{quoted(model)}"
                )
        held_out = {name: model for name, model in models.items() if model.validation_scores_ is not None}
        display = cls(
            {name: list(model.loss_curve_) for name, model in models.items()},
            validation_losses={name: list(model.validation_loss_curve_) for name, model in held_out.items()},
            validation_scores={name: list(model.validation_scores_) for name, model in held_out.items()},
            best_epochs={name: model.best_epoch_ for name, model in models.items()},
            loss_name=_common(map(_loss_name, models.values()), "loss"),
            score_name=_common(map(_score_name, held_out.values()), "score"),
        )
        return display.plot(ax, validation=validation, log_scale=log_scale)

    def plot(
        self,
        ax: Axes | None = None,
        *,
        validation: Literal["loss", "score", "both"] | None = "loss",
        log_scale: bool = False,
    ) -> Self:
        # From tools/docstrings: <ax>, <log_scale>
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None: in a new figure.
        validation : {"loss", "score", "both"} or None, default="loss"
            What to draw of the samples held out.
        log_scale : bool, default=False
            Whether the losses have a logarithmic axis.

        Returns
        -------
        self : LossCurveDisplay
            The picture.
        """
        if validation not in VALIDATIONS:
            raise ValueError(f'validation must be "loss", "score", "both" or None, got {quoted(validation)}')
        ax = self._draw_on(ax, (6.4, 4.2))
        losses = (self.validation_losses or {}) if validation in ("loss", "both") else {}
        scores = (self.validation_scores or {}) if validation in ("score", "both") else {}
        self.lines_ = self._curves(ax, self.losses, "-")
        self.validation_lines_ = self._curves(ax, losses, "--")
        self.score_ax_ = ax.twinx() if scores else None
        self.score_lines_ = self._curves(self.score_ax_, scores, ":")
        self._mark_best()
        self._label(log_scale)
        self._add_legend()
        return self

    def _curves(self, ax, curves, style):
        """Lines by the models' names; where there are several models, each has its own colour and marker."""
        lines = {}
        for i, name in enumerate(self.losses):
            if name not in curves:
                continue
            values = np.asarray(curves[name], dtype=float)
            every = max(1, len(values) // 8)
            marker = {"marker": MARKERS[i % len(MARKERS)], "markevery": (i * every // 3 % every, every), "ms": 4.5}
            (lines[name],) = ax.plot(
                np.arange(1, len(values) + 1),
                values,
                style,
                color=COLOURS[i % len(COLOURS)],
                lw=2.2 if style == ":" else 1.7,
                **(marker if len(self.losses) > 1 else {}),
            )
        return lines

    def _mark_best(self):
        """A ring at each best epoch: on the curve that it is the best of, or else on the training loss."""
        self.best_marks_ = {}
        for name, epoch in (self.best_epochs or {}).items():
            line = self.score_lines_.get(name) or self.validation_lines_.get(name) or self.lines_.get(name)
            if line is None or not 0 < epoch <= len(line.get_xdata()):
                continue
            (self.best_marks_[name],) = line.axes.plot(
                [epoch],
                [line.get_ydata()[epoch - 1]],
                "o",
                ms=10,
                mfc="none",
                mec=line.get_color(),
                mew=2,
                zorder=3,
                clip_on=False,
            )

    def _label(self, log_scale):
        from matplotlib.ticker import MaxNLocator

        self.ax_.set(xlabel="epoch", ylabel=self.loss_name)
        if log_scale:
            self.ax_.set_yscale("log")
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True))
        self.ax_.grid(axis="y", lw=0.6, alpha=0.4)
        self.ax_.set_axisbelow(True)
        without_frame(self.ax_)
        if self.score_ax_ is not None:
            self.score_ax_.set_ylabel(f"{self.score_name} on samples held out")
            without_frame(self.score_ax_, ["top"])

    def _add_legend(self):
        """Above the curves, which may be anywhere: columns of the models, if there are several, and one of kinds."""
        from matplotlib.lines import Line2D

        several = len(self.lines_) > 1
        models, kinds = [], []
        for name, line in self.lines_.items() if several else ():
            models.append((Line2D([], [], color=line.get_color(), marker=line.get_marker(), ms=4.5, lw=1.7), name))
        for lines, text in (
            (self.lines_, "training loss"),
            (self.validation_lines_, "validation loss"),
            (self.score_lines_, f"validation {self.score_name}"),
        ):
            if lines:
                line = next(iter(lines.values()))
                colour = MIDDLE if several else line.get_color()
                kinds.append((Line2D([], [], color=colour, ls=line.get_linestyle(), lw=line.get_linewidth()), text))
        if self.best_marks_:
            mark, epoch = next(iter(self.best_marks_.values())), next(iter(self.best_epochs.values()))
            colour = MIDDLE if several else mark.get_color()
            ring = Line2D([], [], ls="", marker="o", ms=8, mfc="none", mec=colour, mew=2)
            kinds.append((ring, "best epoch" if several else f"best epoch: {epoch}"))
        n_rows = max(len(kinds), -(-len(models) // 2)) if several else -(-len(kinds) // 3)  # four are too wide
        models += [(Line2D([], [], ls=""), "")] * (-len(models) % n_rows)  # each kind of entry has its own columns
        handles, texts = zip(*models, *kinds, strict=True)
        how = {"ncols": -(-len(texts) // n_rows), "frameon": False, "fontsize": font_size(0.9), "handlelength": 2.4}
        self.ax_.legend(handles, texts, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, **how)


def _named_models(estimator):
    """Snapshots of the networks whose curves are drawn, by their names."""
    if isinstance(estimator, dict):
        named = {str(name): model for name, model in estimator.items()}
    elif isinstance(estimator, (list, tuple)):
        named = dict(zip(_names_of(estimator), estimator, strict=True))
    else:
        named = {type(estimator).__name__: estimator}
    if not named:
        raise ValueError(f"estimator must be at least one model, got {quoted(estimator)}")
    models = {}
    for name, model in named.items():
        model = checked_model(model, (BaseNetwork, BaseModular))
        if isinstance(model, BaseModular):
            models |= _modules(model, "" if len(named) == 1 else f"{name}, ")
        else:
            models[name] = model
    return models


def _modules(model, prefix):
    """The networks among the modules of a modular network, and of modules that are such."""
    networks = {}
    for name, module in model.named_modules_.items():
        if isinstance(module, BaseModular):
            networks |= _modules(checked_model(module), f"{prefix}{name}, ")
        elif isinstance(module, BaseNetwork):
            networks[prefix + name] = checked_model(module)
    if not networks:
        raise ValueError(f"one of the modules must be a network of fastnn, got {quoted(dict(model.named_modules_))}")
    return networks


def _names_of(models):
    """Names for models in a list: their classes, or else the parameters that tell models of one class apart."""
    classes = [type(model).__name__ for model in models]
    if len(set(classes)) == len(classes):
        return classes
    if len(set(classes)) == 1 and hasattr(models[0], "get_params"):
        texts = [{name: repr(value) for name, value in model.get_params(deep=False).items()} for model in models]
        differing = [name for name in texts[0] if len({text[name] for text in texts}) > 1]
        names = [", ".join(f"{name}={text[name]}" for name in differing) for text in texts]
        if len(differing) <= _MOST_NAMED and len(set(names)) == len(names) and max(map(len, names)) <= 60:
            return names
    return [f"{name} {i}" for i, name in enumerate(classes)]


def _loss_name(model):
    return {"log_loss": "log-loss"}.get(model.loss, model.loss.replace("_", " "))


def _score_name(model):
    if model.scoring is not None:
        return model.scoring if isinstance(model.scoring, str) else getattr(model.scoring, "__name__", "score")
    if is_classifier(model):
        return "accuracy"
    return "R²" if len(model._targets.quantiles) == 1 else "D²"


def _common(names, otherwise):
    """The name that all have, or another one if they differ."""
    names = set(names)
    return names.pop() if len(names) == 1 else otherwise
