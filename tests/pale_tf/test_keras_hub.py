"""Tasks of KerasHub take a backbone as it is, and train: pip install -e ".[peers]"."""

import numpy as np
import pytest

from pale_tf import pale_backbone
from tests.pale_tf.test_keras_cv import trained


@pytest.mark.slow
def test_retinanet_detects_with_it():
    keras_hub = pytest.importorskip("keras_hub")
    backbone = keras_hub.models.RetinaNetBackbone(
        image_encoder=pale_backbone("nano"), min_level=3, max_level=7, use_p5=False
    )
    model = keras_hub.models.RetinaNetObjectDetector(
        backbone=backbone, num_classes=3, bounding_box_format="xyxy", preprocessor=None
    )
    model.compile("adam")
    images = np.random.default_rng(0).uniform(0, 255, (2, 128, 128, 3)).astype("float32")
    boxes = np.array([[[10, 10, 60, 60]], [[20, 30, 90, 100]]], "float32")
    trained(model, images, {"boxes": boxes, "labels": np.array([[1], [2]])})


@pytest.mark.slow
def test_deeplab_segments_with_it():
    keras_hub = pytest.importorskip("keras_hub")
    backbone = keras_hub.models.DeepLabV3Backbone(
        image_encoder=pale_backbone("nano"),
        low_level_feature_key="P2",
        spatial_pyramid_pooling_key="P5",
        upsampling_size=8,
        dilation_rates=[6, 12, 18],
    )
    model = keras_hub.models.DeepLabV3ImageSegmenter(
        backbone=backbone, num_classes=3, activation="softmax", preprocessor=None
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    assert model(images).shape == (2, 64, 64, 3)
    trained(model, images, rng.integers(0, 3, (2, 64, 64, 1)))
