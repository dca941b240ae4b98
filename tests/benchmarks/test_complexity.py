"""The counter of parameters and multiply-accumulates."""

import json

import pytest
import tensorflow as tf

from benchmarks import complexity
from benchmarks.counts import COUNTS
from benchmarks.paths import DOCS, RESULTS
from benchmarks.tables import markdown
from common.complexity import multiply_accumulates
from pale_tf.configs import NETWORKS
from pale_tf.suppression import TILE

COUNTED = {"pale_t": (21.75, 4.20), "pale_s": (48.31, 8.98), "pale_b": (85.32, 15.53)}


SEGMENTERS = RESULTS / "complexity_segment.json"
DETECTORS = RESULTS / "complexity_detect.json"
# Millions of parameters with Mask R-CNN: of backbones without their heads, and of neck and heads.
MASK_RCNN = {"pale_t": 41.4, "pale_s": 67.8, "pale_b": 104.7}


def committed(network, file=COUNTS):
    """The row of a network in the committed counts."""
    (row,) = [r for r in json.loads(file.read_text())["networks"] if r["network"] == network]
    return row


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(network, marks=() if network == "pale_t" else pytest.mark.slow)
        for network in COUNTED
    ],
)
def test_counts_are_the_published_ones(network):
    row = complexity.count(network, 224, 224)
    params, macs = COUNTED[network]
    assert row["params"]["total"] / 1e6 == pytest.approx(params, rel=0.01)
    assert row["macs"]["total"] / 1e9 == pytest.approx(macs, rel=0.01)
    published_params, published_macs = complexity.PUBLISHED[network]
    assert row["params"]["total"] / 1e6 == pytest.approx(published_params, rel=0.015)
    assert row["macs"]["total"] / 1e9 == pytest.approx(published_macs, rel=0.01)
    assert row == committed(network)


@pytest.mark.parametrize("network", complexity.PUBLISHED)
def test_committed_counts_are_the_published_ones(network):
    row = committed(network)
    params, macs = complexity.PUBLISHED[network]
    assert row["params"]["total"] / 1e6 == pytest.approx(params, rel=0.03)
    assert row["macs"]["total"] / 1e9 == pytest.approx(macs, rel=0.015)


@pytest.mark.parametrize("network", complexity.PUBLISHED_UPERNET)
def test_committed_counts_of_segmenters_are_the_published_ones(network):
    published = complexity.PUBLISHED_UPERNET[network]
    assert committed(network, SEGMENTERS)["padded"] / 1e9 == pytest.approx(published, rel=0.0025)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["pale_t", "swin_t", "cswin_t"])
def test_committed_counts_of_segmenters_are_those_of_the_networks(network):
    assert complexity.count_segmenter(network, 512, 2048) == committed(network, SEGMENTERS)


def test_the_document_has_the_committed_counts_of_segmenters():
    counts = json.loads(SEGMENTERS.read_text())
    table = complexity.lay_out_segmenters(counts["networks"], counts["size"])
    assert markdown(table) in (DOCS / "benchmarks.md").read_text()


@pytest.mark.parametrize("network", complexity.PUBLISHED_MASK_RCNN)
def test_committed_counts_of_detectors_are_the_published_ones(network):
    """Those of Swin are without the products of queries, keys and values."""
    row = committed(network, DETECTORS)
    found, published = row["padded"], complexity.PUBLISHED_MASK_RCNN[network]
    if network.startswith("swin"):
        found -= products_of_windows(network, 800, 1280)
    assert found / 1e9 == pytest.approx(published, rel=0.005)


def products_of_windows(network, height, width):
    """Products of the attention of Swin, on maps that are padded to windows of 7×7."""
    config = NETWORKS[network]
    total = 0
    for stage, depth in enumerate(config.depths):
        rows, columns = (-(-size // (4 * 2**stage) // 7) * 7 for size in (height, width))
        total += 2 * depth * rows * columns * 7**2 * config.embed_dim * 2**stage
    return total


@pytest.mark.parametrize("network", MASK_RCNN)
def test_committed_parameters_of_detectors(network):
    params = committed(network, DETECTORS)["params"]
    assert params["total"] / 1e6 == pytest.approx(MASK_RCNN[network], rel=0.005)


def test_swin_t_with_mask_rcnn_has_what_its_repository_says():
    assert committed("swin_t", DETECTORS)["padded"] / 1e9 == pytest.approx(267, rel=0.005)
    assert committed("swin_s", DETECTORS)["padded"] / 1e9 == pytest.approx(359, rel=0.005)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["pale_t", "swin_t", "cswin_t"])
def test_committed_counts_of_detectors_are_those_of_the_networks(network):
    assert complexity.count_detector(network, 800, 1280) == committed(network, DETECTORS)


def test_the_document_has_the_committed_counts_of_detectors():
    counts = json.loads(DETECTORS.read_text())
    table = complexity.lay_out_detectors(counts["networks"], counts["size"])
    assert markdown(table) in (DOCS / "benchmarks.md").read_text()


@pytest.fixture(scope="module")
def small_segmenter():
    """Counts of Pale-N with UPerNet for 96×160, whose maps are 24×40, 12×20, 6×10 and 3×5."""
    return complexity.count_segmenter("pale_n", 96, 160)


def test_parameters_of_a_segmenter_by_hand(small_segmenter):
    def conv_norm(size, channels, filters=512):
        return size * size * channels * filters + 2 * filters

    pooling = 4 * conv_norm(1, 256) + conv_norm(3, 256 + 4 * 512)
    pyramid = sum(conv_norm(1, channels) + conv_norm(3, 512) for channels in (32, 64, 128))
    head = pooling + pyramid + conv_norm(3, 4 * 512) + 512 * 150 + 150
    auxiliary = conv_norm(3, 128, 256) + 256 * 150 + 150
    params = small_segmenter["params"]
    assert (params["head"], params["auxiliary"]) == (head, auxiliary)
    backbone = committed("pale_n")["params"]
    assert params["stage3"] == backbone["stage3"]


def test_the_head_of_a_segmenter_by_hand(small_segmenter):
    """Pooling is two products with matrices; the last convolution is done in two ways."""
    pooling = sum(bins * 3 * 5 * 256 + bins * 5 * bins * 256 for bins in (1, 2, 3, 6))
    pooling += (1 + 4 + 9 + 36) * 256 * 512 + 15 * 9 * (256 + 4 * 512) * 512
    maps = {32: 24 * 40, 64: 12 * 20, 128: 6 * 10}
    pyramid = sum(size * 512 * (channels + 9 * 512) for channels, size in maps.items())
    before = pooling + pyramid
    scores = 24 * 40 * 512 * 150
    macs = small_segmenter["macs"]
    assert macs.get("auxiliary") is None
    plain = before + 24 * 40 * 9 * (4 * 512) * 512 + scores
    assert small_segmenter["plain"] - (macs["total"] - macs["head"]) == plain
    last = 24 * 40 * 9 * 512 * 512
    for height, width in ((12, 20), (6, 10), (3, 5)):
        last += 9 * height * width * 512 * 512  # each tap's part of the kernel
        last += 3 * height * 40 * (3 * width) * 512 + 24 * (3 * height) * 40 * 512
    assert macs["head"] == before + last + scores


def test_padded_maps_by_hand(small_segmenter):
    """Of these maps, pales of two lines leave a rest of that of 3×5 alone; it is padded to 4×6."""
    padded = 24 * 256 * (4 * 256 + 2 * 4 + 2 * 6 + 27)
    row_groups, column_groups = 2 * (2 * 5) ** 2, 3 * (3 * 2) ** 2
    built = 15 * 256 * (4 * 256 + 27) + (row_groups + column_groups) * 256
    assert small_segmenter["padded"] - small_segmenter["plain"] == padded - built


@pytest.fixture(scope="module")
def small_detector():
    """Counts of Pale-N with Mask R-CNN for 96×160; the maps are as above, and one of 2×3."""
    return complexity.count_detector("pale_n", 96, 160)


def test_parameters_of_a_detector_by_hand(small_detector):
    def layer(inputs, outputs):
        return inputs * outputs + outputs

    kernel = 9 * 256
    neck = sum(layer(channels, 256) + layer(kernel, 256) for channels in (32, 64, 128, 256))
    proposals = layer(kernel, 256) + layer(256, 3) + layer(256, 12)
    boxes = layer(7 * 7 * 256, 1024) + layer(1024, 1024) + layer(1024, 81) + layer(1024, 320)
    masks = 4 * layer(kernel, 256) + (4 * 256 * 256 + 256) + layer(256, 80)
    assert small_detector["params"]["head"] == neck + proposals + boxes + masks
    assert small_detector["params"]["stage3"] == committed("pale_n")["params"]["stage3"]


def test_the_heads_of_a_detector_by_hand(small_detector):
    """Each of 1,000 RoIs and 100 masks; suppression is products with matrices of overlaps: of a
    tile with the boxes before, and, one round of it, with itself."""
    maps = {32: 24 * 40, 64: 12 * 20, 128: 6 * 10, 256: 3 * 5}
    neck = sum(size * 256 * (channels + 9 * 256) for channels, size in maps.items())
    places = [*maps.values(), 2 * 3]
    proposals = sum(places) * 256 * (9 * 256 + 3 + 12)
    boxes = 1000 * 1024 * (7 * 7 * 256 + 1024 + 81 + 320)
    masks = 100 * 14 * 14 * 256 * (4 * 9 * 256 + 4 * 256 + 4 * 80)
    suppression = 0
    for count in (*(min(3 * size, 1000) for size in places), 1000):
        for begin in range(0, count, TILE):
            tile = min(TILE, count - begin)
            suppression += begin * tile + tile**2
    assert small_detector["macs"]["head"] == neck + proposals + boxes + masks + suppression


def test_attention_costs_what_the_paper_says():
    """`4hwc² + hwc(s_c·h + s_r·w + 27)`, where nothing is padded."""
    import pale_tf

    height, width, channels = 28, 14, 32
    layer = pale_tf.PSAttention(4, 7)
    image = tf.TensorSpec((1, height, width, channels))
    operations = tf.function(layer).get_concrete_function(image).graph.get_operations()
    counted = sum(multiply_accumulates(op) for op in operations)
    tokens = height * width
    assert counted == 4 * tokens * channels**2 + tokens * channels * (7 * height + 7 * width + 27)


def test_prints_a_table_and_writes_json(tmp_path, capsys):
    complexity.main(
        ["--networks", "pale_n", "--size", "33", "47", "--json", str(tmp_path / "counts.json")]
    )
    assert "pale_n  GMACs" in capsys.readouterr().out
    written = json.loads((tmp_path / "counts.json").read_text())
    assert written["size"] == [33, 47]
    assert written["networks"] == [complexity.count("pale_n", 33, 47)]


def test_counts_segmenters_on_request(small_segmenter, tmp_path, capsys):
    file = tmp_path / "counts.json"
    arguments = ["--task", "segment", "--networks", "pale_n", "--size", "96", "160"]
    complexity.main([*arguments, "--json", str(file)])
    assert "96×160" in capsys.readouterr().out
    assert json.loads(file.read_text())["networks"] == [small_segmenter]
    assert complexity.parse_flags(["--task", "segment"]).size == (512, 2048)
    assert complexity.parse_flags(["--task", "detect"]).size == (800, 1280)
    assert complexity.parse_flags([]).size == (224, 224)
