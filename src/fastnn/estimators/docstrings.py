"""What the docstrings of several estimators say, written once: see `fastnn._docstrings`."""

from fastnn._docstrings import documenting
from fastnn.engine.activation import activation_names
from fastnn.estimators.parameters import (
    CLASSIFIER_ATTRIBUTES,
    CLASSIFIER_PARAMETERS,
    LAYERS_ATTRIBUTES,
    LAYERS_PARAMETERS,
    LOSS_PARAMETER,
    MLP_ATTRIBUTES,
    MLP_PARAMETERS,
    REFERENCES,
    REGRESSOR_PARAMETERS,
    REGRESSOR_REFERENCES,
    SHARED_ATTRIBUTES,
    SHARED_PARAMETERS,
)
from fastnn.training.schedules import SCHEDULES
from fastnn.training.solvers import SOLVERS


def _quoted(names):
    return ", ".join(f'"{name}"' for name in names)


#: The parts, by their names.
PARTS = {
    "parameters of every network": SHARED_PARAMETERS.format(solvers=_quoted(SOLVERS), schedules=_quoted(SCHEDULES)),
    "parameters of multilayer perceptrons": MLP_PARAMETERS.format(activations=", ".join(activation_names)),
    "layers": LAYERS_PARAMETERS,
    "weights of layers": LAYERS_ATTRIBUTES,
    "parameters of classifiers": CLASSIFIER_PARAMETERS,
    "loss of regressors": LOSS_PARAMETER,
    "parameters of regressors": REGRESSOR_PARAMETERS,
    "attributes of every network": SHARED_ATTRIBUTES,
    "attributes of classifiers": CLASSIFIER_ATTRIBUTES,
    "coefs and intercepts": MLP_ATTRIBUTES,
    "references": REFERENCES,
    "references of regressors": REGRESSOR_REFERENCES,
    "modular networks": """\
Modules know nothing of each other: each has columns of X and a target of its own, and only their outputs meet. So each
is the same, bit for bit, as its estimator fitted alone, one can be fitted anew without the others, and a wrong one
spoils little. docs/modular.md is the guide.
""",
    "modules": """\
modules : list of (name, estimator, columns)
    The modules: any estimators, and the columns that each reads, which may overlap. Columns are what
    `ColumnTransformer` takes: an integer or a string, a list of such, a slice, a mask, or a function of X; one integer
    or string alone makes a vector. With ``slice(None)`` for all modules, X may also be images, or sequences of any
    length. "drop" in place of an estimator leaves the module out.
targets : dict of str to int, str or callable, default=None
    What modules learn, by their names, in place of y: a column of y, by its number or name, or a function of y that
    returns an array.
""",
    "parameters of modular networks": """\
weights : array-like of shape (n_modules,), default=None
    What each module counts for in the mean, the product or the vote. None is 1 for each.
cv : int, cross-validation generator or iterable, default=5
    The folds, as in `sklearn.model_selection.check_cv`, whose held-out parts a model that is `combine` is trained on.
passthrough : bool, default=False
    Whether a model that is `combine` reads X, too.
on_error : {"raise", "skip"}, default="raise"
    What to do where the fit of a module fails: raise its error, or warn and go on without it.
n_threads : int, default=None
    The most threads to fit on. Whole modules go to threads while there are enough of these. None is what the
    environment allows. The model has the same bits for any number.
""",
    "attributes of modular networks": """\
named_modules_ : Bunch
    The fitted estimators by the modules' names, also as attributes.
combiner_ : estimator
    The fitted model that combines outputs, if `combine` is one.
combined_scores_ : ndarray of shape (n_folds,)
    The score of such a model on the part of the samples that each fold holds out, trained on those of the others.
n_features_in_ : int
    The number of columns of X. It is not there for images and sequences of several axes.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    The names of the columns, if they are all strings.
""",
    "X of modules": """\
X : array-like, frame or sparse matrix of shape (n_samples, n_features)
    Samples. If all modules read all of it, any X that they take.
""",
    "y of modules": """\
y : array-like of shape (n_samples,) or (n_samples, n_columns)
    Targets. `targets` may name the columns of a frame.
""",
    "fit_params of modules": """\
**fit_params
    `sample_weight`, which every module and a model that is `combine` then must take; with scikit-learn's metadata
    routing, whatever they ask for.
""",
    "X": """\
X : array-like or sparse matrix of shape (n_samples, n_features)
    Samples, of any real type. CSR is read as it is, other sparse formats are converted to it. A network of layers
    also takes arrays of 3 or 4 axes: images (n_samples, height, width) or (n_samples, height, width, channels), and
    sequences (n_samples, n_steps, features). It makes a sparse X dense batch by batch, unless its first layer is dense.
    If its layers read sequences, a list or an object array of arrays (n_steps, features) or (n_steps,), and a list
    column of Arrow or polars, are sequences of any length; they are not padded. (Lists in lists that could be an array
    are that array, as everywhere in scikit-learn.)
""",
    "sample_weight": """\
sample_weight : array-like of shape (n_samples,), default=None
    What each sample's loss is multiplied by. None is 1 for each. Where targets are of steps, also a weight for each
    step, in the form of y.
""",
    "sample_weight of updates": """\
sample_weight : array-like of shape (n_samples,), default=None
    What each sample's updates are multiplied by, besides the weight of its class. None is 1 for each.
""",
    "sample_weight of scores": """\
sample_weight : array-like of shape (n_samples,), default=None
    What each sample counts for, and each of its steps where targets are of steps. None is 1 for each.
""",
    "chunks": """\
chunks : iterable of (X, y) or (X, y, sample_weight), or callable that returns an iterator
    Samples, targets and weights in the forms that `fit` takes, of one type and one width in all chunks: arrays,
    frames, sparse matrices, lists of sequences. A list or another sequence of chunks, and what `fastnn.streams` makes,
    are read in an order drawn for each epoch; anything else in its own order. An iterator is refused, since each epoch
    goes through all chunks anew.
""",
    "shuffle_buffer": """\
shuffle_buffer : int, default=65536
    How many samples wait in a buffer, out of which the next ones are drawn at random: no full shuffle, unless the
    buffer holds all samples. With ``shuffle=False`` there is no buffer.
""",
    "raises and warns of fit_stream": """\
Raises
------
ValueError
    As for `fit`, with the number of the chunk, from 0, where one is to blame. Also for chunks of other types or widths
    than the first one, for fewer or more samples than `n_samples` or than the first epoch had, and with
    `early_stopping` without `X_val`. The estimator is then as it was before, as it is after what reading chunks raises.
AttributeError
    With solver="lbfgs", which needs all samples at once.
RuntimeError
    When another thread is fitting this very estimator.
KeyboardInterrupt
    When Ctrl-C is pressed twice within a second. The estimator is then as it was before.

Warns
-----
ConvergenceWarning
    When `max_iter` epochs were not enough, or training diverged after the best epoch that early stopping kept.
UserWarning
    When Ctrl-C is pressed once: the estimator keeps what it has learnt.
""",
    "samples to watch": """\
X_val : array-like or sparse matrix of shape (n_val, n_features), default=None
    Samples to watch, not to train on: `validation_scores_` and `validation_loss_curve_` are theirs, and with
    `early_stopping` they are the samples held out.
y_val : array-like of shape (n_val,) or (n_val, n_columns), default=None
    Their targets: required with `X_val`.
sample_weight_val : array-like of shape (n_val,), default=None
    What each of their losses is multiplied by. None is 1 for each.
""",
    "results for steps": """\
    What is predicted for each step of sequences has the form of X: a list of arrays for a list, an object array for
    one, and an array of shape (n_samples, n_steps, ...) for an array. Steps that layers leave out of X have no
    predictions: where sequences then differ in their lengths, an object array stands for an array.
""",
    "epochs": """\
epochs : int, default=1
    How often to go through the samples.
""",
    "the fitted estimator": """\
self : BaseNetwork
    The estimator itself, fitted.
""",
    "raises and warns of fit": """\
Raises
------
ValueError
    For input that scikit-learn refuses too, and when training diverges (see Warns). The estimator is then as it
    was before, except that an optimizer that training would have continued with starts afresh.
RuntimeError
    When another thread is fitting this very estimator.
KeyboardInterrupt
    When Ctrl-C is pressed twice within a second, even if the first press came in another fit: this ends a grid
    search, too. The estimator is then as it was before.

Warns
-----
ConvergenceWarning
    When `max_iter` epochs were not enough, or training diverged after the best epoch that early stopping kept.
    The estimator is fitted by then, as it is for other warnings of how the fit ended.
UserWarning
    When a parameter is set that has no effect because of how the others are set: once for each parameter and class
    in a process. When Ctrl-C is pressed once: the estimator keeps what it has learnt, including the part of the
    epoch that was cut short, and a grid search continues with its next fit.
""",
    "other errors and warnings of partial_fit": """\
AttributeError
    With solver="lbfgs", which needs all samples at once.
RuntimeError
    When another thread is fitting this very estimator.
KeyboardInterrupt
    When Ctrl-C is pressed twice within a second. The estimator is then as it was before.

Warns
-----
UserWarning
    When Ctrl-C is pressed once: the estimator keeps what it has learnt.
""",
    "other errors of perceptrons": """\
RuntimeError
    When another thread is fitting this very estimator.
KeyboardInterrupt
    When Ctrl-C is pressed. The estimator is then as it was before.
""",
    "weights": """\
coefs : sequence of array-like of shape (fan_in, fan_out)
    The weights of each layer, the output layer's last.
intercepts : sequence of array-like of shape (fan_out,)
    The biases of each layer.
activation : str or list of str, default="relu"
    The activation of the hidden layers, or one for each.
""",
    "weights of given layers": """\
layers : list of layers
    The hidden layers.
weights : list of dict of str to array-like
    The weights of each layer, the output layer's last, as `weights_` has them.
input_shape : tuple of int, default=None
    The shape of a sample, which layers of images and of sequences need; (None, channels) for sequences of any length.
    None: the number of columns follows from the first weights, or from a `Reshape` before them.
""",
    "outputs of classifiers": """\
classes : array-like of shape (n_classes,), or a list of such, default=None
    The classes that the outputs stand for, sorted. None is 0, 1, ...; a list of arrays is several columns of
    classes.
multilabel : bool, default=False
    Whether each output is a label of its own.
**parameters
    Other parameters of the constructor.
""",
    "outputs of regressors": """\
**parameters
    Other parameters of the constructor. `loss`, `quantile` and `output_activation` say what the outputs are.
""",
    "samples to predict": """\
X : array-like or sparse matrix of shape (n_samples, n_features)
    Samples, of any real type; in the shape that `fit` was given.
""",
    "one more step": """\
x : array-like of shape (n_sequences, n_features)
    One step of each sequence; for sequences of tokens or of single numbers also of shape (n_sequences,).
state : ndarray of shape (n_sequences, state_size), default=None
    What the call for the step before returned; its rows can be picked and put together as those of any array. None:
    this is the first step.
""",
    "state after a step": """\
state : ndarray of shape (n_sequences, state_size)
    What the layers carry on to the next step, in the type that the network computes in. It is a new array.
""",
    "raises for steps": """\
Raises
------
ValueError
    When a layer depends on other steps than the earlier ones, such as `Bidirectional` or a pooling over time, or
    removes steps; and for steps or a state of another shape.
NotFittedError
    Before the network is fitted.
""",
    "example of hidden activations": """\
Examples
--------
>>> from fastnn import MLPRegressor
>>> distance = MLPRegressor.from_weights([[[1.0, -1.0]], [[1.0], [1.0]]], [[0.0, 0.0], [0.0]])
>>> distance.hidden_activations([[3.0], [-2.0]])
array([[3., 0.],
       [0., 2.]])
""",
    "raises for a wrong layer": """\
Raises
------
ValueError
    When the network does not have such a layer.
TypeError
    When `layer` is not an integer.
""",
}

documented = documenting(PARTS)
