"""Functions that are called after each epoch: the user's own, and scikit-learn's callbacks."""

import copy
import importlib.util
import sys
import warnings

import numpy as np
import pytest
from sklearn.base import clone

import fastnn
from fastnn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
callbacks = pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")


@pytest.fixture
def data(rng):
    X = rng.normal(size=(80, 4))
    return X, rng.integers(0, 3, 80)


def classifier(**parameters):
    return MLPClassifier(**{"hidden_layer_sizes": (5,), "max_iter": 6, "random_state": 0} | parameters)


# -- the user's function -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_a_function_sees_each_epochs_model(solver, data):
    X, y = data
    seen = []

    def look(model):
        seen.append((model.n_iter_, list(model.loss_curve_), model.predict_proba(X)))

    fitting = classifier(solver=solver, callback=look).fit(X, y)
    assert [n for n, _, _ in seen] == list(range(1, 7))
    assert seen[-1][1] == fitting.loss_curve_
    np.testing.assert_array_equal(seen[-1][2], fitting.predict_proba(X))
    early = classifier(solver=solver, max_iter=3).fit(X, y)
    np.testing.assert_allclose(seen[2][2], early.predict_proba(X), rtol=1e-12)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_function_stops_the_fit(solver, data):
    stopped = classifier(solver=solver, max_iter=50, callback=lambda model: model.n_iter_ == 4).fit(*data)
    assert stopped.n_iter_ == len(stopped.loss_curve_) == 4
    at_end = classifier(solver=solver, max_iter=4).fit(*data)
    np.testing.assert_array_equal(stopped.coefs_[0], at_end.coefs_[0])


def test_what_a_function_sets_on_the_estimator_stays(data):
    X, y = data
    fitting = classifier(max_iter=4).fit(X, y)
    fitting.history, old = [], fitting.coefs_[0]
    fitting.in_use = True

    def note(model):
        fitting.history = [*fitting.history, model.n_iter_]
        fitting.newest = model.n_iter_
        fitting.set_params(max_iter=fitting.max_iter + 1)
        vars(fitting).pop("in_use", None)

    for warm_start in (False, True):
        fitting.set_params(max_iter=4, warm_start=warm_start, callback=note, random_state=1).fit(X, y)
        assert fitting.n_iter_ == 4
        assert fitting.max_iter == 8  # for the next fit
        assert fitting.newest == 4
        assert not np.array_equal(fitting.coefs_[0], old)
    assert fitting.history == 2 * [1, 2, 3, 4]
    assert not hasattr(fitting, "in_use")


@pytest.mark.parametrize("method", ["fit", "partial_fit", "coefs_"])
def test_a_function_cannot_fit_the_estimator_itself(method, data):
    def again(model):
        setattr(fitting, method, fitting.coefs_) if method == "coefs_" else getattr(fitting, method)(*data)

    fitting = classifier().fit(*data).set_params(callback=again)
    with pytest.raises(RuntimeError, match=r"is being fitted: a function that its fit calls.* cannot change it"):
        fitting.fit(*data)
    fitting.set_params(callback=None).fit(*data)


def test_a_functions_model_keeps_changing_and_the_fitted_one_does_not(data):
    """It shares the fit's curves, since a copy of them in each epoch would take time."""
    X, y = data
    kept = []
    fitting = classifier(callback=kept.append, warm_start=True).fit(X, y, X_val=X, y_val=y)
    for name in ("loss_curve_", "validation_scores_", "validation_loss_curve_"):
        curves = [getattr(model, name) for model in kept]
        assert all(curve is curves[0] for curve in curves)
        assert curves[0] == getattr(fitting, name)
        assert curves[0] is not getattr(fitting, name)


@pytest.mark.parametrize("method", ["partial_fit", "coefs_"])
def test_a_functions_model_cannot_be_trained_under_the_fit_but_a_copy_can(method, data):
    """The two share an optimizer, so the fit would otherwise continue with the model's network."""

    def change(model):
        for one in (copy.deepcopy(model), model):
            one.set_params(callback=None)
            setattr(one, method, one.coefs_) if method == "coefs_" else getattr(one, method)(*data)

    fitting = classifier().fit(*data)
    before = fitting.coefs_
    with pytest.raises(RuntimeError, match="train a copy of the model"):
        fitting.set_params(callback=change).partial_fit(*data)
    np.testing.assert_array_equal(fitting.coefs_[0], before[0])
    fitting.set_params(callback=None).partial_fit(*data)
    assert not np.array_equal(fitting.coefs_[0], before[0])


def test_a_function_that_fails_fails_the_fit(data):
    def fail(model):
        raise KeyError(model.n_iter_)

    model = classifier().fit(*data)
    before = model.coefs_
    with pytest.raises(KeyError):
        model.set_params(callback=fail, warm_start=True).fit(*data)
    np.testing.assert_array_equal(model.coefs_[0], before[0])


# -- scikit-learn's callbacks ------------------------------------------------------------------------------------------


class Recorder:
    """A callback that notes its calls, and may stop the fit or fail."""

    def __init__(self, stop_at=None, fail_at=None):
        self.calls, self.stop_at, self.fail_at = [], stop_at, fail_at

    def setup(self, estimator, context):
        self.calls.append(("setup", context.max_subtasks))

    def teardown(self, estimator, context):
        self.calls.append(("teardown", context.task_name))

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None, metadata=None):
        self.calls.append(("begin", context.task_name, context.task_id, metadata))
        self.data = X, y

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        assert fitted_estimator is not estimator
        self.calls.append(("end", context.task_name, context.task_id))
        self.last = fitted_estimator
        if context.task_name == "epoch" and context.task_id + 1 == self.fail_at:
            raise RuntimeError("as it was told to")
        return context.task_name == "epoch" and context.task_id + 1 == self.stop_at


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_hooks(solver, data):
    X, y = data
    recorder = Recorder()
    model = classifier(solver=solver, max_iter=3).set_callbacks(recorder).fit(X, y, np.ones(80))
    names = [call[:3] for call in recorder.calls]
    epochs = [(what, "epoch", i) for i in range(3) for what in ("begin", "end")]
    assert names[0] == ("setup", 3)
    assert [name for name in names if "epoch" in name][:6] == epochs
    assert names[-2:] == [("end", "fit", 0), ("teardown", "fit")]
    assert recorder.data[0] is X
    assert recorder.calls[1][3]["sample_weight"].tolist() == [1] * 80
    np.testing.assert_array_equal(recorder.last.predict_proba(X), model.predict_proba(X))
    assert not hasattr(model, "_callback_fit_ctx")
    plain = classifier(solver=solver, max_iter=3).fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], plain.coefs_[0])


def test_a_callbacks_estimator_is_its_own(data):
    """It does not change while training continues."""
    kept = []

    class Keeper(Recorder):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            kept.append(fitted_estimator)

    X, y = data
    classifier(max_iter=3).set_callbacks(Keeper()).fit(X, y)
    for n, model in enumerate(kept[:3], start=1):
        np.testing.assert_array_equal(model.predict_proba(X), classifier(max_iter=n).fit(X, y).predict_proba(X))


def test_a_callback_stops_the_fit(data):
    model = classifier(max_iter=50).set_callbacks(Recorder(stop_at=4)).fit(*data)
    assert model.n_iter_ == 4


def test_a_callback_that_fails(data):
    recorder = Recorder(fail_at=2)
    model = classifier().fit(*data)
    before, attributes = model.coefs_, dict(vars(model))
    model.set_callbacks(recorder)
    with pytest.raises(RuntimeError, match="as it was told to"):
        model.fit(*data)
    assert recorder.calls[-1] == ("teardown", "fit")
    model.set_callbacks()
    assert vars(model).keys() == attributes.keys()
    np.testing.assert_array_equal(model.coefs_[0], before[0])
    model.fit(*data)


def test_scoring_monitor(data):
    monitor = callbacks.ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    X, y = data
    classifier(max_iter=4).set_callbacks(monitor).fit(X, y)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert [row["task_id"] for row in rows] == [0, 1, 2, 3]
    assert rows[-1]["accuracy"] == classifier(max_iter=4).fit(X, y).score(X, y)


@pytest.mark.parametrize("estimator", [MLPClassifier, MLPRegressor])
def test_progress_bar(estimator, data, capsys):
    pytest.importorskip("rich")
    estimator(max_iter=4).set_callbacks(callbacks.ProgressBar()).fit(*data)
    assert estimator.__name__ in capsys.readouterr().out


def test_callbacks_survive_a_clone(data):
    recorder = Recorder()
    clone(classifier().set_callbacks(recorder)).fit(*data)
    assert ("setup", 6) in recorder.calls or any(call[0] == "setup" for call in recorder.calls)


def test_they_cannot_be_saved(data, tmp_path):
    with pytest.raises(TypeError, match="attributes that cannot be saved: _skl_callbacks"):
        fastnn.save(classifier().set_callbacks(Recorder()), tmp_path / "model")


def test_before_scikit_learn_1_9(monkeypatch, data):
    """Without its callbacks, everything else works."""
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    for name in ("fastnn._sklearn", "fastnn.training.callbacks"):
        spec = importlib.util.find_spec(name)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
    assert not hasattr(sys.modules["fastnn._sklearn"].CallbackSupportMixin, "set_callbacks")
    ended = module.Callbacks(classifier(callback=lambda model: model == "a model"), *data, None, 3)
    ended.begin(lambda: "a model")
    ended.epoch_begins()
    assert ended.epoch_ended()
    ended.end()


def test_the_functions_model_knows_the_columns_names(data):
    """It predicts from the frame that the fit was given, without a warning."""
    pandas = pytest.importorskip("pandas")
    X, y = data
    frame, scores = pandas.DataFrame(X, columns=list("abcd")), []
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="X .* feature names")
        classifier(callback=lambda model: scores.append(model.score(frame, y)), early_stopping=True).fit(frame, y)
    assert len(scores) == 6
