"""Functions that are called after each epoch: the user's own, and scikit-learn's callbacks (from 1.9 on)."""

from fastnn._sklearn import ProgressBar, begin_callbacks, callbacks_of


class Callbacks:
    """The callbacks of one call to `fit`.

    Parameters
    ----------
    estimator : BaseNetwork
        The estimator that is fitted.
    X, y
        The training data, as the user gave them.
    sample_weight : array-like or None
    n_epochs : int
        The largest number of epochs that the fit may take.
    """

    def __init__(self, estimator, X, y, sample_weight, n_epochs):
        self.estimator, self.model = estimator, None
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        self.arguments = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self.fit, self.epoch = begin_callbacks(estimator, max_subtasks=n_epochs), None
        if self.fit is not None:
            self.fit.call_on_fit_task_begin(**self.arguments)
        self.are_told = any(True for _ in self._listeners())

    def _listeners(self):
        """scikit-learn's callbacks of this fit, and of a search that calls it."""
        context = self.fit
        while context is not None:
            yield from callbacks_of(context)
            context = context.parent

    def show_bars(self):
        """Whether scikit-learn's ProgressBar is among them."""
        return any(isinstance(callback, ProgressBar) for callback in self._listeners())

    def begin(self, model):
        """To be called before the first epoch; `model` is `Fit.model`, which returns the model of the moment."""
        self.model = model

    def epoch_begins(self):
        """To be called before each epoch."""
        if self.are_told:  # a context takes longer than the epoch of a hundred samples
            self.epoch = self.fit.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(**self.arguments)

    def epoch_ended(self):
        """To be called after each epoch; returns whether a callback asks the fit to end."""
        function = self.estimator.callback
        stop = function is not None and bool(function(self.model()))
        if self.are_told:
            stop |= self.epoch.call_on_fit_task_end(**self.arguments, reconstruction_attributes=self._attributes)
        return stop

    def end(self):
        """To be called when the estimator is fitted."""
        if self.fit is not None:
            self.fit.call_on_fit_task_end(**self.arguments, reconstruction_attributes=self._attributes)
        self.model = None  # the Fit, which has these callbacks: a cycle would keep X until Python looks for cycles

    def _attributes(self):
        return dict(vars(self.model(to_keep=True)))
