"""Configurations of checkpoints: what they set, and what is refused by name."""

import pathlib

import numpy as np
import pytest

from pale_tf.checkpoint_configs import CLASSIFIER, FEATURES, SEGMENTER, plan_of
from pale_tf.checkpoints import Checkpoint
from pale_tf.configs import NETWORKS
from tests.pale_tf.swin_files import CONFIG

TIMM = {
    "architecture": "swin_small_patch4_window7_224",
    "num_classes": 1000,
    "pretrained_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2], "crop_pct": 0.9},
}
UPERNET = {
    "architectures": ["UperNetForSemanticSegmentation"],
    "model_type": "upernet",
    "backbone_config": {"model_type": "swin", "depths": [2, 2, 18, 2]},
    "hidden_size": 256,
    "id2label": {"1": "road", "0": "sky"},
}


def plan(config, **preprocessor):
    return plan_of(Checkpoint(pathlib.Path("checkpoint"), {}, config, preprocessor))


def test_a_swin_of_transformers():
    found = plan(CONFIG, size={"height": 96, "width": 96})
    assert found.architecture == CLASSIFIER
    assert found.labels == ["cat", "dog", "sea, calm"]
    assert found.image_size == 96
    assert found.config.depths == (1, 1, 2, 1)
    assert found.config.attention_options == {"window_size": 4, "padding": "swin"}
    features = plan({**CONFIG, "architectures": ["SwinModel"]})
    assert (features.architecture, features.labels, features.image_size) == (FEATURES, [], 64)


def test_a_swin_of_timm():
    found = plan(TIMM)
    assert found.config.name == "swin_s"
    assert found.config.attention_options == {"window_size": 7, "padding": "timm"}
    assert found.config.depths == NETWORKS["swin_s"].depths
    assert (found.classes, found.labels, found.crop_fraction) == (1000, [], 0.9)
    np.testing.assert_allclose(found.mean, [127.5] * 3)
    np.testing.assert_allclose(found.deviation, [51.0] * 3)
    assert plan({**TIMM, "num_classes": 0}).architecture == FEATURES
    large = plan({**TIMM, "architecture": "swin_large_patch4_window12_384.ms_in22k"})
    assert large.config.attention_options["window_size"] == 12
    assert (large.config.embed_dim, large.image_size) == (192, 384)
    assert plan({**TIMM, "model_args": {"img_size": [320, 320]}}).image_size == 320


def test_upernet_on_swin():
    found = plan(UPERNET, size={"shortest_edge": 640})
    assert (found.architecture, found.channels, found.image_size) == (SEGMENTER, 256, 640)
    assert found.labels == ["sky", "road"]
    assert found.config.name == "swin_s"
    assert found.config.attention_options["always_partition"]


def test_images_are_normalized_as_the_preprocessor_says():
    found = plan(CONFIG)
    np.testing.assert_allclose(found.mean, np.array([0.485, 0.456, 0.406]) * 255)
    found = plan(CONFIG, image_mean=[0.1, 0.2, 0.3], image_std=[1, 2, 3], rescale_factor=0.5)
    np.testing.assert_allclose(found.mean, [0.2, 0.4, 0.6])
    np.testing.assert_allclose(found.deviation, [2, 4, 6])
    found = plan(CONFIG, image_mean=[100, 110, 120], image_std=[50, 60, 70], do_rescale=False)
    assert found.mean == (100, 110, 120)
    found = plan(CONFIG, do_normalize=False)
    np.testing.assert_allclose(found.deviation, [255] * 3)
    np.testing.assert_allclose(found.mean, [0] * 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "swinv2"}, r"`architectures` are one of .* `model_type` 'swinv2'"),
        ({"architectures": ["SwinForMaskedImageModeling"]}, "of 'SwinForMaskedImageModeling'"),
        ({"architectures": ["SwinBackbone"]}, "of 'SwinBackbone'"),
        ({"architectures": None}, "of None"),
        ({"architectures": [["SwinModel"]]}, r"of \['SwinModel'\]"),
        ({"hidden_act": "relu"}, r"`hidden_act` must be 'gelu'\. Received: 'relu'"),
        ({"patch_size": 2}, r"`patch_size` must be 4\. Received: 2"),
        ({"qkv_bias": False}, r"`qkv_bias` must be True\. Received: False"),
        ({"use_absolute_embeddings": True}, "`use_absolute_embeddings` must be False"),
        ({"layer_norm_eps": 1e-12}, r"`layer_norm_eps` must be 1e-05\. Received: 1e-12"),
        ({"window_size": [7, 14]}, r"`window_size` must be a positive integer\. Received: \[7, 14"),
        ({"depths": [2, 2, 2]}, "`depths` must have one entry per stage"),
        ({"depths": 4}, "not iterable"),
        ({"id2label": {"0": "a", "2": "b"}}, "`id2label` must be names of the classes from 0 on"),
        ({"id2label": []}, "`id2label` must be names"),
        ({"image_size": "large"}, "the size of images must be a number of pixels"),
    ],
)
def test_what_is_not_covered_is_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        plan({**CONFIG, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "swinv2_tiny_window8_256"}, "Received: 'swinv2_tiny_window8_256'"),
        ({"architecture": "swin_s3_tiny_224"}, "Received: 'swin_s3_tiny_224'"),
        ({"architecture": "resnet50"}, "timm's `architecture` must be of .* Received: 'resnet50'"),
        ({"model_args": {"window_size": 14}}, r"`model_args` must be of \['img_size"),
        ({"model_args": {"in_chans": 1}}, r"`in_chans` must be 3\. Received: 1"),
    ],
)
def test_what_is_not_covered_of_timm_is_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        plan({**TIMM, **changes})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"backbone_config": {"model_type": "convnext"}}, "must be 'swin'. Received: 'convnext'"),
        ({"backbone_config": None}, "must be 'swin'. Received: None"),
        ({"pool_scales": [1, 2, 4]}, r"`pool_scales` must be \[1, 2, 3, 6\]"),
        (
            {"backbone_config": {"model_type": "swin", "out_features": ["stage4"]}},
            "`out_features` must be",
        ),
    ],
)
def test_what_is_not_covered_of_upernet_is_refused_by_name(changes, message):
    with pytest.raises(ValueError, match=message):
        plan({**UPERNET, **changes})


@pytest.mark.parametrize(
    "preprocessor",
    [
        {"image_mean": [0.5, 0.5]},
        {"image_std": [1, 0, 1]},
        {"image_std": "large"},
        {"image_mean": [float("nan"), 0, 0]},
        {"rescale_factor": 0},
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_preprocessor_without_numbers_is_refused(preprocessor):
    with pytest.raises(ValueError, match="three means, and three deviations above 0"):
        plan(CONFIG, **preprocessor)
