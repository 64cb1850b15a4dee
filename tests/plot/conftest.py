"""Pictures need matplotlib."""

import pytest


def pytest_ignore_collect(collection_path):
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return collection_path.name.startswith("test_")
    return None


@pytest.fixture(autouse=True)
def no_figures_are_left():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")
