"""Networks with Mask R-CNN as they are published, for COCO."""

from pale_tf import pale_detector

CLASSES = 80


def make_detector(network, height, width, **options):
    """Builds a network of `pale_tf.configs.NETWORKS` with Mask R-CNN and random weights.

    It finds 1,000 RoIs and 100 masks in an image. Swin and CSWin norm the levels of their pyramid;
    the totals published for Pale have no such norms.
    """
    return pale_detector(
        network,
        CLASSES,
        (height, width, 3),
        output_norms=not network.startswith("pale"),
        drop_path_rate=0.0,
        **options,
    )
