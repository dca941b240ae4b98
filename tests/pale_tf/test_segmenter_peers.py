"""The segmenter beside UPerNet of `transformers`, random weights copied over: pip install -e
".[peers]"."""

import dataclasses

import keras
import numpy as np
import pytest

from pale_tf import pale_segmenter
from pale_tf.configs import NETWORKS
from tests.pale_tf.peer_weights import copy_segmenter

CLASSES = 11


def make_peer(window):
    """UPerNet on Swin-T: random weights, and random statistics in its BatchNorms."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    torch.manual_seed(0)
    stages = [f"stage{stage}" for stage in (1, 2, 3, 4)]
    backbone = transformers.SwinConfig(
        window_size=window, layer_norm_eps=1e-5, initializer_range=0.05, out_features=stages
    )
    config = transformers.UperNetConfig(
        backbone_config=backbone,
        hidden_size=512,
        pool_scales=[1, 2, 3, 6],
        use_auxiliary_head=True,
        auxiliary_loss_weight=0.4,
        num_labels=CLASSES,
    )
    peer = transformers.UperNetForSemanticSegmentation(config).eval()
    for name, parameter in peer.named_parameters():
        if "position_bias_table" in name:  # it starts from zeros
            torch.nn.init.normal_(parameter)
        elif "norm" in name:
            low, high = (0.5, 1.5) if name.endswith("weight") else (-0.3, 0.3)
            torch.nn.init.uniform_(parameter, low, high)
    for name, buffer in peer.named_buffers():
        if name.endswith("running_mean"):
            torch.nn.init.normal_(buffer, 0.0, 0.3)
        elif name.endswith("running_var"):
            torch.nn.init.uniform_(buffer, 0.5, 2.0)
    return peer.requires_grad_(False)


def make_mine(peer, window):
    """The same segmenter of this package, with the weights of the peer."""
    config = dataclasses.replace(NETWORKS["swin_t"], attention_options={"window_size": window})
    mine = pale_segmenter(
        config,
        CLASSES,
        include_preprocessing=False,
        auxiliary=True,
        classifier_activation=None,
        output_norms=True,
    )
    copy_segmenter({name: value.numpy() for name, value in peer.state_dict().items()}, mine)
    return mine


@pytest.mark.slow
@pytest.mark.parametrize(("window", "size"), [(7, (448, 672)), (8, (512, 512))])
def test_the_network_is_that_of_transformers(window, size):
    """The windows divide the maps of these sizes in every stage, and no map is a single window.

    Elsewhere the two differ by design: tokens of theirs attend to padding, and theirs shifts a
    single window.
    """
    peer = make_peer(window)
    images = random_images(size)
    compare(make_mine(peer, window)(images), run_peer(peer, images)[1])


@pytest.mark.slow
def test_the_heads_are_those_of_transformers_at_any_size():
    """Both get the pyramid of their backbone, so padding makes no difference."""
    peer = make_peer(7)
    mine = make_mine(peer, 7)
    heads = keras.Model([mine.input, mine.pyramid_outputs], mine.output)
    for size in ((512, 512), (224, 320), (97, 161)):
        images = random_images(size)
        pyramid, expected = run_peer(peer, images)
        compare(heads([images, pyramid]), expected)


def random_images(size):
    return np.random.default_rng(0).normal(size=(1, *size, 3)).astype("float32")


def run_peer(peer, images):
    """The pyramid of their backbone, and the logits of both of their heads, at the images' size."""
    import torch

    x = torch.tensor(images.transpose(0, 3, 1, 2))
    levels = peer.backbone(x).feature_maps
    side = torch.nn.functional.interpolate(
        peer.auxiliary_head(levels), size=x.shape[2:], mode="bilinear", align_corners=False
    )
    pyramid = {f"P{number}": channels_last(level) for number, level in enumerate(levels, start=2)}
    return pyramid, {"main": channels_last(peer(x).logits), "auxiliary": channels_last(side)}


def channels_last(x):
    return x.numpy().transpose(0, 2, 3, 1)


def compare(logits, expected):
    assert set(logits) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(logits[name], values, rtol=0, atol=1e-4, err_msg=name)
