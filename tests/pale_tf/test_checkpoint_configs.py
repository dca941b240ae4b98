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
    return plan_of(Checkpoint(pathlib.Path("checkpoint"), [], config, preprocessor))


def test_a_swin_of_transformers():
    found = plan(CONFIG, size={"height": 96, "width": 96})
    assert found.architecture == CLASSIFIER
    assert found.labels == ["cat", "dog", "sea, calm"]
    assert found.image_size == (96, 96)
    assert found.config.depths == (1, 1, 2, 1)
    assert found.config.attention_options == {"window_size": 4, "padding": "swin"}
    features = plan({**CONFIG, "architectures": ["SwinModel"]})
    assert (features.architecture, features.labels, features.image_size) == (FEATURES, [], (64, 64))


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
    assert (large.config.embed_dim, large.image_size) == (192, (384, 384))
    assert plan({**TIMM, "model_args": {"img_size": [320, 352]}}).image_size == (320, 352)
    assert plan({**TIMM, "label_names": ["a", "b"], "num_classes": 2}).labels == ["a", "b"]


def test_upernet_on_swin():
    found = plan(UPERNET, size={"shortest_edge": 640})
    assert (found.architecture, found.channels, found.image_size) == (SEGMENTER, 256, (640, 640))
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
        ({"architectures": None, "model_type": None}, "of None, `model_type` None"),
        ({"architectures": ["ViTModel"], "model_type": None}, "of 'ViTModel', `model_type` None"),
        ({"architectures": [["SwinModel"]]}, r"of \['SwinModel'\]"),
        ({"hidden_act": "relu"}, r"`hidden_act` must be 'gelu'\. Received: 'relu'"),
        ({"patch_size": 2}, r"`patch_size` must be 4\. Received: 2"),
        ({"qkv_bias": False}, r"`qkv_bias` must be True\. Received: False"),
        ({"use_absolute_embeddings": True}, "`use_absolute_embeddings` must be False"),
        ({"layer_norm_eps": 1e-12}, r"`layer_norm_eps` must be 1e-05\. Received: 1e-12"),
        ({"window_size": [7, 14]}, r"`window_size` must be a positive integer\. Received: \[7, 14"),
        ({"depths": [2, 2]}, "`depths` must have one entry per stage"),
        ({"depths": [2, 2, 2]}, "`num_heads` must have one entry per stage, 3"),
        ({"depths": [2, 2, 2], "num_heads": [1, 2, 4]}, "must have four stages"),
        ({"depths": 4}, "not iterable"),
        ({"id2label": {"0": "a", "2": "b"}}, "`id2label` must be names of the classes from 0 on"),
        ({"id2label": []}, "`id2label` must be names"),
        ({"image_size": "large"}, "the size of images must be a number of pixels"),
        ({"image_size": [224, 224, 3]}, "the size of images must be a number of pixels"),
        ({"mlp_ratio": float("inf")}, "`mlp_ratio` must be positive, finite. Received: inf"),
        ({"mlp_ratio": float("nan")}, "`mlp_ratio` must be positive, finite. Received: nan"),
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
        (
            {"architecture": "resnet50"},
            "timm's `architecture` must be one of .* Received: 'resnet50'",
        ),
        ({"model_args": {"window_size": 14}}, r"`model_args` must be none but \['img_size"),
        ({"model_args": [1]}, r"`model_args` must be an object\. Received: \[1\]"),
        ({"pretrained_cfg": "x"}, "`pretrained_cfg` must be an object"),
        ({"label_names": ["a"]}, "`label_names` must be 1000 names, or none"),
        ({"label_names": 5}, "`label_names` must be"),
        ({"num_classes": -1}, "`num_classes` must be a positive integer"),
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


def test_crops_of_preprocessors():
    crop = {"do_center_crop": True, "crop_size": {"height": 224, "width": 224}}
    found = plan(CONFIG, size={"shortest_edge": 256}, **crop)
    assert (found.image_size, found.crop_fraction) == ((224, 224), 0.875)
    found = plan(CONFIG, size={"shortest_edge": 256}, **crop | {"do_center_crop": False})
    assert (found.image_size, found.crop_fraction) == ((256, 256), 1.0)
    assert plan(CONFIG, size=None, crop_pct=None, image_mean=None).image_size == (64, 64)
    with pytest.raises(ValueError, match=r"`crop_size` must be at most the `size`, 128"):
        plan(CONFIG, size=128, **crop)


def test_configurations_of_transformers_4():
    """The fields of files that transformers 4 wrote: `save_pretrained` of 5 has others."""
    config = {
        "_name_or_path": "",
        "architectures": ["SwinForImageClassification"],
        "attention_probs_dropout_prob": 0.0,
        "depths": [2, 2, 18, 2],
        "drop_path_rate": 0.1,
        "embed_dim": 128,
        "encoder_stride": 32,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.0,
        "hidden_size": 1024,
        "id2label": {str(index): f"class {index}" for index in range(1000)},
        "image_size": 384,
        "initializer_range": 0.02,
        "layer_norm_eps": 1e-05,
        "mlp_ratio": 4.0,
        "model_type": "swin",
        "num_channels": 3,
        "num_heads": [4, 8, 16, 32],
        "num_layers": 4,
        "patch_size": 4,
        "path_norm": True,
        "qkv_bias": True,
        "torch_dtype": "float32",
        "use_absolute_embeddings": False,
        "window_size": 12,
    }
    extractor = {
        "do_normalize": True,
        "do_resize": True,
        "feature_extractor_type": "ViTFeatureExtractor",
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        "resample": 3,
        "size": 384,
    }
    found = plan(config, **extractor)
    assert found.config.name == "swin_b"
    assert found.config.attention_options["window_size"] == 12
    assert (found.image_size, found.classes) == ((384, 384), 1000)


JUNK = [None, -1, 0, 1.5, 10**400, float("nan"), float("inf"), "", "x", [], [1], {}, {"a": 1}, True]


@pytest.mark.parametrize("start", [CONFIG, TIMM, UPERNET], ids=["swin", "timm", "upernet"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_whatever_a_configuration_says_is_read_or_refused(start):
    """Hostile: a field, or one inside of it, holds anything that JSON may."""
    settings = {"size": 64, "crop_size": 64, "do_center_crop": True, "crop_pct": 0.9}
    settings |= {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "rescale_factor": 0.1}
    for junk in JUNK:
        for field in [*start, "embed_dim", "label_names", "model_args", "mlp_ratio"]:
            check_read_or_refused({**start, field: junk}, settings)
            if isinstance(start.get(field), dict):
                for inner in start[field]:
                    changed = {**start, field: {**start[field], inner: junk}}
                    check_read_or_refused(changed, settings)
        for field in settings:
            check_read_or_refused(start, {**settings, field: junk})


def check_read_or_refused(config, settings):
    try:
        plan(config, **settings)
    except ValueError as refused:
        assert "`path`" in str(refused)  # noqa: PT017
        assert "\n" not in str(refused)  # noqa: PT017


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
