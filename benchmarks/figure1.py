"""Draws which tokens one token attends to: global, shifted-window, cross-shaped, pale.

python benchmarks/figure1.py        # writes docs/images/regions.png
"""

import argparse
import pathlib

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from keras import ops
from matplotlib.colors import ListedColormap

from pale_tf import partition

SIZE = 24  # tokens along each side of the map
TOKEN = (9, 14)
WINDOW = 8  # width of Swin's windows
LINES = 4  # rows and columns: of CSWin's stripes, and of a pale
OUTPUT = pathlib.Path(__file__).resolve().parents[1] / "docs" / "images" / "regions.png"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=pathlib.Path, default=OUTPUT)
    draw(parser.parse_args(argv).out)


def regions():
    """The tokens that `TOKEN` attends to under each mechanism: dict of boolean `[SIZE, SIZE]`."""
    row, column = np.indices((SIZE, SIZE))
    # Swin shifts its windows by half their width, cyclically (Liu et al. 2021, section 3.2).
    shifted = [((axis - WINDOW // 2) % SIZE) // WINDOW for axis in (row, column)]
    stripes = [axis // LINES for axis in (row, column)]
    return {
        "global (ViT)": np.ones((SIZE, SIZE), bool),
        "shifted window (Swin)": _same(shifted[0]) & _same(shifted[1]),
        "cross-shaped (CSWin)": _same(stripes[0]) | _same(stripes[1]),
        "pale": pale_region(),
    }


def pale_region():
    """The pale of `TOKEN`, asked of the code that the networks run."""
    index = np.arange(SIZE * SIZE, dtype="float32").reshape(1, SIZE, SIZE, 1)
    token = index[0, TOKEN[0], TOKEN[1], 0]
    region = np.zeros(SIZE * SIZE, bool)
    for group in (partition.group_rows, partition.group_columns):
        for tokens in ops.convert_to_numpy(group(ops.array(index), SIZE // LINES, 1))[0, :, :, 0]:
            if token in tokens:
                region[tokens.astype(int)] = True
    return region.reshape(SIZE, SIZE)


def draw(path):
    """Draws all regions side by side."""
    figure, axes = plt.subplots(1, 4, figsize=(14, 4), layout="constrained")
    colours = ListedColormap(["#f1f3f5", "#8fb8de", "#d9480f"])
    for axis, (name, region) in zip(axes, regions().items(), strict=True):
        picture = region.astype(int)
        picture[TOKEN] = 2
        axis.pcolormesh(picture, cmap=colours, vmin=0, vmax=2, edgecolors="white", linewidth=0.8)
        axis.set(aspect="equal", xticks=[], yticks=[])
        axis.invert_yaxis()
        axis.set_frame_on(False)
        axis.set_title(name, fontsize=14)
        axis.set_xlabel(f"{region.sum()} of {region.size} tokens", fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _same(groups):
    """Where `groups` has the value that it has at `TOKEN`."""
    return groups == groups[TOKEN]


if __name__ == "__main__":
    main()
