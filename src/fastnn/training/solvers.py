"""The solvers by their names, and the engine's optimizer for each."""

from fastnn.engine.optimizer import Optimizer

# adamw's default weight decay: its authors' and PyTorch's.
ADAMW_DECAY = 0.01


def _sgd(p):
    name = "sgd" if p.momentum == 0 else "nesterov" if p.nesterovs_momentum else "momentum"
    return name, p.momentum, 0


#: Each solver's optimizer and its two decays, from the parameters p. lbfgs's optimizer only sums the gradient.
SOLVERS = {
    "sgd": _sgd,
    "rmsprop": lambda p: ("rmsprop", p.rho, 0),
    "adam": lambda p: ("adam", p.beta_1, p.beta_2),
    "adamw": lambda p: ("adam", p.beta_1, p.beta_2),
    "adagrad": lambda p: ("adagrad", 0, 0),
    "lbfgs": lambda p: ("accumulate", 0, 0),
}


def optimizer_for(parameters):
    """The engine's optimizer for the solver, with the settings in the parameters.

    Parameters
    ----------
    parameters : NetworkParameters

    Returns
    -------
    fastnn.engine.optimizer.Optimizer
    """
    p = parameters
    name, decay_1, decay_2 = SOLVERS[p.solver](p)
    weight_decay = p.weight_decay
    if weight_decay is None:
        weight_decay = ADAMW_DECAY if p.solver == "adamw" else 0.0
    l2 = 0 if p.solver == "lbfgs" else p.alpha  # lbfgs adds the penalty once, not in each batch
    return Optimizer(name, p.learning_rate_init, l2, decay_1, decay_2, p.epsilon, weight_decay)
