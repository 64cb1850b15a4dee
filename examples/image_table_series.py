"""
An image, a table and a series in one model
===========================================

A modular network reads each of them by a network that suits it.

A machine is photographed, asked how it is run, and listened to. It is about to fail if the photograph has a bright
spot, if it is old and hot, or if its sound has a high tone: no module can know of all three.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from fastnn import MLPClassifier, ModularClassifier, SequentialClassifier
from fastnn.layers import GRU, Conv2D, GlobalMaxPooling2D
from fastnn.typing import NetworkParameters

SIZE, N_STEPS, N_SAMPLES = 10, 24, 2000
rng = np.random.default_rng(0)

# The image, the table and the series of each machine, side by side in one table.
images = rng.uniform(0, 0.3, (N_SAMPLES, SIZE, SIZE))
has_spot = rng.random(N_SAMPLES) < 0.3
for i in np.flatnonzero(has_spot):
    row, column = rng.integers(1, SIZE - 1, 2)
    images[i, row - 1 : row + 2, column - 1 : column + 2] += 0.5
age_and_heat = rng.uniform(size=(N_SAMPLES, 2))
is_worn = age_and_heat.sum(axis=1) > 1.4
has_tone = rng.random(N_SAMPLES) < 0.3
frequencies = np.where(has_tone, 2.5, 0.5)[:, None]
sounds = np.sin(frequencies * np.arange(N_STEPS) + rng.uniform(0, 6, (N_SAMPLES, 1)))
sounds += rng.normal(0, 0.3, sounds.shape)
X = np.hstack([images.reshape(N_SAMPLES, -1), age_and_heat, sounds])
y = np.where(has_spot | is_worn | has_tone, "fails", "runs")
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

training: NetworkParameters = {"learning_rate_init": 0.01, "max_iter": 100, "early_stopping": True, "random_state": 0}
n_pixels = SIZE * SIZE
modules = [
    (
        "image",
        SequentialClassifier([Conv2D(8, 3), GlobalMaxPooling2D()], input_shape=(SIZE, SIZE), **training),
        slice(0, n_pixels),
    ),
    ("table", MLPClassifier((16,), **training), slice(n_pixels, n_pixels + 2)),
    ("sound", SequentialClassifier([GRU(8)], input_shape=(N_STEPS, 1), **training), slice(n_pixels + 2, None)),
]
model = ModularClassifier(modules, combine=LogisticRegression(), cv=3).fit(X_train, y_train)

for name, accuracy in model.score_modules(X_test, y_test).items():
    print(f"{name:10}{accuracy:.3f}")
print(f"{'together':10}{model.score(X_test, y_test):.3f}")
