"""Heads of dense prediction on the pyramid of a backbone. No training is in them."""
