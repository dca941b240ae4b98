"""Names and layouts of tensors in the checkpoints of others, and in networks of this package.

| source | a query's kernel in the first block |
|---|---|
| transformers 4, and files that transformers 5 writes | `encoder.layers.0.blocks.0.attention.self.query.weight` |
| transformers 5, in memory | `encoder.layers.0.blocks.0.attention.q_proj.weight` |
| timm | a third of `layers.0.blocks.0.attn.qkv.weight` |
| this package | `stage1_block1_attention/query/kernel` |

PyTorch has the outputs of a kernel first, `[out, in, …]`; Keras has them last.
"""  # noqa: E501

import re

import numpy as np

from pale_tf import names
from pale_tf.decoders.upernet import BINS

# Parts of a block with a weight and a bias, theirs and ours.
BLOCK_PARTS = {
    "layernorm_before": "norm1",
    "norm1": "norm1",
    "attention.self.query": "attention/query",
    "attention.q_proj": "attention/query",
    "attention.self.key": "attention/key",
    "attention.k_proj": "attention/key",
    "attention.self.value": "attention/value",
    "attention.v_proj": "attention/value",
    "attention.output.dense": "attention/output",
    "attention.o_proj": "attention/output",
    "attn.proj": "attention/output",
    "layernorm_after": "norm2",
    "norm2": "norm2",
    "intermediate.dense": "mlp/expand",
    "mlp.fc1": "mlp/expand",
    "output.dense": "mlp/contract",
    "mlp.fc2": "mlp/contract",
}
# Parts outside of the blocks and the mergings.
PARTS = {
    "embeddings.patch_embeddings.projection": f"{names.merging(1)}/convolution",
    "embeddings.norm": f"{names.merging(1)}/norm",
    "patch_embed.proj": f"{names.merging(1)}/convolution",
    "patch_embed.norm": f"{names.merging(1)}/norm",
    "layernorm": "norm",
    "norm": "norm",
    "classifier": names.PREDICTIONS,
    "head.fc": names.PREDICTIONS,
    "decode_head.classifier": names.PREDICTIONS,
    "auxiliary_head.classifier": f"{names.AUXILIARY}{names.PREDICTIONS}",
    **{
        f"hidden_states_norms.stage{stage}": names.output_norm(names.level_of(stage))
        for stage in names.STAGES
    },
}
# UPerNet's convolutions with BatchNorm.
CONVOLUTIONS = {
    **{f"decode_head.psp_modules.{i}.1": f"psp_conv{bins}" for i, bins in enumerate(BINS)},
    "decode_head.bottleneck": "psp_bottleneck",
    **{f"decode_head.lateral_convs.{i}": f"lateral_P{i + 2}" for i in range(3)},
    **{f"decode_head.fpn_convs.{i}": f"fpn_P{i + 2}" for i in range(3)},
    "decode_head.fpn_bottleneck": "fpn_bottleneck",
    "auxiliary_head.convs.0": f"{names.AUXILIARY}conv",
}
BATCH_NORM = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}
# What follows from the shape of the network, or counts training steps: no weights.
NO_WEIGHTS = ("relative_position_index", "attn_mask", "num_batches_tracked")
POSITION_TABLE = "relative_position_bias_table"


def as_ours(tensors):
    """Renames the tensors of a Swin, or of UPerNet on one, and lays them out as Keras does.

    Args:
        tensors: Dict of NumPy arrays by their names in transformers or timm.

    Returns:
        Dict of arrays by their paths in a network of this package, such as
        `stage1_block1_attention/query/kernel`, and a list of the names that it does not know, or
        that say the same as others.
    """
    ours, unknown = {}, []
    # timm opens a stage with its merging, others end one with it.
    shift = 1 if any(re.search(r"(^|\.)patch_embed\.", name) for name in tensors) else 2
    for name, value in tensors.items():
        if name.rpartition(".")[2] in NO_WEIGHTS:
            continue
        found = _translated(_bare(name), value, shift) if value.ndim else {}
        if not found or found.keys() & ours.keys():  # unknown, or there under another name
            unknown.append(name)
        else:
            ours |= found
    return ours, unknown


def _bare(name):
    """The name of a tensor inside of its backbone, or its head."""
    for prefix in ("backbone.", "swin.", "encoder."):
        name = name.removeprefix(prefix)
    return name


def _translated(name, value, shift):
    """The tensors of this package that one of theirs stands for, by path; empty if unknown."""
    part, _, kind = name.rpartition(".")
    block = re.fullmatch(r"layers\.(\d+)\.blocks\.(\d+)\.(.+)", part)
    merging = re.fullmatch(r"layers\.(\d+)\.downsample\.(norm|reduction)", part)
    if block:
        prefix = names.block_prefix(int(block[1]) + 1, int(block[2]) + 1)
        return _of_block(prefix, block[3], kind, value)
    if merging:
        return _of_merging(names.merging(int(merging[1]) + shift), merging[2], kind, value)
    if part in PARTS and kind in ("weight", "bias"):
        return _layer(PARTS[part], kind, value)
    convolution, _, inner = part.rpartition(".")
    if convolution in CONVOLUTIONS:
        layer = CONVOLUTIONS[convolution]
        if (inner, kind) == ("conv", "weight"):
            return {f"{layer}/kernel": _kernel(value)}
        if inner == "batch_norm" and kind in BATCH_NORM:
            return {f"{layer}/norm/{BATCH_NORM[kind]}": value}
    return {}


def _of_block(prefix, part, kind, value):
    """A tensor of a block."""
    if kind == POSITION_TABLE and part.startswith("att"):
        return {f"{prefix}_attention/position_table": value}
    if part == "attn.qkv" and len(value) % 3 == 0:
        parts = zip(("query", "key", "value"), np.split(value, 3), strict=True)
        layers = [_layer(f"{prefix}_attention/{name}", kind, third) for name, third in parts]
        return layers[0] | layers[1] | layers[2]
    if part in BLOCK_PARTS and kind in ("weight", "bias"):
        return _layer(f"{prefix}_{BLOCK_PARTS[part]}", kind, value)
    return {}


def _of_merging(layer, part, kind, value):
    """A tensor of a patch merging. Theirs join the four tokens column by column, ours by row."""
    if value.shape[-1] % 4:
        return {}
    first, below, beside, last = np.split(value, 4, axis=-1)
    value = np.concatenate([first, beside, below, last], axis=-1)
    return _layer(f"{layer}/{'norm' if part == 'norm' else 'pointwise'}", kind, value)


def _layer(path, kind, value):
    """A weight or a bias of a norm, `[C]`, of a point-wise layer, or of a convolution."""
    if value.ndim == 1 and re.search(r"norm(\d|_P\d)?$", path):
        return {f"{path}/{'gamma' if kind == 'weight' else 'beta'}": value}
    return {f"{path}/{'kernel' if kind == 'weight' else 'bias'}": _kernel(value)}


def _kernel(value):
    """`[out, in]` as `[in, out]`, `[out, in, height, width]` as `[height, width, in, out]`."""
    return np.moveaxis(value, (0, 1), (-1, -2)) if value.ndim > 1 else value
