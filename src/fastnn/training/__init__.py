"""A fit between batches: epochs, stopping, progress, and what training has come to."""
