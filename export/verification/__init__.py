"""Comparison of artifacts with the network that they were made from."""
