"""Networks with every attention, projection, position encoding and merging."""

import os
import pathlib
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from pale_tf import PaleConfig, PaleT, fuse, pale_network
from pale_tf.layers.attention import ATTENTIONS, Place, make_attention
from tests.pale_tf.layers.checks import randomize
from tests.pale_tf.test_fuse import assert_same, disturbed


def mine(**options):
    return PaleConfig("mine", 16, (2, 1, 1, 1), (2, 4, 8, 16), pale_size=3, **options)


@pytest.mark.parametrize("attention", ATTENTIONS)
def test_every_attention_makes_a_pale_t(attention):
    model = PaleT(input_shape=(96, 64, 3), classes=3, attention=attention)
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


@pytest.mark.parametrize("merging", ["overlapping", "patch"])
@pytest.mark.parametrize("position", ["conditional", "absolute", "none"])
def test_positions_and_mergings(position, merging, tmp_path):
    config = mine(position=position, merging=merging)
    model = disturbed(pale_network(config, input_shape=(44, 36, 3), classes=4))
    names = {layer.name for layer in model.layers}
    assert ("stage2_block1_position" in names) == (position == "conditional")
    assert ("stage1_position" in names) == (position == "absolute")
    assert_same(model, fuse(model), (44, 36))
    model.save(tmp_path / "model.keras")
    assert_same(model, keras.saving.load_model(tmp_path / "model.keras"), (44, 36))
    dynamic = pale_network(config, input_shape=(None, None, 3), classes=4)
    dynamic.set_weights(model.get_weights())
    assert_same(model, dynamic, (44, 36))


def test_jax_gives_the_same_numbers(tmp_path):
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
    script = pathlib.Path(__file__).with_name("jax_attentions.py")
    done = subprocess.run(
        [sys.executable, script, tmp_path],
        capture_output=True,
        text=True,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    )
    assert done.returncode == 0, done.stderr
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


@pytest.mark.slow
def test_swin_is_that_of_transformers():
    """Random weights of `transformers`' SwinModel, copied over: pip install -e ".[peers]"."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.SwinConfig(layer_norm_eps=1e-5, initializer_range=0.05)
    peer = transformers.SwinModel(config, add_pooling_layer=True).eval()
    for name, parameter in peer.named_parameters():
        if "position_bias_table" in name:  # it starts from zeros
            torch.nn.init.normal_(parameter)
    mine = pale_network(
        "swin_t",
        include_top=False,
        pooling="avg",
        include_preprocessing=False,
        input_shape=(224, 224, 3),
    )
    state = {name: value.numpy() for name, value in peer.state_dict().items()}
    copy_swin(state, mine)
    images = np.random.default_rng(0).normal(size=(2, 224, 224, 3)).astype("float32")
    with torch.no_grad():
        expected = peer(torch.tensor(images.transpose(0, 3, 1, 2))).pooler_output.numpy()
    np.testing.assert_allclose(mine(images), expected, rtol=0, atol=1e-4)


def copy_swin(state, model):
    """Gives the Swin configuration of this package the weights of `transformers`' SwinModel."""

    def norm(layer, name):
        layer.set_weights([state[f"{name}.weight"], state[f"{name}.bias"]])

    def dense(layer, name):
        bias = [state[f"{name}.bias"]] if layer.use_bias else []
        layer.set_weights([state[f"{name}.weight"].T, *bias])

    embedding, peer = model.get_layer("stage1_merging"), "embeddings.patch_embeddings.projection"
    kernel = state[f"{peer}.weight"].transpose(2, 3, 1, 0)
    embedding.convolution.set_weights([kernel, state[f"{peer}.bias"]])
    norm(embedding.norm, "embeddings.norm")
    norm(model.get_layer("norm"), "layernorm")
    for stage in range(1, 4):
        merging = model.get_layer(f"stage{stage + 1}_merging")
        name = f"encoder.layers.{stage - 1}.downsample"
        # Theirs joins the four tokens column by column, ours row by row.
        parts = {
            key: np.split(state[f"{name}.{key}"], 4, axis=-1)
            for key in ("norm.weight", "norm.bias", "reduction.weight")
        }
        ours = {
            key: np.concatenate([value[i] for i in (0, 2, 1, 3)], axis=-1)
            for key, value in parts.items()
        }
        merging.norm.set_weights([ours["norm.weight"], ours["norm.bias"]])
        merging.pointwise.set_weights([ours["reduction.weight"].T])
    for layer in model.layers:
        found = re.fullmatch(r"stage(\d)_block(\d+)_attention", layer.name)
        if not found:
            continue
        stage, block = (int(group) - 1 for group in found.groups())
        name, prefix = f"encoder.layers.{stage}.blocks.{block}", layer.name[: -len("attention")]
        for part in ("query", "key", "value"):
            dense(getattr(layer, part), f"{name}.attention.{part[0]}_proj")
        dense(layer.output_projection, f"{name}.attention.o_proj")
        table = "relative_position_bias.relative_position_bias_table"
        layer.position_table.assign(state[f"{name}.attention.{table}"])
        norm(model.get_layer(f"{prefix}norm1"), f"{name}.layernorm_before")
        norm(model.get_layer(f"{prefix}norm2"), f"{name}.layernorm_after")
        mlp = model.get_layer(f"{prefix}mlp")
        dense(mlp.expand, f"{name}.mlp.fc1")
        dense(mlp.contract, f"{name}.mlp.fc2")
