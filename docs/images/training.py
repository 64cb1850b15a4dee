"""Draws the README's picture: how its first network learns, what it learns, and what it answers.

python docs/images/training.py [FILE]
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fastnn import SequentialClassifier
from fastnn.layers import Conv2D, Dropout, MaxPooling2D
from fastnn.plot import LossCurveDisplay, WeightsDisplay

N_ROWS, N_COLUMNS = 4, 4  # of answers


def trained_as_in_the_readme():
    """The network, and the images and digits that it has not seen."""
    images, digits = load_digits().images / 16, load_digits().target
    train, test, digits_train, digits_test = train_test_split(images, digits, random_state=0)
    layers = [Conv2D(16, 3, padding="same"), MaxPooling2D(2), Conv2D(32, 3, padding="same"), Dropout(0.5)]
    convnet = SequentialClassifier(layers, learning_rate_init=0.005, early_stopping=True, random_state=0)
    return convnet.fit(train, digits_train), test, digits_test


def draw_answers(figure, convnet, images, digits):
    """Some images with the answer below each: at least one is a mistake, if there are any."""
    answers = convnet.predict(images)
    mistakes = (answers != digits).nonzero()[0]
    last = N_ROWS * N_COLUMNS - 1
    shown = [*range(last), mistakes[0] if len(mistakes) else last]
    figure.suptitle(f"{len(images)} new images: {(answers == digits).mean():.1%} are right", fontsize=11)
    for ax, i in zip(figure.subplots(N_ROWS, N_COLUMNS).flat, shown, strict=True):
        ax.imshow(images[i], cmap="cividis")
        ax.set(xticks=[], yticks=[])
        is_right = answers[i] == digits[i]
        ax.set_xlabel(
            answers[i] if is_right else f"{answers[i]}, not {digits[i]}",
            color="black" if is_right else "#D55E00",
            weight="normal" if is_right else "bold",
            labelpad=2,
        )


def main(file):
    convnet, images, digits = trained_as_in_the_readme()
    figure = plt.figure(figsize=(13, 4.2), layout="constrained")
    curves, filters, answers = figure.subfigures(1, 3, width_ratios=(1.25, 1, 0.85), wspace=0.04)
    LossCurveDisplay.from_estimator(convnet, validation="both", ax=curves.subplots())
    WeightsDisplay.from_estimator(convnet, ax=filters.subplots())
    draw_answers(answers, convnet, images, digits)
    figure.savefig(file, dpi=90)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_suffix(".png"))
