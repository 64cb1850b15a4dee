"""`from_torch`: PyTorch's networks predict the same in fastnn, and can be trained further."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", exc_type=ImportError)

from torch import nn  # noqa: E402

from fastnn import SequentialClassifier, SequentialRegressor  # noqa: E402
from fastnn.export import from_torch  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def samples(*shape):
    return rng.normal(size=shape).astype(np.float32)


def with_statistics(module):
    for each in module.modules():
        if hasattr(each, "running_var"):
            each.running_var.uniform_(0.5, 2)
            each.running_mean.normal_()
            nn.init.normal_(each.bias)
    return module.eval()


def outputs(module, X, channels_first=False):
    X = np.moveaxis(X, -1, 1) if channels_first else X
    with torch.no_grad():
        return module(torch.from_numpy(np.ascontiguousarray(X))).numpy()


def near(got, expected):
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5)


ACTIVATIONS = (
    *(nn.ReLU(), nn.Sigmoid(), nn.Tanh(), nn.LeakyReLU(), nn.ELU(), nn.Softplus(), nn.GELU(), nn.SiLU()),
    nn.Identity(),
)


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda module: type(module).__name__)
def test_dense_layers(activation):
    module = with_statistics(
        nn.Sequential(
            nn.Sequential(nn.Linear(5, 8), activation, nn.Dropout(0.1)),
            nn.BatchNorm1d(8), nn.LayerNorm(8), nn.Linear(8, 4, bias=False), activation, nn.Linear(4, 3),
        )
    )  # fmt: skip
    X = samples(9, 5)
    model = from_torch(module)
    assert type(model) is SequentialRegressor
    near(model.predict(X), outputs(module, X))


IMAGES = {
    "padding": (nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
    "strides": (nn.Conv2d(2, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.AvgPool2d(2, stride=1)),
    "dilation": (nn.Conv2d(2, 4, (1, 3), dilation=(1, 2)), nn.MaxPool2d(3, 2, 1)),
    "groups": (nn.Conv2d(2, 4, 3, groups=2, padding="same"), nn.AvgPool2d(3, 1, 1, count_include_pad=False)),
    "vectors": (nn.Conv2d(2, 4, 3), nn.AdaptiveAvgPool2d(1)),
    "largest": (nn.Conv2d(2, 4, 3), nn.AdaptiveMaxPool2d((1, 1))),
}


@pytest.mark.parametrize("name", IMAGES)
def test_images(name):
    """What is flattened has its channels first there, and last here."""
    X = samples(7, 9, 11, 2)
    hidden = nn.Sequential(*IMAGES[name], nn.Flatten())
    n = outputs(hidden, X, channels_first=True).shape[1]
    module = with_statistics(nn.Sequential(hidden, nn.BatchNorm1d(n), nn.Tanh(), nn.Linear(n, 3), nn.Softmax(1)))
    model = from_torch(module, (9, 11, 2))
    near(model.predict_proba(X), outputs(module, X, channels_first=True))


@pytest.mark.parametrize("steps", [20, None])
def test_convolutions_over_sequences(steps):
    module = nn.Sequential(
        nn.Conv1d(3, 4, 3), nn.ReLU(), nn.AvgPool1d(2), nn.Conv1d(4, 5, 2, stride=2), nn.AdaptiveMaxPool1d(1),
        nn.Flatten(), nn.Linear(5, 2),
    )  # fmt: skip
    X = samples(7, 20, 3)
    model = from_torch(module, (steps, 3))
    near(model.predict(X if steps else list(X)), outputs(module, X, channels_first=True))


class LastState(nn.Module):
    def __init__(self, recurrent):
        super().__init__()
        self.recurrent = recurrent

    def forward(self, x):
        state = self.recurrent(x)[1]
        state = state[0] if isinstance(state, tuple) else state
        return torch.cat([state[-2], state[-1]], dim=1) if self.recurrent.bidirectional else state[-1]


@pytest.mark.parametrize("cell", [nn.RNN, nn.GRU, nn.LSTM])
@pytest.mark.parametrize(("n_layers", "both", "bias"), [(1, False, True), (2, True, True), (3, False, False)])
def test_recurrent_layers(cell, n_layers, both, bias):
    recurrent = cell(3, 5, n_layers, batch_first=True, bidirectional=both, bias=bias)
    output = nn.Linear(10 if both else 5, 2)
    X = samples(6, 8, 3)
    model = from_torch([recurrent, output])
    near(model.predict(list(X)), outputs(nn.Sequential(LastState(recurrent), output), X))
    embedding = nn.Embedding(9, 3)
    tokens = rng.integers(0, 9, (6, 8))
    model = from_torch([embedding, recurrent, output])
    near(model.predict(list(tokens)), outputs(nn.Sequential(embedding, LastState(recurrent), output), tokens))


def test_classes():
    X = samples(20, 5)
    logits = nn.Sequential(nn.Linear(5, 3))
    model = from_torch(logits, classes=["a", "b", "c"])
    assert type(model) is SequentialClassifier
    near(model.predict_proba(X), outputs(nn.Sequential(logits, nn.Softmax(1)), X))
    assert set(model.predict(X)) <= {"a", "b", "c"}
    two = nn.Sequential(nn.Linear(5, 2))
    near(from_torch(two, classes=[5, 7]).predict_proba(X), outputs(nn.Sequential(two, nn.Softmax(1)), X))
    one = nn.Sequential(nn.Linear(5, 1))
    for module, its in (one, {"classes": ["n", "y"]}), (nn.Sequential(one, nn.Sigmoid()), {}):
        near(from_torch(module, **its).predict_proba(X)[:, 1:], outputs(nn.Sequential(one, nn.Sigmoid()), X))
    labels = nn.Sequential(nn.Linear(5, 3), nn.Sigmoid())
    for its in {}, {"multilabel": True}:
        assert from_torch(labels, **its).predict(X).shape == (20, 3)
    near(from_torch(logits, multilabel=True).predict_proba(X), outputs(nn.Sequential(logits, nn.Sigmoid()), X))


def test_training_goes_on_and_frozen_layers_stay():
    module = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 9, 2))
    for parameter in module[0].parameters():
        parameter.requires_grad = False
    X = samples(40, 5, 5, 1)
    y = X.mean(axis=(1, 2, 3)) > 0
    model = from_torch(module, (5, 5, 1), classes=[False, True], learning_rate_init=0.01, random_state=0)
    assert [layer.trainable for layer in model.layers if hasattr(layer, "trainable")] == [False]
    before = [dict(each) for each in model.weights_]
    loss = model.partial_fit(X, y, epochs=5).loss_curve_
    assert loss[-1] < loss[0]
    np.testing.assert_array_equal(model.weights_[0]["kernel"], before[0]["kernel"])
    assert (model.weights_[-1]["kernel"] != before[-1]["kernel"]).any()
    model.set_params(layers__0__trainable=True).partial_fit(X, y)
    assert (model.weights_[0]["kernel"] != before[0]["kernel"]).any()


def test_types():
    assert from_torch(nn.Sequential(nn.Linear(2, 1)).double())._network.dtype == np.float64
    assert from_torch(nn.Sequential(nn.Linear(2, 1)).half())._network.dtype == np.float32
    assert from_torch(nn.Sequential(nn.Linear(2, 1)), dtype="float64")._network.dtype == np.float64


class Net(nn.Sequential):
    def forward(self, x):
        return super().forward(x) + 1


REFUSED = {
    "of another kind": (nn.Sequential(nn.Conv3d(1, 1, 2), nn.Linear(1, 1)), (3, 3, 1), "got Conv3d"),
    "of one's own": (Net(nn.Linear(2, 1)), None, "module must be a Sequential with PyTorch's own forward"),
    "padding": (
        nn.Sequential(nn.Conv2d(1, 1, 3, stride=2, padding=1), nn.Flatten(), nn.Linear(16, 1)),
        (8, 8, 1),
        r'padding of module\[0\], a Conv2d, must add what "same" adds',
    ),
    "padding mode": (nn.Sequential(nn.Conv2d(1, 1, 3, padding_mode="circular")), (8, 8, 1), "padding_mode of"),
    "a slope": (nn.Sequential(nn.Linear(2, 2), nn.LeakyReLU(0.2)), None, "negative_slope of .* must be 0.01"),
    "no end": (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), None, "must end in a dense layer"),
    "no shape": (nn.Sequential(nn.Conv2d(1, 1, 1), nn.Flatten(), nn.Linear(2, 2)), None, "input_shape must be"),
    "another shape": (nn.Sequential(nn.Linear(2, 2)), (3,), r"kernel of module\[0\], .* must have shape \(3, 2\)"),
    "channels": (
        nn.Sequential(nn.Conv1d(3, 4, 1), nn.Linear(4, 1)),
        (4, 3),
        "must read channels after steps or positions",
    ),
    "after softmax": (
        nn.Sequential(nn.Linear(2, 2), nn.Softmax(1), nn.Linear(2, 1)),
        None,
        "must be the last function",
    ),
    "softmax of channels": (nn.Sequential(nn.Linear(2, 2), nn.Softmax(0)), None, "dim of"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    module, shape, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        from_torch(module, shape)
