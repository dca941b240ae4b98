"""Importing this package makes `tfds.load("digit_scenes")` work."""

from training.datasets.digit_scenes.digit_scenes_dataset_builder import Builder

__all__ = ["Builder"]
