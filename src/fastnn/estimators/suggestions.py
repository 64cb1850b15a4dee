"""Advice in errors: the names that fastnn has for parameters and values known from Keras, PyTorch and elsewhere."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from difflib import get_close_matches
from functools import wraps
from numbers import Real
from typing import Any, TypeVar

from fastnn._sklearn import InvalidParameterError
from fastnn.estimators.constraints import StrOptions

C = TypeVar("C", bound=type)
F = TypeVar("F", bound=Callable[..., Any])

#: The names that each parameter has elsewhere.
PARAMETERS = {
    "activation": "act activation_fn activation_function activations nonlinearity",
    "alpha": "l2 l2_penalty reg_lambda weight_decay",
    "batch_size": "batch batchsize mini_batch_size minibatch_size",
    "beta_1": "beta1 betas",
    "callback": "callbacks",
    "class_weight": "class_weights",
    "clip_norm": "clip clipnorm global_clipnorm grad_clip gradient_clip gradient_clip_val max_grad_norm max_norm",
    "combine": "combiner final_estimator stack_method voting",
    "dropout": "drop_rate dropout_p dropout_rate",
    "dtype": "precision",
    "epsilon": "eps",
    "eta0": "eta learning_rate learning_rate_init lr",
    "hidden_layer_sizes": "hidden hidden_dim hidden_dims hidden_layer_size hidden_layers hidden_size hidden_sizes "
    "hidden_units layer_sizes layers n_hidden units",
    "layers": "activation activations dropout hidden_layer_sizes hidden_layers layer_sizes",
    "learning_rate": "lr_schedule lr_scheduler schedule scheduler",
    "learning_rate_init": "base_lr eta eta0 initial_learning_rate lr step_size",
    "loss": "criterion loss_fn loss_function objective",
    "max_iter": "epoch epochs iterations max_epochs max_steps n_epochs n_iter nb_epoch num_epochs",
    "modules": "estimators experts networks transformers",
    "momentum": "mu",
    "n_iter_no_change": "early_stopping_rounds patience",
    "n_jobs": "n_threads num_threads threads",
    "n_threads": "n_jobs n_workers num_threads num_workers threads",
    "nesterovs_momentum": "nesterov",
    "output_activation": "final_activation last_activation out_activation",
    "penalty": "regularization regularizer",
    "quantile": "q quantiles tau",
    "random_state": "random_seed rng seed",
    "scoring": "eval_metric metric metrics scorer",
    "solver": "optim optimiser optimizer",
    "tol": "min_delta tolerance",
    "validation_fraction": "val_split validation_size validation_split",
    "verbose": "verbosity",
    "warmup_fraction": "pct_start warmup warmup_epochs warmup_ratio warmup_steps",
}

#: The names that each setting of a layer has elsewhere.
SETTINGS = {
    "activation": PARAMETERS["activation"] + " nonlinearity",
    "dilation_rate": "dilation",
    "dropout": PARAMETERS["dropout"],
    "embeddings_initializer": "init initializer kernel_initializer weight_init",
    "epsilon": "eps",
    "filters": "channels channels_out n_filters num_filters out_channels",
    "input_dim": "n_tokens n_vocab num_embeddings vocab_size",
    "kernel_initializer": "init initializer weight_init",
    "kernel_size": "filter_size kernel",
    "layer": "cell rnn",
    "mask_zero": "padding_idx",
    "merge_mode": "merge mode",
    "output_dim": "dim embed_dim embedding_dim embedding_size",
    "pool_size": "kernel_size pool",
    "rate": "drop_prob drop_rate dropout dropout_rate p",
    "recurrent_dropout": "hidden_dropout state_dropout",
    "return_sequences": "return_sequence",
    "strides": "stride",
    "target_shape": "new_shape shape",
    "units": "hidden hidden_dim hidden_size hidden_units n_units num_units out_features output_size size",
    "use_bias": "bias",
}

#: What to do about names that no setting has.
SETTINGS_ADVICE = {
    **dict.fromkeys(
        ["in_channels", "in_features", "input_length", "input_shape", "input_size"],
        "Leave it out: what a layer reads follows from X.",
    ),
    "batch_first": "Leave it out: sequences are (n_samples, steps, channels).",
    "bidirectional": "Use Bidirectional(layer) instead.",
    "kernel_regularizer": "Set alpha of the estimator.",
    "num_layers": "Use a layer for each, with return_sequences=True for all but the last one.",
    "reset_after": "Leave it out: the reset gate multiplies the product, as with reset_after=True.",
    "return_state": "Leave it out: a layer makes no state.",
    "seed": "Set random_state of the estimator.",
    "stateful": "Leave it out: each sequence begins with a state of zeros.",
}

#: What to do about names that no parameter has.
ADVICE = {
    "criterion": "The loss is fixed.",
    "eval_set": "Pass X_val and y_val to fit.",
    "loss": "The loss is fixed.",
    "output_activation": "The output layer follows from y.",
    "validation_data": "Pass X_val and y_val to fit.",
    "X_val": "Pass X_val to fit.",
    "y_val": "Pass y_val to fit.",
}

_ACTIVATIONS = {"identity": "linear none", "logistic": "sigmoid", "silu": "swish", "exp": "exponential"}

#: The names that the values of each parameter have elsewhere, as `_plain` writes them.
VALUES = {
    "activation": _ACTIVATIONS,
    "output_activation": _ACTIVATIONS,
    "combine": {"mean": "average averaging soft", "product": "prod", "vote": "hard majority voting"},
    "dtype": {"float32": "f4 float single", "float64": "f8 double"},
    "learning_rate": {
        "adaptive": "plateau reducelronplateau reduceonplateau",
        "constant": "fixed none",
        "cosine": "cosineannealing cosineannealinglr cosinedecay",
        "one_cycle": "onecyclelr",
        "invscaling": "inversescaling",
    },
    "loss": {
        "squared_error": "l2 ls meansquarederror mse squared",
        "absolute_error": "l1 lad mae meanabsoluteerror",
        "huber": "smoothl1",
        "poisson": "poissonnll",
        "quantile": "pinball",
    },
    "solver": {"sgd": "gd momentum nesterov", "lbfgs": "bfgs lbfgsb"},
}


def parameter_advice(name, known, of_constructor=()):
    """Advice for an unknown parameter, where `known` are those of the function; None if we have no advice."""
    there_are = [*known, *of_constructor]
    same = [ours for ours, others in PARAMETERS.items() if ours in there_are and name in others.split()]
    if not same and name in ADVICE:
        return ADVICE[name]
    same = same or get_close_matches(name, there_are, n=1, cutoff=0.75)
    if not same:
        return None
    return f"Use {same[0]} instead of {name}." if same[0] in known else f"Set {same[0]} in the constructor."


def with_setting_advice(cls: C) -> C:
    """Add advice to the errors of a class of layers about settings known from elsewhere."""
    make = cls.__init__

    @wraps(make)
    def advising(self, *args, **settings):
        try:
            make(self, *args, **settings)
        except TypeError as error:
            known = [name for name in inspect.signature(make).parameters if name != "self"]
            advice = [_setting_advice(name, known) for name in settings if name not in known]
            if not any(advice):
                raise
            text = " ".join([str(error).removesuffix(".") + ".", *filter(None, advice)])
            raise type(error)(text) from None

    cls.__init__ = advising
    return cls


def _setting_advice(name, known):
    same = [ours for ours, others in SETTINGS.items() if ours in known and name in others.split()]
    if not same and name in SETTINGS_ADVICE:
        return SETTINGS_ADVICE[name]
    same = same or get_close_matches(name, known, n=1, cutoff=0.75)
    return f"Use {same[0]} instead of {name}." if same else None


def _plain(name):
    """A name without capitals, underscores and "loss": MSELoss, mse_loss and MSE are the same."""
    return "".join(filter(str.isalnum, name.lower())).removesuffix("loss")


def value_advice(name, value, allowed):
    """Advice for a value that a parameter cannot have, where these strings are allowed; None if we have no advice."""
    if name == "learning_rate" and isinstance(value, Real):
        return f"Use learning_rate_init={value!r}."
    if name == "loss" and not isinstance(value, str):
        return f"Use hidden_layer_sizes={value!r}: the first parameter is loss."
    if not isinstance(value, str):
        return None
    if name == "hidden_layer_sizes":
        return f"Use activation={value!r} if you mean the activation."
    names = {_plain(ours): ours for ours in allowed}
    names |= {other: ours for ours, others in VALUES.get(name, {}).items() for other in others.split()}
    if _plain(value) in names:
        return f"Use {names[_plain(value)]!r}."
    close = get_close_matches(_plain(value), names, n=1, cutoff=0.75)
    return f"Did you mean {names[close[0]]!r}?" if close else None


def with_advice(cls: C) -> C:
    """Add advice to the errors of a class of estimators about parameters and values known from elsewhere."""
    cls.__init__ = advising_on_parameters(cls.__init__)
    cls.set_params = _advising_on_parameters(cls.set_params)
    cls._validate_params = _advising_on_values(cls._validate_params)
    return cls


def advising_on_parameters(method: F) -> F:
    """The method, with advice in its errors about unknown parameters, and with the name of the user's class in them."""
    return _advising_on_parameters(method, inspect.signature(method).parameters)


def _advising_on_parameters(method, own=()):
    """Likewise. Without parameters of its `own`, the method has the constructor's."""

    @wraps(method)
    def advising(self, *args, **keywords):
        try:
            return method(self, *args, **keywords)
        except (TypeError, ValueError) as error:
            known = own or self._get_param_names()
            unknown = [name for name in keywords if name not in known]
            advice = [parameter_advice(name, known, self._get_param_names()) for name in unknown]
            given_by_place = dict(zip([*own][1:], args, strict=False))
            if "loss" in keywords and "loss" in given_by_place:
                advice.append(value_advice("loss", given_by_place["loss"], ()))
            # A method may be that of a base, which users do not know.
            text = re.sub(
                rf"^{re.escape(method.__qualname__)}\b", f"{type(self).__name__}.{method.__name__}", str(error)
            )
            if not any(advice) and text == str(error):  # mostly every keyword is known, and the error is another one
                raise
            if any(advice):
                text = " ".join([text.removesuffix(".") + ".", *filter(None, advice)])
            raise type(error)(text) from None

    return advising


def _advising_on_values(validate):
    @wraps(validate)
    def advising(self):
        try:
            validate(self)
        except InvalidParameterError as error:
            parameters = self.get_params(deep=False)
            name = next(name for name in parameters if f"The {name!r} parameter" in str(error))
            constraints = self._parameter_constraints[name]
            allowed = [option for part in constraints if isinstance(part, StrOptions) for option in part.options]
            advice = value_advice(name, parameters[name], allowed)
            if advice is None:
                raise
            raise InvalidParameterError(f"{error} {advice}") from None

    return advising
