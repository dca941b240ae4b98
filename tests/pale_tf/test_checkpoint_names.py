"""Names of tensors: three vocabularies say the same."""

import re

import numpy as np

from pale_tf.checkpoint_names import as_ours
from tests.pale_tf.swin_files import swin_tensors

MODERN = {
    "attention.self.query": "attention.q_proj",
    "attention.self.key": "attention.k_proj",
    "attention.self.value": "attention.v_proj",
    "attention.self.relative": "attention.relative_position_bias.relative",
    "attention.output.dense": "attention.o_proj",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
}


def modern(tensors):
    """The names that transformers 5 has in memory."""
    renamed = {}
    for name, value in tensors.items():
        for old, new in MODERN.items():
            if old in name:
                name = name.replace(old, new)
                break
        renamed[name] = value
    return renamed


def of_timm(tensors):
    """timm's names: one tensor for queries, keys and values; mergings that open a stage."""
    renames = {
        "swin.encoder.": "",
        "swin.embeddings.patch_embeddings.projection": "patch_embed.proj",
        "swin.embeddings.norm": "patch_embed.norm",
        "swin.layernorm": "norm",
        "classifier": "head.fc",
        "layernorm_before": "norm1",
        "layernorm_after": "norm2",
        "attention.output.dense": "attn.proj",
        "attention.self.relative": "attn.relative",
        "intermediate.dense": "mlp.fc1",
        "output.dense": "mlp.fc2",
    }
    renamed = {}
    for name, value in tensors.items():
        for old, new in renames.items():
            name = name.replace(old, new)
        name = re.sub(
            r"layers\.(\d)\.downsample", lambda m: f"layers.{int(m[1]) + 1}.downsample", name
        )
        renamed[name] = value
    for name in [name for name in renamed if ".self.query." in name]:
        parts = [renamed.pop(name.replace("query", part)) for part in ("query", "key", "value")]
        renamed[name.replace("attention.self.query", "attn.qkv")] = np.concatenate(parts)
    return renamed


def test_vocabularies_are_one():
    tensors = swin_tensors()
    expected, unknown = as_ours(tensors)
    assert unknown == []
    without = {name.removeprefix("swin."): value for name, value in tensors.items()}
    for other in (modern(tensors), of_timm(tensors), without):
        assert set(other) != set(tensors)
        found, unknown = as_ours(other)
        assert unknown == []
        assert set(found) == set(expected)
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_layouts_are_those_of_keras():
    tensors = swin_tensors()
    ours, _ = as_ours(tensors)
    projection = tensors["swin.embeddings.patch_embeddings.projection.weight"]
    # PyTorch: output, input, row, column.
    kernel = ours["stage1_merging/convolution/kernel"]
    assert kernel[1, 2, 0, 3] == projection[3, 0, 1, 2]
    query = tensors["swin.encoder.layers.2.blocks.1.attention.self.query.weight"]
    np.testing.assert_array_equal(ours["stage3_block2_attention/query/kernel"], query.T)
    # Theirs: (0, 0), (1, 0), (0, 1), (1, 1) of row and column.
    norm = tensors["swin.encoder.layers.0.downsample.norm.weight"].reshape(4, 4)
    gamma = ours["stage2_merging/norm/gamma"].reshape(4, 4)
    np.testing.assert_array_equal(gamma, norm[[0, 2, 1, 3]])


def test_what_is_unknown_is_named():
    odd = {
        "swin.encoder.layers.0.blocks.0.attention.self.query.scale": np.zeros(4),
        "swin.encoder.layers.0.blocks.0.mlp.cpb.weight": np.zeros(4),
        "swin.encoder.layers.0.downsample.norm.weight": np.zeros(6),
        "decode_head.psp_modules.7.1.conv.weight": np.zeros((1, 1, 1, 1)),
        "mask_token": np.zeros((1, 1, 4)),
        "swin.encoder.layers.0.blocks.0.attn.qkv.weight": np.zeros(()),
        "swin.encoder.layers.1.downsample.norm.weight": np.zeros(()),
        "": np.zeros(1),
    }
    assert as_ours(odd) == ({}, list(odd))


def test_what_says_the_same_twice_is_named():
    names = [f"encoder.layers.0.blocks.0.{part}.bias" for part in ("attn.proj", "attention.o_proj")]
    ours, unknown = as_ours({name: np.full(4, index) for index, name in enumerate(names)})
    assert unknown == names[1:]
    np.testing.assert_array_equal(ours["stage1_block1_attention/output/bias"], np.zeros(4))
