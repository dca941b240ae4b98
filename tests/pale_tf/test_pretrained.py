"""Checkpoints of others give their numbers here."""

import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

from pale_tf import fuse, load_pretrained
from pale_tf.pretrained import read_pretrained
from tests.conftest import ROOT
from tests.pale_tf import load_checkpoint
from tests.pale_tf.swin_files import CONFIG, swin_tensors, write_checkpoint
from tests.pale_tf.test_fuse import assert_same

HERE = pathlib.Path(__file__).parent
RECORDED = ROOT / "tests" / "data" / "swin_of_transformers"


def needs(package):
    """Skips a test where a package is missing. Importing it here could end the process: the Triton
    of a PyTorch for GPUs does not go with TensorFlow."""
    found = importlib.util.find_spec(package) is not None
    return pytest.mark.skipif(not found, reason=f"no {package}")


def compare(actual, expected):
    assert set(actual) == set(expected)
    for key, values in expected.items():
        np.testing.assert_allclose(actual[key], values, rtol=0, atol=1e-4, err_msg=key)


def make_and_load(folder, network, *sizes):
    """Outputs here and there: each in a process, of which that here has no PyTorch."""
    for script, arguments in (("make", (network, *sizes)), ("load", ())):
        command = [sys.executable, HERE / f"{script}_checkpoint.py", folder, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 0, done.stderr
    with np.load(folder / "actual.npz") as actual, np.load(folder / "expected.npz") as expected:
        compare(dict(actual), dict(expected))


def test_a_swin_gives_the_numbers_that_transformers_gave():
    """At a size that needs no padding, and at one that needs some in every stage."""
    with np.load(RECORDED / "expected.npz") as expected:
        compare(load_checkpoint.run(RECORDED), dict(expected))


@pytest.mark.slow
@needs("transformers")
@pytest.mark.parametrize("network", ["swin_t", "swin_s", "swin_b", "swin_odd", "swin_features"])
def test_a_swin_is_that_of_transformers(tmp_path, network):
    make_and_load(tmp_path, network, "224x224", "384x384", "300x452")


@pytest.mark.slow
@needs("timm")
@pytest.mark.parametrize("size", ["224x224", "384x384", "300x452"])
def test_a_swin_is_that_of_timm(tmp_path, size):
    make_and_load(tmp_path, "timm", size)


@pytest.mark.slow
@needs("transformers")
def test_upernet_is_that_of_transformers(tmp_path):
    make_and_load(tmp_path, "upernet", "512x512", "500x333", "97x161")


def test_a_classifier_is_an_ordinary_network(tmp_path):
    network = load_pretrained(RECORDED)
    assert network.name == "swin"
    assert network.input_shape == (None, 224, 224, 3)
    dynamic = load_pretrained(RECORDED, input_shape=(None, None, 3))
    assert_same(network, dynamic, (224, 224))
    dynamic.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert_same(dynamic, again, (101, 77))  # maps that are no larger than a window, too
    assert_same(dynamic, fuse(dynamic), (101, 77))


def test_features_have_no_classifier(tmp_path):
    config = {**CONFIG, "architectures": ["SwinModel"]}
    tensors = {
        name.removeprefix("swin."): value
        for name, value in swin_tensors().items()
        if "classifier" not in name
    }
    network = load_pretrained(write_checkpoint(tmp_path, tensors, config))
    assert network.output_shape == (None, None, None, 32)
    assert set(network.pyramid_outputs) == {"P2", "P3", "P4", "P5"}


def test_the_preprocessor_normalizes(tmp_path):
    plain = load_pretrained(write_checkpoint(tmp_path / "plain"))
    other = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.6, 0.7]}
    other = load_pretrained(write_checkpoint(tmp_path / "other", preprocessor=other))
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3))
    normalized = (images / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.6, 0.7]
    same = (normalized * [0.229, 0.224, 0.225] + [0.485, 0.456, 0.406]) * 255
    np.testing.assert_allclose(other(images), plain(same.astype("float32")), atol=1e-5)


def test_what_a_checkpoint_tells_comes_with_it(tmp_path):
    found = read_pretrained(write_checkpoint(tmp_path))
    assert found.plan.labels == ["cat", "dog", "sea, calm"]
    assert found.plan.image_size == (64, 64)
    assert found.network.output_shape == (None, 3)


def without(tensors, name):
    del tensors[name]


def changed(tensors, name, value):
    tensors[name] = value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: without(t, "swin.encoder.layers.2.blocks.1.layernorm_after.bias"),
            "1 differ, the first: stage3_block2_norm2/beta is missing",
        ),
        (
            lambda t: changed(t, "swin.extra.weight", np.zeros(3, "float32")),
            r"1 differ, the first: swin\.extra\.weight is left over",
        ),
        (
            lambda t: changed(t, "classifier.bias", np.zeros(7, "float32")),
            r"the first: predictions/bias has the shape \(7,\), must be \(3,\)",
        ),
        (
            lambda t: changed(t, "classifier.bias", np.zeros(3, "int64")),
            "predictions/bias is not of finite numbers",
        ),
        (
            lambda t: changed(t, "classifier.bias", np.full(3, np.nan, "float32")),
            "predictions/bias is not of finite numbers",
        ),
        (
            lambda t: changed(
                t, "swin.encoder.layers.0.blocks.1.layernorm_after.bias", np.zeros(4, "float32")
            ),
            "stage1_block2_norm2/beta is left over",
        ),
    ],
)
def test_tensors_must_be_those_of_the_configuration(tmp_path, change, message):
    tensors = swin_tensors()
    change(tensors)
    with pytest.raises(ValueError, match=message) as caught:
        load_pretrained(write_checkpoint(tmp_path, tensors))
    assert "\n" not in str(caught.value)


def test_a_truncated_checkpoint_is_refused(tmp_path):
    folder = shutil.copytree(RECORDED, tmp_path / "checkpoint")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"cannot read .* as a safetensors file"):
        load_pretrained(folder)


def test_another_window_than_that_of_the_tensors_is_refused(tmp_path):
    config = json.loads(json.dumps(CONFIG)) | {"window_size": 7}
    with pytest.raises(ValueError, match=r"position_table has the shape \(49, 1\), must be \(169"):
        load_pretrained(write_checkpoint(tmp_path, config=config))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"embed_dim": 10**6},
            r"convolution/kernel has the shape .*, must be \(4, 4, 3, 1000000\)",
        ),
        ({"depths": [1, 10**9, 2, 1]}, "stage2_block2_attention/position_table is missing"),
        ({"window_size": 10**6}, "stage1_block1_attention/position_table has the shape"),
        ({"mlp_ratio": 10**9}, "stage1_block1_mlp/expand/kernel has the shape"),
    ],
)
def test_more_than_the_tensors_have_is_refused_before_it_is_built(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        load_pretrained(write_checkpoint(tmp_path, config={**CONFIG, **changes}))
