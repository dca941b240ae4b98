"""Programs that train Pale Transformers. Not installed: run them from the repository."""
