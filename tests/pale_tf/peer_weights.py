"""Weights of `transformers`' networks, given to those of this package."""

import re

import numpy as np

from pale_tf.decoders.upernet import BINS

# Layers of UPerNet, ours and theirs: convolutions with BatchNorm; then those without; then norms.
CONVOLUTIONS = {
    **{f"psp_conv{bins}": f"decode_head.psp_modules.{index}.1" for index, bins in enumerate(BINS)},
    "psp_bottleneck": "decode_head.bottleneck",
    **{f"lateral_P{level}": f"decode_head.lateral_convs.{level - 2}" for level in (2, 3, 4)},
    **{f"fpn_P{level}": f"decode_head.fpn_convs.{level - 2}" for level in (2, 3, 4)},
    "fpn_bottleneck": "decode_head.fpn_bottleneck",
    "auxiliary_conv": "auxiliary_head.convs.0",
}
SCORES = {
    "predictions": "decode_head.classifier",
    "auxiliary_predictions": "auxiliary_head.classifier",
}
OUTPUT_NORMS = {
    f"norm_P{stage + 1}": f"backbone.hidden_states_norms.stage{stage}" for stage in (1, 2, 3, 4)
}


def copy_segmenter(state, model):
    """Gives a segmenter on Swin the weights of `transformers`' UperNetForSemanticSegmentation.

    Args:
        state: Dict of NumPy arrays by name, as in PyTorch's `state_dict`.
        model: `pale_segmenter` of the same configuration, with output norms and the auxiliary head.
    """
    prefix = "backbone.swin."
    backbone = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    copy_swin(backbone, model)
    for ours, theirs in OUTPUT_NORMS.items():
        model.get_layer(ours).set_weights([state[f"{theirs}.{n}"] for n in ("weight", "bias")])
    for ours, theirs in CONVOLUTIONS.items():
        layer = model.get_layer(ours)
        layer.kernel.assign(kernel(state[f"{theirs}.conv.weight"]))
        names = ("weight", "bias", "running_mean", "running_var")
        layer.norm.set_weights([state[f"{theirs}.batch_norm.{name}"] for name in names])
    for ours, theirs in SCORES.items():
        weights = [kernel(state[f"{theirs}.weight"]), state[f"{theirs}.bias"]]
        model.get_layer(ours).set_weights(weights)


def kernel(weight):
    """A kernel of PyTorch, `[out, in, height, width]`, as `[height, width, in, out]`."""
    return weight.transpose(2, 3, 1, 0)


def copy_swin(state, model):
    """Gives the backbone of a Swin of this package the weights of `transformers`' SwinModel.

    Args:
        state: Dict of NumPy arrays by name, as in PyTorch's `state_dict`.
        model: A `PaleModel` of the same configuration. Its head is left alone.
    """

    def norm(layer, name):
        layer.set_weights([state[f"{name}.weight"], state[f"{name}.bias"]])

    def dense(layer, name):
        bias = [state[f"{name}.bias"]] if layer.use_bias else []
        layer.set_weights([state[f"{name}.weight"].T, *bias])

    embedding, peer = model.get_layer("stage1_merging"), "embeddings.patch_embeddings.projection"
    embedding.convolution.set_weights([kernel(state[f"{peer}.weight"]), state[f"{peer}.bias"]])
    norm(embedding.norm, "embeddings.norm")
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
