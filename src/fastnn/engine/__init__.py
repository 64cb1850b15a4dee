"""The engine: layers, losses and optimizers over a batch, without the GIL and on every core."""
