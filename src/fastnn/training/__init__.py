"""A fit between batches: epochs, stopping, progress, and the state of training."""
