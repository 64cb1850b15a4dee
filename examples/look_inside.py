"""
A convolutional network in four pictures
========================================

The network learns digits. The pictures are of its layers, its curves, its filters, and of one digit that it mistakes.

It needs matplotlib: pip install 'scikit-fastnn[plot]'. The pictures are saved in a folder, which is printed.
"""

import os
import tempfile

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fastnn import SequentialClassifier
from fastnn.layers import Conv2D, Dense, Dropout, MaxPooling2D
from fastnn.plot import ActivationsDisplay, LossCurveDisplay, NetworkDisplay, WeightsDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X.reshape(-1, 8, 8) / 16, y, random_state=0)
model = SequentialClassifier(
    [Conv2D(16, 3), MaxPooling2D(), Dropout(0.2), Dense(32)],
    learning_rate_init=0.005,
    early_stopping=True,
    random_state=0,
)
model.fit(X_train, y_train)
print(f"accuracy: {model.score(X_test, y_test):.3f}")

mistakes = (model.predict(X_test) != y_test).nonzero()[0]
pictures = {
    "layers": NetworkDisplay.from_estimator(model),
    "curves": LossCurveDisplay.from_estimator(model, validation="both"),
    "filters": WeightsDisplay.from_estimator(model),
    "a mistake": ActivationsDisplay.from_estimator(model, X_test, sample=mistakes[0]),
}
folder = tempfile.mkdtemp()
for name, display in pictures.items():
    display.figure_.savefig(os.path.join(folder, f"{name}.png"))
print(f"{', '.join(pictures)}: in {folder}")
