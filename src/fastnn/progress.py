"""What a fit prints: nothing, a line an epoch, or a live bar."""

import importlib.util


class Silence:
    """verbose=0."""

    def epoch(self, number, loss, score):
        """An epoch has ended; score is None where nothing is held out."""

    def say(self, text):
        """Something else that is worth a line."""

    def close(self):
        """The fit has ended."""


class Lines(Silence):
    """verbose=1: scikit-learn's lines."""

    def epoch(self, number, loss, score):
        print(f"Iteration {number}, loss = {loss:.8f}")
        if score is not None:
            print(f"Validation score: {score:f}")

    def say(self, text):
        print(text)


class TqdmBar(Silence):
    """verbose=2, where tqdm is installed."""

    def __init__(self, n_epochs):
        from tqdm.auto import tqdm

        self.bar = tqdm(total=n_epochs, unit="epoch")

    def epoch(self, number, loss, score):
        scores = {} if score is None else {"score": f"{score:.4f}"}
        self.bar.set_postfix(loss=f"{loss:.6f}", **scores, refresh=False)
        self.bar.update()

    def say(self, text):
        self.bar.write(text)

    def close(self):
        self.bar.close()


class RichBar(Silence):
    """verbose=2, where rich is installed."""

    def __init__(self, n_epochs):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = TextColumn("epoch"), MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}")
        self.progress = Progress(*columns, TimeRemainingColumn())
        self.task = self.progress.add_task("", total=n_epochs)
        self.progress.start()

    def epoch(self, number, loss, score):
        description = f"loss {loss:.6f}" + ("" if score is None else f", score {score:.4f}")
        self.progress.update(self.task, advance=1, description=description)

    def say(self, text):
        self.progress.console.print(text)

    def close(self):
        self.progress.stop()


def progress(verbose, n_epochs):
    """What prints, for a value of `verbose`: lines too where a bar is asked for and neither library is installed."""
    if not verbose:
        return Silence()
    if verbose >= 2:
        for library, bar in (("rich", RichBar), ("tqdm", TqdmBar)):
            if importlib.util.find_spec(library):
                return bar(n_epochs)
    return Lines()
