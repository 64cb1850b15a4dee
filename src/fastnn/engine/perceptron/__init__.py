"""Perceptrons in training."""
