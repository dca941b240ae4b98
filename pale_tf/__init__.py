"""The Pale Transformer (Wu et al., AAAI 2022) for Keras 3."""

from pale_tf.backbone import pale_backbone
from pale_tf.cascade import cascade
from pale_tf.configs import PaleConfig
from pale_tf.detector import pale_detector
from pale_tf.fuse import fuse
from pale_tf.layers.attention import PSAttention
from pale_tf.models import PaleB, PaleN, PaleS, PaleT, pale_network
from pale_tf.pretrained import load_pretrained
from pale_tf.prune import prune
from pale_tf.rematerialization import rematerialize
from pale_tf.segmenter import pale_segmenter

__version__ = "0.2.0"

__all__ = [
    "PSAttention",
    "PaleB",
    "PaleConfig",
    "PaleN",
    "PaleS",
    "PaleT",
    "cascade",
    "fuse",
    "load_pretrained",
    "pale_backbone",
    "pale_detector",
    "pale_network",
    "pale_segmenter",
    "prune",
    "rematerialize",
]
