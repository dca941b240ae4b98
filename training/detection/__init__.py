"""What a detector is trained on: which boxes stand for which objects, and samples of them."""
