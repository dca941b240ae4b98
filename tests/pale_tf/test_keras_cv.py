"""Tasks of keras-cv take a backbone as it is, and train."""

import keras
import keras_cv
import numpy as np

from pale_tf import pale_backbone


def trained(model, images, labels):
    """Checks that one step changes the backbone, by losses that are numbers."""
    kernels = [
        weight for weight in model.weights if "stage3_block2_mlp/expand/kernel" in weight.path
    ]
    assert len(kernels) == 1
    before = np.array(kernels[0])
    history = model.fit(images, labels, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    assert not np.allclose(kernels[0], before)


def test_retinanet_detects_with_it():
    model = keras_cv.models.RetinaNet(
        num_classes=3, bounding_box_format="xyxy", backbone=pale_backbone("nano")
    )
    # Eagerly: one step takes less time than tracing it.
    model.compile(
        box_loss="smoothl1", classification_loss="focal", optimizer="adam", run_eagerly=True
    )
    images = np.random.default_rng(0).uniform(0, 255, (2, 128, 128, 3)).astype("float32")
    boxes = np.array([[[10, 10, 60, 60]], [[20, 30, 90, 100]]], "float32")
    trained(model, images, {"boxes": boxes, "classes": np.array([[1.0], [2.0]], "float32")})


def test_deeplab_segments_with_it():
    model = keras_cv.models.DeepLabV3Plus(num_classes=3, backbone=pale_backbone("nano"))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(), run_eagerly=True)
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    assert model(images).shape == (2, 64, 64, 3)
    trained(model, images, rng.integers(0, 3, (2, 64, 64, 1)))
