"""What `fastnn.` and Tab offer."""

import fastnn


def test_completion_offers_the_public_names():
    offered = {name for name in dir(fastnn) if not name.startswith("__")}
    assert offered == {
        *("MLPClassifier", "MLPRegressor", "Perceptron", "SequentialClassifier", "SequentialRegressor"),
        *("ModularClassifier", "ModularRegressor"),
        *("export", "fit_many", "layers", "load", "plot", "save", "sequences", "show_config", "streams"),
    }
    assert {"__version__", "__doc__", "__all__"} <= set(dir(fastnn))
    assert all(hasattr(fastnn, name) for name in dir(fastnn))
