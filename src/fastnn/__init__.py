"""Perceptrons and multilayer perceptrons for CPUs."""
