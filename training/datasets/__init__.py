"""TFDS builders of this repository."""
