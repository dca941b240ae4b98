"""Networks with every attention, projection, position encoding and merging."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from pale_tf import PaleConfig, PaleN, fuse, pale_network, pale_segmenter
from pale_tf.layers.attention import ATTENTIONS, Place, make_attention
from tests.pale_tf.backends import OTHERS_TO_PREDICT, run_on
from tests.pale_tf.layers.checks import randomize
from tests.pale_tf.test_fuse import assert_same, disturbed


def mine(**options):
    return PaleConfig("mine", 16, (2, 1, 1, 1), (2, 4, 8, 16), pale_size=3, **options)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_every_attention_makes_a_network(attention):
    model = PaleN(input_shape=(96, 64, 3), classes=3, attention=attention)
    assert model.output_shape == (None, 3)
    expected = [type(make_attention(attention, Place(2, block), 8)) for block in (0, 1)]
    blocks = [model.get_layer(f"stage3_block{block}_attention") for block in (1, 2)]
    assert [type(layer) for layer in blocks] == expected


def test_each_stage_may_have_its_own_attention_and_options():
    config = mine(
        attention=("cross_shaped", "spatial_reduction", "window", "global"),
        attention_options=({"stripe_width": 2}, {}, {"window_size": 5}, {}),
    )
    model = pale_network(config, input_shape=(64, 64, 3))
    layers = [model.get_layer(f"stage{stage}_block1_attention") for stage in (1, 2, 3, 4)]
    assert layers[0].stripe_width == 2
    assert layers[1].reduction == 4  # PVT's, of the second stage
    assert layers[2].window_size == 5
    assert hash(config) == hash(mine(attention=config.attention))


@pytest.mark.parametrize("projection", ["separable", "linear"])
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_the_inference_form_gives_the_same_numbers(attention, projection):
    config = mine(attention=attention, projection=projection)
    model = disturbed(pale_network(config, input_shape=(44, 36, 3), classes=4))
    fused = fuse(model)
    assert_same(model, fused, (44, 36))
    with pytest.raises(ValueError, match="`model` must be a network as it is trained"):
        fuse(fused)


def assert_all_forms_same(model, config, folder):
    """Fused, saved and loaded, and for images of any size."""
    assert_same(model, fuse(model), (44, 36))
    model.save(folder / "model.keras")
    assert_same(model, keras.saving.load_model(folder / "model.keras"), (44, 36))
    dynamic = pale_network(config, input_shape=(None, None, 3), classes=4)
    dynamic.set_weights(model.get_weights())
    assert_same(model, dynamic, (44, 36))


@pytest.mark.parametrize("merging", ["overlapping", "patch"])
@pytest.mark.parametrize("position", ["conditional", "absolute", "none"])
def test_positions_and_mergings(position, merging, tmp_path):
    config = mine(position=position, merging=merging)
    model = disturbed(pale_network(config, input_shape=(44, 36, 3), classes=4))
    names = {layer.name for layer in model.layers}
    assert ("stage2_block1_position" in names) == (position == "conditional")
    assert ("stage1_position" in names) == (position == "absolute")
    assert_all_forms_same(model, config, tmp_path)


CHEAPER = {
    "shared": {"share_attention": 2},
    "pooled": {"attention_options": {"pooling": 2}},
    "shared_pales": {"share_attention": 2, "attention": "pale_vanilla", "projection": "linear"},
    "shared_and_pooled": {"share_attention": 2, "attention_options": {"pooling": 3}},
    "local": {"mlp": "local"},
    "selected": {"keep_tokens": 0.5},
    "selected_by_norm": {"keep_tokens": (1, 0.7, 0.6, 0.5), "token_scores": "norm"},
    "groups": {"attention_options": {"keep": 0.5}},
    "strided": {"attention": "global", "attention_options": {"stride": 2}},
    "conformer": {"block": "conformer"},
    "mobile_former": {"block": "mobile_former"},
    "ds": {"block": "ds"},
}


@pytest.mark.parametrize("options", CHEAPER.values(), ids=CHEAPER)
def test_networks_with_less_attention_or_more_locality(options, tmp_path):
    config = mine(**options)
    model = disturbed(pale_network(config, input_shape=(44, 36, 3), classes=4))
    assert_all_forms_same(model, config, tmp_path)
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)  # no tracing
    images = np.random.default_rng(0).uniform(0, 255, (2, 44, 36, 3)).astype("float32")
    assert np.isfinite(model.fit(images, np.arange(2), verbose=0).history["loss"]).all()


@pytest.mark.parametrize("options", CHEAPER.values(), ids=CHEAPER)
def test_segmenters_upon_them(options):
    model = disturbed(pale_segmenter(mine(**options), 3, (44, 36, 3), channels=8))
    assert_same(model, fuse(model), (44, 36))


@pytest.mark.slow
@pytest.mark.parametrize("backend", OTHERS_TO_PREDICT)
def test_other_backends_compute_the_cheaper_forms_alike(tmp_path, backend):
    images = np.random.default_rng(1).uniform(0, 255, (2, 44, 36, 3)).astype("float32")
    np.save(tmp_path / "images.npy", images)
    expected, configs = {}, {}
    for name, options in CHEAPER.items():
        config = mine(**options)
        configs[name] = dataclasses.asdict(config)
        model = disturbed(pale_network(config, input_shape=images.shape[1:], classes=4))
        model.save_weights(tmp_path / f"{name}.weights.h5")
        expected[name] = model.predict(images, verbose=0)
    (tmp_path / "configs.json").write_text(json.dumps(configs))
    run_on(backend, "backend_configs.py", tmp_path)
    actual = np.load(tmp_path / "outputs.npz")
    for name, value in expected.items():
        np.testing.assert_allclose(actual[name], value, rtol=0, atol=1e-5, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("backend", OTHERS_TO_PREDICT)
def test_other_backends_give_the_same_numbers(tmp_path, backend):
    images = np.random.default_rng(0).normal(size=(2, 10, 23, 16)).astype("float32")
    np.save(tmp_path / "images.npy", images)
    expected = {}
    for name in ATTENTIONS:
        for block in (0, 1):
            layer = make_attention(name, Place(1, block), 4, name=f"{name}_{block}")
            layer.build(images.shape)
            randomize(layer, seed=block)
            values = {f"{index:03}": value for index, value in enumerate(layer.get_weights())}
            np.savez(tmp_path / f"{name}_{block}.npz", **values)
            expected[f"{name}_{block}"] = layer(images)
    run_on(backend, "backend_attentions.py", tmp_path)
    actual = np.load(tmp_path / "outputs.npz")
    for name, value in expected.items():
        np.testing.assert_allclose(actual[name], value, rtol=0, atol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attention": "linear"}, "`attention` must be one of .* Received: 'linear'"),
        ({"attention": ("pale", "pale")}, "`attention` must have one entry per stage, 4"),
        ({"attention_options": ({}, {})}, "`attention_options` must have one entry per stage"),
        ({"attention": "window", "attention_options": {"window_size": 0}}, "`window_size` must"),
        ({"attention": "window", "attention_options": {"width": 7}}, "Unrecognized keyword"),
        ({"attention": "messenger", "attention_options": {"region_size": 3}}, "`region_size` must"),
        ({"attention": "axial", "attention_options": {"axis": "depth"}}, "`axis` must be one of"),
        ({"attention": "deformable", "attention_options": {"groups": 3}}, "`groups` must divide"),
        ({"projection": "dense"}, r"`projection` must be one of .* Received: 'dense'"),
        ({"position": "sine"}, r"`position` must be one of .* Received: 'sine'"),
        ({"merging": "pool"}, r"`merging` must be one of .* Received: 'pool'"),
    ],
)
def test_bad_configurations(options, message):
    with pytest.raises(ValueError, match=message):
        mine(**options)
