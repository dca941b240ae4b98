"""Importing this package makes `tfds.load("digits")` work."""

from training.datasets.digits.digits_dataset_builder import Builder

__all__ = ["Builder"]
