"""The picture of the regions."""

import numpy as np
from PIL import Image

from benchmarks import figure1


def test_the_pale_drawn_is_the_definition():
    region = figure1.pale_region()
    groups = figure1.SIZE // figure1.LINES
    expected = {
        (r, c)
        for r, c in np.ndindex(region.shape)
        if r % groups == figure1.TOKEN[0] % groups or c % groups == figure1.TOKEN[1] % groups
    }
    assert set(zip(*np.nonzero(region), strict=True)) == expected


def test_region_sizes():
    sizes = [int(region.sum()) for region in figure1.regions().values()]
    assert sizes == [24 * 24, 8 * 8, 2 * 4 * 24 - 4 * 4, 2 * 4 * 24 - 4 * 4]
    assert all(region[figure1.TOKEN] for region in figure1.regions().values())


def test_draws_a_picture(tmp_path):
    figure1.main(["--out", str(tmp_path / "new" / "regions.png")])
    with Image.open(tmp_path / "new" / "regions.png") as picture:
        assert picture.size == (1400, 400)
