"""The pictures of the regions."""

import numpy as np
import pytest
from PIL import Image

from benchmarks import figure1

TOKENS = {
    "global (ViT)": 24 * 24,
    "shifted window (Swin, odd blocks)": 8 * 8,
    "shuffled window (Shuffle, odd blocks)": 8 * 8,
    "axial (Axial-DeepLab), either block": 2 * 24 - 1,
    "cross-shaped (CSWin)": 2 * 4 * 24 - 4 * 4,
    "pale": 2 * 4 * 24 - 4 * 4,
    "pale, sequential, either block": 2 * 4 * 24 - 4 * 4,
}


@pytest.fixture(scope="module")
def regions():
    return {title: figure1.region(*figure1.REGIONS[title]) for title in TOKENS}


def test_the_pale_drawn_is_the_definition(regions):
    region = regions["pale"]
    groups = figure1.SIZE // 4
    expected = {
        (r, c)
        for r, c in np.ndindex(region.shape)
        if r % groups == figure1.TOKEN[0] % groups or c % groups == figure1.TOKEN[1] % groups
    }
    assert set(zip(*np.nonzero(region), strict=True)) == expected


def test_region_sizes(regions):
    assert {title: int(region.sum()) for title, region in regions.items()} == TOKENS
    assert all(region[figure1.TOKEN] for region in regions.values())


def test_draws_a_picture(regions, tmp_path):
    four = dict(list(regions.items())[:4])
    figure1.draw_regions(four, tmp_path / "regions.png")
    with Image.open(tmp_path / "regions.png") as picture:
        assert picture.size == (840, 268)


@pytest.mark.slow
def test_draws_all_pictures(tmp_path):
    figure1.main(["--out", str(tmp_path / "new")])
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {"regions.png", "figure1.png", "fields.png", "maps.png"}
