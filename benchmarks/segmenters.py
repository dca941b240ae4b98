"""Networks with UPerNet as they are published, for ADE20K."""

from pale_tf import pale_segmenter

CLASSES = 150


def make_segmenter(network, height, width, auxiliary=False):
    """Builds a network of `pale_tf.configs.NETWORKS` with UPerNet, random weights, for logits.

    Swin and CSWin norm the levels of their pyramid; the totals published for Pale have no such
    norms.
    """
    return pale_segmenter(
        network,
        CLASSES,
        (height, width, 3),
        auxiliary=auxiliary,
        classifier_activation=None,
        output_norms=not network.startswith("pale"),
        drop_path_rate=0.0,
    )
