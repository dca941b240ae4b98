"""The layers of the Pale Transformer, one idea a file."""
