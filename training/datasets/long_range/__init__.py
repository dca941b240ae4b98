"""Importing this package makes `tfds.load("long_range")` work."""

from training.datasets.long_range.long_range_dataset_builder import Builder

__all__ = ["Builder"]
