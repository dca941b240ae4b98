"""Names of layers: a contract that weights files, the inference form, exports and counts rely on.

| name | layer |
|---|---|
| `image` | the input, unless a model is built upon a tensor |
| `normalization` | preprocessing |
| `stage1_merging` … `stage4_merging` | what opens a stage |
| `stage1_position` | absolute position encoding, with `position="absolute"` |
| `stage3_block5_position` | conditional position encoding, with `position="conditional"` |
| `stage3_block5_norm1`, `_attention`, `_drop_path1`, `_add1` | first branch of a block |
| `stage3_block5_norm2`, `_mlp`, `_drop_path2`, `_add2` | second branch, the end of a pale block |
| `stage3_block1_selection` | scores of tokens, with `keep_tokens` below 1 |
| `stage3_block5_branch_conv1` …, `_down` …, `_join`, `_up`, `_fusion_conv1` … | Conformer's |
| `stage3_block5_local` …, `_global` …, `_alignment`, `_join`, `_mix` | Dual-stream Network's |
| `stage3_block1_tokens`, `_read_norm`, `_to_former`, `_former` | Mobile-Former's, before |
| `stage3_block5_write_norm`, `_to_mobile`, `_add3` | Mobile-Former's, the end of its block |
| `norm_P2` … `norm_P5` | norms of the backbone's outputs, with `output_norms=True` |
| `norm`, `avg_pool` or `max_pool`, `predictions` | the head of a classifier |
| `psp_pool1`, `psp_conv1`, `psp_resize1` … `psp_bottleneck` | pyramid pooling of a segmenter |
| `lateral_P2`, `top_down_P2`, `sum_P2`, `fpn_P2` … `fpn_bottleneck` | its feature pyramid |
| `dropout`, `predictions`, `logits`, `probabilities` | its scores: of the map, of the image |
| `auxiliary_conv`, `auxiliary_dropout` … `auxiliary_probabilities` | its auxiliary head |
| `padding`, `image_sizes` | a detector's image: padded, and how large it is |
| `lateral_P2` … `lateral_P5`, `top_down_P2`, `sum_P2`, `fpn_P2` … `fpn_P6` | its feature pyramid |
| `rpn_conv`, `rpn_objectness`, `rpn_differences`, `proposals` | its region proposal network |
| `box_align`, `box_head`, `detections` | its boxes |
| `mask_align`, `mask_head`, `masks` | its masks, with `masks=True` |

The backbone is `normalization` and every layer whose name begins with its stage: `stage1_` to
`stage4_`. A layer whose name begins with its block, such as `stage3_block5_`, belongs to that
block, whatever kind of block it is; the last layer of a stage gives its level of the pyramid, `P2`
to `P5`. Heads and decoders name their layers otherwise. The layer that gives class scores is
`predictions`; it, and what turns its scores into the model's output, compute in float32 whatever
the rest does. A detector's heads do so inside of their layers.

Stages and blocks are counted from 1 here, as the names have them.
"""

import re

PREPROCESSING = "normalization"
AUXILIARY = "auxiliary_"  # begins the names of an auxiliary head's layers
PREDICTIONS = "predictions"
LOGITS = "logits"
PROBABILITIES = "probabilities"
RPN_OBJECTNESS, RPN_DIFFERENCES = "rpn_objectness", "rpn_differences"
PROPOSALS, BOX_HEAD, DETECTIONS = "proposals", "box_head", "detections"
BOX_ALIGN, MASK_HEAD = "box_align", "mask_head"
STAGES = (1, 2, 3, 4)
LEVELS = ("P2", "P3", "P4", "P5")


def in_backbone(layer_name):
    """Whether a layer belongs to the backbone."""
    return layer_name == PREPROCESSING or stage_of(layer_name) is not None


def gives_scores(layer_name):
    """Whether a layer computes scores, or places of boxes, in float32: of a head, of an auxiliary
    head, or of region proposals."""
    return layer_name.removeprefix(AUXILIARY) in (
        *(PREDICTIONS, LOGITS, PROBABILITIES),
        *(RPN_OBJECTNESS, RPN_DIFFERENCES),
    )


def stage_of(layer_name):
    """Stage, 1 to 4, that a layer belongs to; None for a layer of no stage."""
    found = re.match(r"stage([1-4])_", layer_name)
    return int(found.group(1)) if found else None


def block_of(layer_name):
    """Block, from 1 on, of its stage that a layer belongs to; 0 for a layer of no block."""
    found = re.match(r"stage[1-4]_block(\d+)_", layer_name)
    return int(found.group(1)) if found else 0


def merging(stage):
    """Name of the layer that opens a stage."""
    return f"stage{stage}_merging"


def block_prefix(stage, block):
    """Prefix of the names of a block's layers, to which `_attention` and the like are added."""
    return f"stage{stage}_block{block}"


def level_of(stage):
    """Level of the pyramid that a stage gives: `P2` to `P5`."""
    return LEVELS[stage - 1]


def output_norm(level):
    """Name of the norm of a level of the pyramid."""
    return f"norm_{level}"
