"""Small modules, for tests of modular networks."""

from fastnn import MLPClassifier

SHORT = {"max_iter": 4, "batch_size": 32, "random_state": 0}
ALL = slice(None)


def network(*sizes, **parameters):
    return MLPClassifier(sizes or (16,), **SHORT | parameters)


def halves(**parameters):
    return [("upper", network(), slice(0, 32)), ("lower", network(12, random_state=1), slice(32, 64))]


def weights_of(network):
    return [array.tobytes() for array in network._network.weights()]
