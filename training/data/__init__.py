"""The data of a run: sources, decoding, augmentation, batches."""
