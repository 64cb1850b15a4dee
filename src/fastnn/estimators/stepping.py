"""Sequences that come step by step, and sequences that are trained on in windows."""

from math import isfinite

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

from fastnn.data.inputs import readable, refusing
from fastnn.data.quoted import quoted
from fastnn.data.ragged import as_numbers
from fastnn.engine.network import Network
from fastnn.layers.chain import chain_of, named
from fastnn.layers.embedding import check_tokens, embedding_of
from fastnn.runtime.sharing import threads_now


def check_for_windows(truncate_steps, chain, solver):
    """Refuse to train a network on windows of its sequences, if these have to be seen as a whole.

    Raises
    ------
    ValueError
    """
    given = f"got {truncate_steps}"
    if solver == "lbfgs":
        raise ValueError(f"truncate_steps must be None with solver='lbfgs', {given}")
    if not chain.ends_in_sequence:
        raise ValueError(
            f"truncate_steps must be None where each sequence has one target, {given}: set return_sequences=True in "
            "the last recurrent layer for a target for each step"
        )
    i = chain.looking_further()
    if i is not None:
        raise ValueError(
            f"truncate_steps must be None with layers that depend on other steps than the earlier ones, {given} with "
            f"{named(chain.layers, i)}"
        )


def check_for_steps(chain):
    """Refuse to predict step by step what is no function of one step and of the earlier ones.

    Raises
    ------
    ValueError
    """
    if None not in chain.input_shape and len(chain.input_shape) != 2:
        raise ValueError("predict_step needs a network of sequences: its layers read no sequences")
    for i, layer in enumerate(chain.layers):
        if layer is not None and (not layer.works_stepwise or layer.removes_steps):
            raise ValueError(
                f"predict_step needs layers that make something of each step, and of earlier ones, got "
                f"{named(chain.layers, i)}"
            )


def stepping_network(chain, network):
    """The engine's network that reads one step of each sequence at a time.

    Parameters
    ----------
    chain : Chain
        The layers of `network`.
    network : Network
        The one that predicts whole sequences.
    """
    n_channels = chain.input_shape[-1]
    stepwise = chain_of(tuple(chain.layers), (None, n_channels), chain.n_outputs)
    return Network(
        stepwise.description, (1, n_channels), network.head, network.dtype, None, network.groups,
        stepwise.to_engine(chain.by_layer(network.weights())),
    )  # fmt: skip


def checked_step(x, chain, network):
    """One step of each sequence as rows that the engine reads.

    Raises
    ------
    ValueError
    """
    n_channels = chain.input_shape[-1]
    # The sum of squares is finite only if all numbers are, and takes a third of the time. It may overflow: no matter.
    if not (type(x) is np.ndarray and x.dtype == network.dtype and x.ndim == 2 and isfinite(np.vdot(x, x))):
        if not sp.issparse(x) and np.asarray(x).dtype.kind not in "biuf":
            x = as_numbers(np.asarray(x), "x")
        x = check_array(x, dtype="numeric", ensure_2d=False, ensure_min_samples=0, input_name="x")
        with refusing("x must be numbers"):
            x = readable(x, "x")
    if x.ndim == 1 and n_channels == 1:
        x = x[:, None]
    if x.ndim != 2 or x.shape[1] != n_channels:
        also = " or (n_sequences,)" if n_channels == 1 else ""
        raise ValueError(f"x must have shape (n_sequences, {n_channels}){also}, a step of each, got {x.shape}")
    embedding = embedding_of(chain.layers) if n_channels == 1 else None
    if embedding is not None:
        check_tokens(x, None, embedding.input_dim, named(chain.layers, chain.layers.index(embedding)), "x")
    return x


def checked_state(state, n_sequences, network):
    """The state of earlier steps.

    Raises
    ------
    ValueError
    """
    if state is None:
        return None
    shape = n_sequences, network.state_size
    if not isinstance(state, np.ndarray) or state.shape != shape or state.dtype != network.dtype:
        given = f"{state.dtype} of shape {state.shape}" if isinstance(state, np.ndarray) else quoted(state)
        raise ValueError(
            f"state must be what the last call returned for these {n_sequences} sequences, {network.dtype} of shape "
            f"{shape}, or None, got {given}"
        )
    return state


def take_step(model, x, state):
    """The outputs for one more step of each sequence, and the state after it.

    Raises
    ------
    ValueError
    """
    network = model._stepper()
    x = checked_step(x, model._chain, network)
    state = checked_state(state, len(x), network)
    n_threads = threads_now(model.n_threads) if network.worth_sharing(len(x)) else 1
    return network.step(x, state, n_threads)
