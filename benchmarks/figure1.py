"""Pictures of what a token sees under each attention, for the README and docs/attentions.md.

python -m benchmarks.figure1        # writes docs/images/{regions,figure1,fields,maps}.png

All of it is measured (`pale_tf.visualize`), in networks with random weights.
"""

import pathlib

import matplotlib

matplotlib.use("Agg")

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from matplotlib.colors import ListedColormap
from sklearn.datasets import load_sample_image

from benchmarks.flags import make_parser
from benchmarks.paths import IMAGES
from pale_tf import PaleConfig, pale_backbone, visualize
from pale_tf.layers.attention import Place, make_attention

SIZE = 24  # tokens along each side of the map
TOKEN = (9, 14)
IMAGE = 224  # pixels

# Title: attention, block, options. Widths are such that a pale and a cross have as many tokens.
REGIONS = {
    "global (ViT)": ("global", 0, {}),
    "window (Swin, even blocks)": ("window", 0, {"window_size": 8}),
    "shifted window (Swin, odd blocks)": ("shifted_window", 1, {"window_size": 8}),
    "shuffled window (Shuffle, odd blocks)": ("shuffled_window", 1, {"window_size": 8}),
    "messenger (MSG)": ("messenger", 0, {"window_size": 6, "region_size": 2}),
    "axial (Axial-DeepLab), either block": ("axial", (0, 1), {}),
    "cross-shaped (CSWin)": ("cross_shaped", 0, {"stripe_width": 4}),
    "spatial reduction (PVT)": ("spatial_reduction", 0, {"reduction": 4}),
    "deformable (DAT)": ("deformable", 0, {"stride": 6}),
    "pale, sequential, either block": ("pale_sequential", (0, 1), {"pale_size": 4}),
    "pale, vanilla": ("pale_vanilla", 0, {"pale_size": 4}),
    "pale": ("pale", 0, {"pale_size": 4}),
}
README = ("global (ViT)", "shifted window (Swin, odd blocks)", "cross-shaped (CSWin)", "pale")
COMPARED = ("pale", "cross_shaped", "shifted_window", "axial", "global")


def main(argv=None):
    parser = make_parser("figure1", __doc__)
    parser.add_argument("--out", type=pathlib.Path, default=IMAGES, help="folder of the pictures")
    folder = parser.parse_args(argv).out
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)
    regions = {title: region(*entry) for title, entry in REGIONS.items()}
    draw_regions({title: regions[title] for title in README}, folder / "regions.png")
    draw_regions(regions, folder / "figure1.png")
    draw_fields(folder / "fields.png")
    draw_maps(folder / "maps.png")


def region(attention, blocks, options):
    """Tokens that `TOKEN` depends on after one attention; of two blocks, those of either."""
    seen = np.zeros((SIZE, SIZE), bool)
    for block in np.atleast_1d(blocks):
        layer = make_attention(attention, Place(0, int(block)), 4, projection="linear", **options)
        seen |= visualize.region(layer, (SIZE, SIZE), TOKEN)
    return seen


def draw_regions(regions, path):
    """Draws maps of tokens, four in a row."""
    rows = -(-len(regions) // 4)
    figure, axes = plt.subplots(rows, 4, figsize=(10.5, 3.35 * rows), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.08)
    colors = ListedColormap(["#f1f3f5", "#8fb8de", "#d9480f"])
    for axis, (name, seen) in zip(axes.flat, regions.items(), strict=True):
        picture = seen.astype(int)
        picture[TOKEN] = 2
        axis.pcolormesh(picture, cmap=colors, vmin=0, vmax=2, edgecolors="white", linewidth=0.8)
        axis.set(aspect="equal", xticks=[], yticks=[])
        axis.invert_yaxis()
        axis.set_frame_on(False)
        axis.set_title(name.replace(" (", "\n("), fontsize=11)
        axis.set_xlabel(f"{seen.sum()} of {seen.size} tokens", fontsize=10)
    save(figure, path)


def small_backbone(attention):
    """A backbone with two blocks in each stage."""
    config = PaleConfig("small", 32, (2, 2, 2, 2), (2, 4, 8, 16), attention=attention)
    return pale_backbone(config, input_shape=(IMAGE, IMAGE, 3))


def draw_fields(path):
    """Draws the effective receptive field of the middle token after each stage."""
    images = np.random.default_rng(0).uniform(0, 255, (4, IMAGE, IMAGE, 3)).astype("float32")
    size = (2.4 * 4, 2.5 * len(COMPARED))
    figure, axes = plt.subplots(len(COMPARED), 4, figsize=size, layout="constrained")
    for row, attention in zip(axes, COMPARED, strict=True):
        fields = visualize.effective_receptive_field(small_backbone(attention), images)
        for axis, (level, field) in zip(row, fields.items(), strict=True):
            axis.imshow(np.log10(field + 1e-4), cmap="magma")
            axis.set(xticks=[], yticks=[], title=f"{attention}, {level}")
    save(figure, path)


def draw_maps(path):
    """Draws, over a photograph, how one token attends in stage 2: the heaviest head of each."""
    photograph = load_sample_image("flower.jpg")
    image = tf.image.resize_with_crop_or_pad(photograph, 427, 427)
    image = tf.image.resize(image, (IMAGE, IMAGE), antialias=True).numpy()
    token, cell = (12, 16), IMAGE // 28
    size = (2.1 * len(COMPARED), 2.4)
    figure, axes = plt.subplots(1, len(COMPARED), figsize=size, layout="constrained")
    for axis, attention in zip(axes, COMPARED, strict=True):
        backbone = small_backbone(attention)
        layer = backbone.get_layer("stage2_block1_attention")
        inputs = keras.Model(backbone.input, layer.input)(image[None])
        weights = visualize.attention_weights(layer, inputs, token)
        weights = max(weights, key=np.max)
        axis.imshow(image / 255)
        shown = np.kron(weights / weights.max(), np.ones((cell, cell)))
        axis.imshow(shown, cmap="magma", alpha=0.65)
        place = [(index + 0.5) * cell for index in token[::-1]]
        axis.plot(*place, marker="s", color="#74c0fc", markersize=6)
        axis.set(xticks=[], yticks=[], title=attention)
    save(figure, path)


def save(figure, path):
    figure.savefig(path, dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    main()
