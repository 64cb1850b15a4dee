"""What the docstrings of several layers say, written once: see `fastnn._docstrings`."""

from fastnn._docstrings import documenting

#: The parts, by their names.
PARTS = {
    "activation": """\
activation : str or None, default="relu"
    The function of the sum: see `Activation`. Keras's default is None.
""",
    "biases of filters": """\
use_bias : bool, default=True
    Whether each filter has a bias.
""",
    "trainable": """\
trainable : bool, default=True
    Whether training changes the weights.
""",
    "activation of gates": """\
recurrent_activation : str or None, default="sigmoid"
    The function of the gates' sums: any that `activation` may be.
""",
    "the way through the steps": """\
return_sequences : bool, default=False
    Whether the outputs at all steps are passed on, or those at the last one only.
go_backwards : bool, default=False
    Whether the last step is read first.
dropout : float, default=0.0
    The probability of each input to be replaced by 0 in training, in [0, 1).
""",
    "windows over maps": """\
pool_size : int or (int, int), default=2
    The height and width of the window.
strides : int or (int, int) or None, default=None
    The distance from one window to the next. None is `pool_size`.
padding : {"valid", "same"}, default="valid"
    "valid": the windows stay inside the map. "same": they may reach over its edges, so that height and width are
    divided by the strides, rounded up.
""",
    "windows over sequences": """\
pool_size : int, default=2
    The number of steps of the window.
strides : int or None, default=None
    The distance from one window to the next. None is `pool_size`.
padding : {"valid", "same"}, default="valid"
    "valid": the windows stay inside the sequence. "same": they may reach over its ends, so that the steps are divided
    by the strides, rounded up.
""",
}

documented = documenting(PARTS)
