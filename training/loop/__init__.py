"""The training loop and the folder that it writes, for every task."""
