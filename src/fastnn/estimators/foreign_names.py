"""Advice in errors: what there is for the methods, layers and functions known from Keras, PyTorch and elsewhere."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from importlib import import_module
from opcode import opmap

#: What to do about the names that methods and attributes of models have elsewhere. In braces: a row of `OWN`.
METHODS = {
    "Use score(X, y).": "evaluate evaluate_generator test_on_batch",
    "Use predict(X), which gives labels or numbers.": "forward predict_classes predict_generator predict_on_batch",
    "Leave it out: parameters of the constructor set the solver and the loss.": "compile",
    "Leave it out: fit trains by itself.": "backward step training_step zero_grad",
    "Leave it out: fit trains, and predict predicts.": "eval train",
    "Leave it out: networks are computed on CPUs.": "cpu cuda to",
    "Leave it out: fit builds the network from X and y.": "build",
    "Set dtype in the constructor{of estimator}.": "double float half",
    "Use {stream}.": "fit_generator fit_dataset",
    "Use {partial}.": "train_on_batch",
    "Use {weights}.": "get_weights named_parameters parameters state_dict trainable_variables trainable_weights",
    "Use {set weights}.": "load_state_dict load_weights set_weights",
    "Use {freeze}.": "requires_grad_",
    "Use {layers}.": "add get_layer pop",
    "Use {curve}.": "history",
    "Use fastnn.plot.NetworkDisplay.from_estimator({model}).": "count_params plot_model summary",
    "Use fastnn.save({model}, path).": "export save save_model save_weights to_json",
    "Use fastnn.load(path).": "load load_model",
    "Use fastnn.export.to_onnx({model}).": "to_onnx",
    "Use {activations}.": "register_forward_hook",
}

#: What each class has for a row of `METHODS`: that of the first attribute that it has.
OWN = {
    "model": {"to_local": "model.to_local()", "fit": "model"},
    "of estimator": {"to_local": " of estimator", "fit": ""},
    "stream": {
        "to_local": "fit(X, y) with collections of Dask",
        "fit_stream": "fit_stream(chunks)",
        "fit": "fit(X, y)",
    },
    "partial": {"partial_fit": "partial_fit(X, y)", "fit": "fit(X, y), or refit(name, X, y) for one module"},
    "weights": {
        "to_local": "the weights of to_local()",
        "weights_": "weights_",
        "coefs_": "coefs_ and intercepts_",
        "sparsify": "coef_ and intercept_",
        "fit": "named_modules_, whose estimators have the weights",
    },
    "set weights": {
        "to_local": "partial_fit, which goes on from the last fit",
        "from_weights": "from_weights, or fastnn.load(path) for a saved model",
        "sparsify": "coef_init and intercept_init of fit, or fastnn.load(path) for a saved model",
        "fit": "fastnn.load(path) for a saved model",
    },
    "freeze": {
        "to_local": "trainable=False of a layer of estimator",
        "weights_": "trainable=False of a layer",
        "coefs_": "trainable=False of a layer of SequentialClassifier or SequentialRegressor",
        "fit": "fit only for what is to be trained",
    },
    "layers": {
        "to_local": "estimator of the constructor",
        "layers": "layers of the constructor",
        "hidden_layer_sizes": "hidden_layer_sizes of the constructor",
        "sparsify": "MLPClassifier, which has hidden layers",
        "fit": "modules of the constructor",
    },
    "curve": {
        "to_local": "loss_curve_, or fastnn.plot.LossCurveDisplay.from_estimator(model.to_local())",
        "loss_curve_": "loss_curve_, or fastnn.plot.LossCurveDisplay.from_estimator(model)",
        "sparsify": "n_mistakes_, or fastnn.plot.PerceptronDisplay.from_estimator(model, X, y)",
        "fit": "named_modules_, whose networks have loss_curve_",
    },
    "activations": {
        "to_local": "to_local().hidden_activations(X)",
        "hidden_activations": "hidden_activations(X)",
        "sparsify": "decision_function(X)",
        "fit": "transform(X), which gives the outputs of the modules",
    },
}

_CONVOLUTIONS = "Conv3d Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose ConvTranspose1d ConvTranspose2d"
_ATTENTION = "Attention MultiHeadAttention MultiheadAttention Transformer TransformerEncoder TransformerEncoderLayer"

# What to do about the names that each module's contents have elsewhere.
_CONTENTS = {
    "fastnn": {
        "Use SequentialClassifier(layers) or SequentialRegressor(layers).": "Functional Model Module Sequential nn",
        "Use MLPClassifier or MLPRegressor.": "MLP MLPNetwork",
        "Use MLPRegressor.": "Regressor",
        "Use MLPClassifier.": "Classifier",
        "Leave it out: the shape of the input follows from X.": "Input InputLayer",
        "Use the names of solvers: solver='adam'.": "Adam AdamW RMSprop SGD optim optimizers",
        "Use MLPRegressor(loss) for numbers; the loss of classes follows from y.": "losses",
        "Use the names of activations: activation='relu'.": "activations functional",
        "Use scoring of the constructor.": "metrics",
        "Use callback of the constructor, a function of the model.": "callbacks",
        "Use fastnn.sequences.": "utils",
        "Use alpha of the constructor.": "regularizers",
        "Use kernel_initializer of a layer.": "init initializers",
        "Use random_state of the constructor.": "manual_seed random seed set_seed",
        "Leave it out: predict computes no gradients.": "inference_mode no_grad",
        "Use n_threads of the constructor.": "set_num_threads",
        "Leave it out: networks are computed on CPUs.": "cuda device",
        "Leave it out: X and y are NumPy's arrays.": "Tensor from_numpy tensor",
        "Use ModularClassifier or ModularRegressor.": "Ensemble Stacking StackingClassifier VotingClassifier",
        "Use load(path).": "from_file load_model",
        "Use save(model, path).": "save_model to_file",
        "Use MLPClassifier.from_sklearn or MLPRegressor.from_sklearn.": "from_sklearn",
    },
    "fastnn.layers": {
        "Leave it out: the shape of the input follows from X.": "Input InputLayer InputSpec",
        "Use Dense.": "LazyLinear Linear",
        "Use SequentialClassifier(layers) or SequentialRegressor(layers).": "Model Module Sequential",
        "Use Activation, or activation of a layer.": "ELU GELU LeakyReLU PReLU ReLU SELU SiLU Sigmoid Softplus Tanh",
        "Leave it out: the output layer follows from y.": "LogSoftmax Softmax",
        "Use LSTM, which goes through all steps.": "LSTMCell",
        "Use GRU, which goes through all steps.": "GRUCell",
        "Use SimpleRNN, which goes through all steps.": "RNN RNNCell SimpleRNNCell",
        "Use Bidirectional(LSTM(units)).": "BiLSTM",
        "Use Bidirectional(GRU(units)).": "BiGRU",
        "Use Conv1D.": "CausalConv1D Convolution1D",
        "Use Conv2D.": "Convolution2D DepthwiseConv2D SeparableConv2D",
        "Use Conv1D or Conv2D.": _CONVOLUTIONS,
        "Use MaxPooling1D.": "MaxPool1d",
        "Use MaxPooling2D.": "MaxPool2d",
        "Use AveragePooling1D.": "AvgPool1d",
        "Use AveragePooling2D.": "AvgPool2d",
        "Use GlobalMaxPooling1D.": "AdaptiveMaxPool1d GlobalMaxPool1D",
        "Use GlobalMaxPooling2D.": "AdaptiveMaxPool2d GlobalMaxPool2D",
        "Use GlobalAveragePooling1D.": "AdaptiveAvgPool1d GlobalAvgPool1D",
        "Use GlobalAveragePooling2D.": "AdaptiveAvgPool2d GlobalAvgPool2D",
        "Use Conv2D or MaxPooling2D: maps have two dimensions.": "AveragePooling3D AvgPool3d MaxPool3d MaxPooling3D",
        "Use BatchNormalization.": "BatchNorm BatchNorm1d BatchNorm2d",
        "Use BatchNormalization or LayerNormalization.": "GroupNorm GroupNormalization InstanceNorm2d Normalization",
        "Use LayerNormalization.": "LayerNorm RMSNorm RMSNormalization UnitNormalization",
        "Use Dropout.": "AlphaDropout Dropout1d Dropout2d GaussianDropout SpatialDropout1D SpatialDropout2D",
        "Use Flatten or Reshape.": "Permute RepeatVector Unflatten",
        "Use the layer itself: it works step by step on sequences.": "TimeDistributed",
        "Use padding='same' of a convolution.": "ZeroPad2d ZeroPadding1D ZeroPadding2D",
        "Use SequentialClassifier with GRU or Conv1D.": _ATTENTION,
        "Use ModularClassifier or ModularRegressor.": "Add Average Concatenate Multiply",
        "Use sklearn.preprocessing.FunctionTransformer before the network.": "Lambda",
        "Leave it out: the loss follows from y and loss.": "BCELoss BCEWithLogitsLoss CrossEntropyLoss MSELoss NLLLoss",
    },
    "fastnn.plot": {
        "Use LossCurveDisplay.": "LearningCurveDisplay history plot_history plot_loss plot_loss_curve",
        "Use NetworkDisplay.": "model_to_dot plot_model plot_network",
        "Use WeightsDisplay.": "plot_filters plot_weights",
        "Use ActivationsDisplay.": "plot_activations",
        "Use PerceptronDisplay.": "DecisionBoundaryDisplay plot_decision_boundary",
    },
    "fastnn.export": {
        "Use to_onnx.": "export export_onnx onnx_export save_onnx",
        "Use from_onnx.": "load_onnx read_onnx",
        "Use from_torch.": "from_pytorch",
        "Use from_keras.": "from_tensorflow from_tf",
        "Use to_onnx, whose models other libraries read.": "to_keras to_pytorch to_tensorflow to_torch to_torchscript",
        "Use to_sklearn of the model.": "to_sklearn",
        "Use MLPClassifier.from_sklearn or MLPRegressor.from_sklearn.": "from_sklearn",
        "Use fastnn.save(model, path).": "save",
        "Use fastnn.load(path).": "load",
    },
    "fastnn.streams": {
        "Use arrays.": "from_arrays from_memmap memmap npy numpy",
        "Use parquet.": "from_parquet read_parquet",
        "Use sql.": "from_sql read_sql",
        "Leave it out: fit_stream takes any iterable of chunks (X, y).": "DataLoader Dataset IterableDataset "
        "from_generator from_iterable generator",
        "Use pandas.read_csv(path, chunksize=) within a generator of chunks (X, y).": "csv from_csv read_csv",
    },
    "fastnn.sequences": {
        "Leave it out: sequences are a list of arrays, and nothing is padded.": "PackedSequence TextVectorization "
        "pack_padded_sequence pack_sequence pad_packed_sequence pad_sequence pad_sequences",
        "Use from_padded.": "from_masked unpad_sequence",
        "Use from_frame.": "from_dataframe from_long from_pandas",
        "Use PerStep.": "StepTransformer TimeDistributed TimeSeriesScaler",
        "Use make_scorer.": "scorer",
    },
}


def _by_name(table):
    return {name: advice for advice, names in table.items() for name in names.split()}


CONTENTS = {module: _by_name(table) for module, table in _CONTENTS.items()}


def _advising(text, name):
    """An AttributeError with advice. Python looks in `obj` for similar names, private ones too, and finds none."""
    return AttributeError(text, name=name, obj=None)


class ForeignName:
    """A name that an estimator has elsewhere, as an attribute that there is not: to read it is an error with advice.

    It is found where no class has the name, so that what there is costs nothing; `__getattr__` of a class makes each
    attribute slower, of which a prediction reads some thirty.
    """

    def __init__(self, name, advice):
        self.name, self.advice = name, advice

    def __get__(self, instance, cls):
        mro = cls.__mro__
        if _is_in(mro[mro.index(ForeignNames) + 1 :], self.name):  # a user's class may have more bases
            return getattr(super(ForeignNames, cls if instance is None else instance), self.name)
        what = f"type object {cls.__name__!r}" if instance is None else f"{cls.__name__!r} object"
        raise _advising(f"{what} has no attribute {self.name!r}. {self.advice.format_map(_Own(cls))}", self.name)

    def __repr__(self):
        return f"<no attribute: {self.name} is a name from elsewhere>"


def local_advice(model):
    """The end of a message that refuses a model: what to pass in place of an estimator of a cluster."""
    return ": pass its to_local()" if hasattr(model, "to_local") else ""


class _Own(dict):
    """What a class has for each row of `OWN`; nothing for a base that is no estimator."""

    def __init__(self, cls):
        for row, texts in OWN.items():
            self[row] = next((text for name, text in texts.items() if hasattr(cls, name)), "")


class ForeignNames:
    """The last base of an estimator: its attributes are names known from elsewhere, of which each is an error."""

    def __dir__(self):
        own = [base for base in type(self).__mro__ if base is not ForeignNames]
        return [name for name in super().__dir__() if name not in _METHODS or name in vars(self) or _is_in(own, name)]


_METHODS = _by_name(METHODS)
for _name, _advice in _METHODS.items():
    setattr(ForeignNames, _name, ForeignName(_name, _advice))


def _is_in(classes, name):
    return any(name in vars(cls) for cls in classes)


_HOMES = "fastnn", "fastnn.layers", "fastnn.plot", "fastnn.export", "fastnn.streams", "fastnn.sequences"


def missing(module: str, name: str) -> AttributeError | ImportError:
    """The error for a name that a module lacks, to be raised by the module's `__getattr__`.

    `from module import name` would replace an AttributeError by an error without advice, so it gets an ImportError.
    """
    text = f"module {module!r} has no attribute {name!r}"
    # Python, doctest, inspect and others look for names that begin with an underscore.
    advice = None if name.startswith("_") else _content_advice(module, name)
    if not advice:
        return AttributeError(text)
    frame = sys._getframe(2)  # of whoever reads the attribute
    code = frame.f_code.co_code
    if 0 <= frame.f_lasti < len(code) and code[frame.f_lasti] == opmap["IMPORT_FROM"]:
        return ImportError(f"cannot import name {name!r} from {module!r}. {advice}")
    return _advising(f"{text}. {advice}", name)


def _content_advice(module, name):
    contents = import_module(module).__all__
    same = [ours for ours in contents if ours.lower() == name.lower()]
    if same:
        return f"Use {same[0]}."
    if name in CONTENTS[module]:
        return CONTENTS[module][name]
    for home in _HOMES:
        if home != module and name in import_module(home).__all__:
            return f"Use {home}.{name}."
    if module == "fastnn" and name in CONTENTS["fastnn.layers"]:
        return f"See fastnn.layers: {CONTENTS['fastnn.layers'][name]}"
    close = get_close_matches(name, contents, n=1, cutoff=0.75)
    return f"Did you mean {close[0]!r}?" if close else None
