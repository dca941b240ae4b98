"""A model for LiteRT."""
