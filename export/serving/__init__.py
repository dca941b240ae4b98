"""A model for TF Serving, and a client of it."""
