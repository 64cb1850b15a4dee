"""The picture of the landing page: seconds per epoch of several libraries, beside the accuracy that is recorded."""

import matplotlib.pyplot as plt
from recorded import row, said

FASTNN, OTHERS = "#b35806", "#7f8fa6"


def recorded(libraries, table, work, seconds=1.0):
    """The seconds per epoch of each library, whose columns have this order, and how many times fastnn's they are."""
    cells = row(table, work)[: len(libraries)]
    return {name: (number * seconds, ratio) for name, (number, ratio) in zip(libraries, cells, strict=True)}


def epochs():
    """For each network, the figures of the libraries, the fastest first."""
    dense = recorded(
        ["fastnn", "scikit-learn", "PyTorch", "JAX"],
        "| work | fastnn | scikit-learn | PyTorch | JAX |",
        "an epoch of the reference network",
    )
    convnet = recorded(
        ["fastnn", "PyTorch", "Keras on JAX", "JAX"],
        "`compare.py convnet fastnn torch keras_jax jax --rounds 2`",
        "an epoch, s",
    )
    gru = recorded(
        ["fastnn", "PyTorch", "Keras on JAX"],
        "`compare.py gru fastnn torch keras_jax --rounds 2`",
        "GRU, an epoch, ms",
        seconds=1e-3,
    )
    networks = {
        "dense, 784-512-256-10\n60,000 images, RMSprop": dense,
        "convolutional, 32 and 64 filters\n12,800 images, Adam": convnet,
        "recurrent, GRU of 128 units\n12,800 images, Adam": gru,
    }
    return {title: dict(sorted(times.items(), key=lambda item: item[1])) for title, times in networks.items()}


def accuracies():
    """For each network, the accuracies on MNIST's test images, by library: one for each seed, or mean and deviation."""
    mean, deviation = said(r"mean (0\.\d+), standard deviation (0\.\d+) \|")
    convnet = said(r"seeds 0, 1 and 2, is (0\.\d+), (0\.\d+) and (0\.\d+) after 5 epochs")
    torch = said(r"PyTorch's network of `compare.py` has (0\.\d+) and (0\.\d+) after 5 epochs")
    gru = said(r"GRU's accuracy is (0\.\d+) after 5 epochs")
    return [
        {"fastnn": ([mean], deviation, "8 epochs, ten seeds")},
        {"fastnn": (convnet, None, "5 epochs, three seeds"), "PyTorch": (torch, None, "5 epochs, two seeds")},
        {"fastnn": (gru, None, "5 epochs, one seed")},
    ]


def draw():
    """Bars of seconds, and beside them points of accuracy on the same rows, where there is one."""
    networks, scores = epochs(), accuracies()
    sizes = [len(times) for times in networks.values()]
    figure, axes = plt.subplots(
        len(networks), 2, figsize=(9, 5.6), layout="constrained", width_ratios=[3, 2], height_ratios=sizes, sharex="col"
    )
    for (left, right), (title, times), score in zip(axes, networks.items(), scores, strict=True):
        left.set_title(title, loc="left", fontsize=9)
        left.set_yticks(range(len(times)), times)
        right.set_yticks(range(len(times)), [])
        for place, (name, (seconds, ratio)) in enumerate(times.items()):
            colour = FASTNN if name == "fastnn" else OTHERS
            left.barh(place, seconds, color=colour)
            left.annotate(f" {seconds:.2f} s" + f"  ({ratio})" * bool(ratio), (seconds, place), va="center", fontsize=9)
            values, deviation, what = score.get(name, ([], None, "not recorded"))
            if values:
                right.errorbar(values, [place] * len(values), xerr=deviation, fmt="o", ms=4, color=colour, capsize=3)
            right.annotate(what, (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=8)
        left.invert_yaxis()
        right.set_ylim(left.get_ylim())
    axes[-1, 0].set_xlim(0, 10)
    axes[-1, 0].set_xlabel("seconds per epoch (less is better)")
    axes[-1, 1].set_xlim(0.973, 0.992)
    axes[-1, 1].set_xlabel("accuracy on MNIST's test images")
    return figure
