"""Loading weights: by name, checked, reported."""

import dataclasses
import logging
import warnings

import keras
import numpy as np
import pytest

from pale_tf import PaleConfig, PaleN, PaleT, pale_backbone, pale_network
from pale_tf.weights import load_weights

SMALL = PaleConfig("small", 16, (1, 1, 2, 1), (2, 2, 4, 4), pale_size=2)


def small_network(**arguments):
    return pale_network(SMALL, **arguments)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A network and its two files."""
    folder = tmp_path_factory.mktemp("weights")
    model = small_network(input_shape=(32, 32, 3), classes=10)
    model.compile("adam", "mse")
    model.save(folder / "model.keras")
    model.save_weights(folder / "model.weights.h5")
    return model, folder


def by_path(model):
    return {weight.path: weight.numpy() for weight in model.weights}


@pytest.mark.parametrize("file", ["model.keras", "model.weights.h5"])
def test_loads_everything(trained, file, caplog):
    model, folder = trained
    caplog.set_level(logging.INFO, logger="pale_tf.weights")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        other = small_network(input_shape=(48, 56, 3), classes=10, weights=folder / file)
    assert f"{len(model.weights)} tensors loaded from {folder / file}" in caplog.text
    for path, value in by_path(model).items():
        np.testing.assert_array_equal(by_path(other)[path], value)


def test_another_number_of_classes_keeps_the_new_classifier_and_warns(trained):
    model, folder = trained
    with pytest.warns(UserWarning, match=r"predictions/0 \(\(128, 10\) in the file, \(128, 3\)"):
        other = small_network(classes=3, weights=folder / "model.keras")
    ours, theirs = by_path(other), by_path(model)
    assert ours["predictions/kernel"].shape == (128, 3)
    for path in theirs.keys() - {"predictions/kernel", "predictions/bias"}:
        np.testing.assert_array_equal(ours[path], theirs[path])


def test_backbone_and_network_exchange_weights(trained, tmp_path):
    model, folder = trained
    backbone = pale_backbone(SMALL, drop_path_rate=0.0, weights=str(folder / "model.keras"))
    for path, value in by_path(backbone).items():
        np.testing.assert_array_equal(by_path(model)[path], value)
    backbone.save_weights(tmp_path / "backbone.weights.h5")
    other = small_network(classes=10)
    with pytest.warns(UserWarning, match="norm/0 .not in the file"):
        report = load_weights(other, tmp_path / "backbone.weights.h5")
    assert set(report.skipped) == {"norm/0", "norm/1", "predictions/0", "predictions/1"}
    assert len(report.loaded) == len(backbone.weights)
    report = load_weights(pale_backbone(SMALL), folder / "model.weights.h5")
    assert set(report.unused) == {"norm/0", "norm/1", "predictions/0", "predictions/1"}


def test_backbones_with_different_decoders_exchange_weights(trained, tmp_path):
    """In both directions, neither file nor model having the other's head."""
    model, folder = trained
    normed = pale_backbone(SMALL, output_norms=True)
    x = keras.layers.Conv2D(4, 1, name="decoder_conv")(normed.pyramid_outputs["P2"])
    # All levels are outputs, for the backbone must be whole.
    dense = keras.Model(normed.inputs[0], {"scores": x, **normed.pyramid_outputs})
    with pytest.warns(UserWarning, match="decoder_conv/0 .not in the file"):
        report = load_weights(dense, folder / "model.keras")
    norms = {f"norm_P{level}/{index}" for level in range(2, 6) for index in (0, 1)}
    assert set(report.skipped) == norms | {"decoder_conv/0", "decoder_conv/1"}
    assert set(report.unused) == {"norm/0", "norm/1", "predictions/0", "predictions/1"}
    for path, value in by_path(normed).items():
        if path.startswith("stage"):
            np.testing.assert_array_equal(by_path(model)[path], value)
    dense.save_weights(tmp_path / "dense.weights.h5")
    other = small_network(classes=10)
    with pytest.warns(UserWarning, match="predictions/0 .not in the file"):
        report = load_weights(other, tmp_path / "dense.weights.h5")
    assert set(report.unused) == norms | {"decoder_conv/0", "decoder_conv/1"}
    for path, value in by_path(other).items():
        if path.startswith("stage"):
            np.testing.assert_array_equal(by_path(model)[path], value)


def test_scores_that_a_file_lacks_are_one(trained):
    """Whatever they were: the network then computes what the file's does."""
    model, folder = trained
    scored = pale_network(
        dataclasses.replace(SMALL, sparsity=1e-4), input_shape=(32, 32, 3), classes=10
    )
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    scores = [weight for weight in scored.weights if weight.path.endswith("/scores")]
    assert len(scores) == 2 * sum(SMALL.depths)
    for weight in scores:
        weight.assign(np.full(weight.shape, 0.5))
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        report = load_weights(scored, folder / "model.keras")
    assert len(report.loaded) == len(model.weights)
    np.testing.assert_allclose(scored(images), model(images), atol=1e-6)


def test_scores_that_a_model_lacks_are_refused(trained, tmp_path):
    scored = pale_network(
        dataclasses.replace(SMALL, sparsity=1e-4), input_shape=(32, 32, 3), classes=10
    )
    scored.save(tmp_path / "scored.keras")
    with pytest.raises(ValueError, match="stage1_block1_mlp/0: not in the model"):
        small_network(weights=tmp_path / "scored.keras")


def test_another_variant_is_refused_and_changes_nothing(trained):
    _, folder = trained
    with pytest.raises(ValueError, match=r"same variant.*stage1_block1_position/depthwise/0"):
        PaleT(weights=folder / "model.weights.h5")
    shallow = PaleConfig("shallow", 16, (1, 1, 1, 1), (2, 2, 4, 4), pale_size=2)
    model = pale_backbone(shallow)
    before = by_path(model)
    with pytest.raises(ValueError, match=r"stage3_block2_position.*not in the model"):
        load_weights(model, folder / "model.keras")
    for path, value in by_path(model).items():
        np.testing.assert_array_equal(before[path], value)


@pytest.mark.parametrize("name", ["model.keras", "model.weights.h5"])
def test_a_file_that_is_no_weights_file(tmp_path, name):
    (tmp_path / name).write_bytes(b"not weights")
    with pytest.raises(ValueError, match="`weights` must be a weights file of Keras 3"):
        PaleN(weights=tmp_path / name)


@pytest.mark.parametrize("path", ["missing.keras", "imagenet", ".", 3])
def test_a_path_that_is_no_file(path):
    with pytest.raises(ValueError, match=r"`weights` must be None or the path of an existing"):
        PaleN(weights=path)
