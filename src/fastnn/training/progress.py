"""Shows the progress of fits: by lines, or a live bar. A display that fails, or closed output, never ends a fit."""

import importlib.util
import math
import sys
import time

# Bars are drawn no more often: an epoch of a small network takes a hundredth of the time that drawing takes.
SECONDS_BETWEEN_DRAWINGS = 0.1


class NoProgress:
    """Shows nothing, for verbose=0; the base of what shows progress."""

    def __enter__(self):
        """The fit begins."""
        return self

    def __exit__(self, *exception):
        """The fit has ended."""

    def epoch(self, number, loss, score):
        """An epoch has ended; score is None if no samples are held out."""

    def part(self, number, name):
        """A fit has ended, the number-th of several side by side, that of the estimator with this name."""

    def say(self, text):
        """Show a line of text."""


class Lines(NoProgress):
    """Prints scikit-learn's lines, for verbose=1."""

    def epoch(self, number, loss, score):
        self.say(f"Iteration {number}, loss = {loss:.8f}")
        if score is not None:
            self.say(f"Validation score: {score:f}")

    def part(self, number, name):
        self.say(f"Fit {number}: {name}")

    def say(self, text):
        _succeeds(print, text)


class Bar(NoProgress):
    """Shows a live bar; lines once the bar has failed.

    Parameters
    ----------
    display : RichBar or TqdmBar
    """

    def __init__(self, display):
        self.display, self.lines = display, None

    def __enter__(self):
        try:
            self._show("start")
        except BaseException:  # Ctrl-C
            self._abandon()
            raise
        return self

    def __exit__(self, *exception):
        if self.lines is None and not _succeeds(self.display.stop):
            self._abandon()

    def epoch(self, number, loss, score):
        self._show("epoch", number, loss, score)

    def part(self, number, name):
        self._show("part", number, name)

    def say(self, text):
        self._show("say", text)

    def _show(self, what, *arguments):
        if self.lines is None:
            if _succeeds(getattr(self.display, what), *arguments):
                return
            self._abandon()
        if what != "start":
            getattr(self.lines, what)(*arguments)

    def _abandon(self):
        self.lines = Lines()
        _succeeds(self.display.abandon)


class TqdmBar:
    """A bar of tqdm's.

    Parameters
    ----------
    total : int
        The number of epochs or fits.
    unit : {"epoch", "fit"}
    """

    def __init__(self, total, unit):
        self.total, self.unit, self.bar = total, unit, None

    def start(self):
        from tqdm.auto import tqdm

        # When tqdm draws by itself, an error leaves its lock held, and all bars of other threads wait for ever. With a
        # delay, however short, it does not draw at its start, and with miniters=1 its thread does not draw.
        self.bar = tqdm(total=self.total, unit=self.unit, miniters=1, delay=1e-9)
        self._draw()
        self.drawn = -math.inf  # the first epoch is shown at its end

    def epoch(self, number, loss, score):
        scores = {} if score is None else {"score": f"{score:.4f}"}
        self.bar.set_postfix(loss=f"{loss:.6f}", **scores, refresh=False)
        self._advance()

    def part(self, number, name):
        self.bar.set_postfix_str(name, refresh=False)
        self._advance()

    def _advance(self):
        self.bar.n += 1
        if time.monotonic() - self.drawn >= SECONDS_BETWEEN_DRAWINGS:
            self._draw()

    def _draw(self):
        with self.bar.get_lock():
            self.bar.refresh(nolock=True)
        self.drawn = time.monotonic()

    def say(self, text):
        self.bar.write(text)

    def stop(self):
        self.bar.close()

    abandon = stop


# The RichBar that is shown, as the value of "bar": there can be one. Before 14.1 rich allows one live display at a
# time. Later versions allow several, but assume that the last to begin ends first, unlike bars of two threads.
_shown = {}


class RichBar:
    """A bar of rich's.

    The fit itself draws it: an error in a thread of rich's would go unnoticed.

    Parameters
    ----------
    total, unit
        As for `TqdmBar`.
    """

    def __init__(self, total, unit):
        self.total, self.unit, self.progress = total, unit, None

    def start(self):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        if _shown.setdefault("bar", self) is not self:
            raise RuntimeError("the bar of another fit is shown")
        columns = TextColumn(self.unit), MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}")
        # Where sys.stdout or sys.stderr is None, rich would replace it, and not restore it.
        redirected = {f"redirect_{name}": getattr(sys, name) is not None for name in ("stdout", "stderr")}
        progress = Progress(*columns, TimeRemainingColumn(), auto_refresh=False, **redirected)
        self.task, self.was_quiet = progress.add_task("", total=self.total), progress.console.quiet
        self.progress = progress
        self.progress.start()
        self.drawn = -math.inf

    def epoch(self, number, loss, score):
        self._advance(f"loss {loss:.6f}" + ("" if score is None else f", score {score:.4f}"))

    def part(self, number, name):
        self._advance(name)

    def _advance(self, description):
        self.progress.update(self.task, advance=1, description=description)
        if time.monotonic() - self.drawn >= SECONDS_BETWEEN_DRAWINGS:
            self.progress.refresh()
            self.drawn = time.monotonic()

    def say(self, text):
        self.progress.console.print(text)

    def stop(self):
        try:
            if self.progress is not None and self.progress.live.is_started:
                self.progress.refresh()  # in a notebook stop() does not
                self.progress.stop()
        finally:
            if _shown.get("bar") is self:
                del _shown["bar"]

    def abandon(self):
        """Stop without output, and drop what rich could not write: otherwise rich would print that later."""
        if self.progress is None:
            self.stop()
            return
        console = self.progress.console
        console.quiet = True
        try:
            console.print()
            self.stop()
        finally:
            console.quiet = self.was_quiet


def _succeeds(function, *arguments):
    """Call a function that displays something; returns whether it did so without an error.

    Output may be closed, its reader may have ended, or its encoding may lack a character; another program part may use
    rich; and an object in place of `sys.stdout` may raise any error.
    """
    try:
        function(*arguments)
    except Exception:
        return False
    except SystemExit as error:
        if isinstance(error.__context__, BrokenPipeError):  # rich would end the program
            return False
        raise
    return True


def progress(verbose, total, beside_bars=False, unit="epoch"):
    """Make the object that shows the progress of a fit, or of several side by side.

    Parameters
    ----------
    verbose : int
        0 shows nothing, 1 lines, and 2 a live bar if rich or tqdm is installed.
    total : int
        The largest number of epochs, or the number of fits.
    beside_bars : bool, default=False
        Whether callbacks show live bars of this fit. Two live bars would disturb each other, so lines are shown.
    unit : {"epoch", "fit"}, default="epoch"
        What is counted.

    Returns
    -------
    NoProgress
        An instance of the class or of a subclass, whose context is entered while the fit runs.
    """
    if not verbose:
        return NoProgress()
    if verbose >= 2 and not beside_bars:
        for library, display in (("rich", RichBar), ("tqdm", TqdmBar)):
            if importlib.util.find_spec(library):
                return Bar(display(total, unit))
    return Lines()
