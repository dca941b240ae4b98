"""Accuracy on the long-range task that the regions of an attention alone allow one block."""

import collections

import numpy as np

from benchmarks.attention_networks import long_range_config
from pale_tf import visualize
from pale_tf.layers.attention import block_attention
from training.datasets.long_range.long_range_dataset_builder import CELL, LABELS, SIZE, draw

IMAGES = 3000  # of each class
# Where keys are no tokens, or hear of others before: what a head sees of a mark is not a yes or no.
UNPREDICTED = ("messenger", "spatial_reduction", "deformable")


def predicted_accuracy(attention):
    """Accuracy of whoever knows, of two marks, which heads of each see the other, and no more.

    Args:
        attention: Name of the attention.

    Returns:
        The share of images whose class is the most frequent one among those with the same answers;
        None for `UNPREDICTED`.
    """
    if attention in UNPREDICTED:
        return None
    cells, config = SIZE // CELL, long_range_config(attention)
    layer = block_attention(config, stage=0, block=0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1, cells, cells, config.embed_dim)).astype("float32")
    layer.build(x.shape)
    sees = visualize.attention_weights(layer, x) > 1e-6  # [H, W, heads, H, W]
    counts = collections.defaultdict(lambda: [0] * len(LABELS))
    for label in range(len(LABELS)):
        for _ in range(IMAGES):
            one, other = map(tuple, draw(rng, label)[1])
            answers = [sees[a][:, b[0], b[1]] for a, b in ((one, other), (other, one))]
            counts[np.concatenate(answers).tobytes()][label] += 1
    return sum(map(max, counts.values())) / (IMAGES * len(LABELS))
