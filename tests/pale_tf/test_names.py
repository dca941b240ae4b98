"""The names of layers: all of them, in one place."""

import pytest

from pale_tf import (
    PaleConfig,
    names,
    pale_backbone,
    pale_detector,
    pale_network,
    pale_segmenter,
)

BLOCK = ("position", "norm1", "attention", "drop_path1", "add1")
BLOCK += ("norm2", "mlp", "drop_path2", "add2")


def mine(**options):
    return PaleConfig("mine", 8, (1, 1, 2, 1), (2, 2, 2, 2), drop_path_rate=0.1, **options)


def stages():
    """Names of the layers of the four stages, in order. The first block drops no path."""
    found = []
    for stage, depth in enumerate((1, 1, 2, 1), start=1):
        found.append(f"stage{stage}_merging")
        for block in range(1, depth + 1):
            parts = [p for p in BLOCK if (stage, block) > (1, 1) or "drop_path" not in p]
            found += [f"stage{stage}_block{block}_{part}" for part in parts]
    return found


def test_a_classifier_has_these_layers():
    found = [layer.name for layer in pale_network(mine()).layers]
    assert found == ["image", "normalization", *stages(), "norm", "avg_pool", "predictions"]


def test_a_backbone_has_these_layers():
    found = [layer.name for layer in pale_backbone(mine(), output_norms=True).layers]
    assert sorted(found) == sorted(
        ["image", "normalization", *stages(), *map("norm_P{}".format, range(2, 6))]
    )


def test_a_segmenter_has_these_layers():
    found = {layer.name for layer in pale_segmenter(mine(), 3, auxiliary=True).layers}
    head = [f"psp_{part}{bins}" for bins in (1, 2, 3, 6) for part in ("pool", "conv", "resize")]
    head += ["psp_concat", "psp_bottleneck", "fpn_bottleneck"]
    head += [f"{part}_P{k}" for k in (2, 3, 4) for part in ("lateral", "top_down", "sum", "fpn")]
    scores = ["dropout", "predictions", "logits", "probabilities"]
    side = ["auxiliary_conv", *map("auxiliary_{}".format, scores)]
    assert found == {"image", "normalization", *stages(), *head, *scores, *side}


def test_a_detector_has_these_layers():
    found = {layer.name for layer in pale_detector(mine(), 3).layers}
    head = ["padding", "image_sizes", *map("fpn_P{}".format, range(2, 7))]
    head += [*map("lateral_P{}".format, range(2, 6)), "rpn_conv", "rpn_objectness"]
    head += [f"{part}_P{level}" for part in ("top_down", "sum") for level in (2, 3, 4)]
    head += ["rpn_differences", "proposals", "box_align", "box_head", "detections"]
    masks = {"mask_align", "mask_head", "masks"}
    assert found == {"image", "normalization", *stages(), *head, *masks}
    faster = {layer.name for layer in pale_detector(mine(), 3, masks=False).layers}
    assert faster == found - masks


def test_without_preprocessing_and_with_absolute_positions():
    model = pale_network(mine(position="absolute"), include_preprocessing=False, pooling="max")
    found = {layer.name for layer in model.layers}
    assert "stage1_position" in found
    assert "normalization" not in found
    assert not any(name.endswith("block1_position") for name in found)


@pytest.mark.parametrize(
    ("name", "stage", "inside"),
    [
        ("normalization", None, True),
        ("stage1_merging", 1, True),
        ("stage1_position", 1, True),
        ("stage3_block12_attention", 3, True),
        ("image", None, False),
        ("norm", None, False),
        ("norm_P3", None, False),
        ("predictions", None, False),
        ("normalization_1", None, False),
        ("stage5_merging", None, False),
        ("stage1", None, False),
        ("decoder_stage1_conv", None, False),
    ],
)
def test_what_is_in_the_backbone(name, stage, inside):
    assert names.stage_of(name) == stage
    assert names.in_backbone(name) == inside


def test_what_computes_in_float32():
    scores = ("predictions", "logits", "auxiliary_probabilities", "rpn_objectness")
    assert all(map(names.gives_scores, scores))
    assert not any(map(names.gives_scores, ("auxiliary_conv", "fpn_P2", "norm")))


def test_names_are_made_as_they_are_read():
    assert names.block_prefix(3, 5) == "stage3_block5"
    assert names.merging(2) == "stage2_merging"
    assert [names.level_of(stage) for stage in names.STAGES] == ["P2", "P3", "P4", "P5"]
    assert names.output_norm("P4") == "norm_P4"
