"""The Python of docs/attentions.md runs, and its example is an attention like the others."""

import pathlib
import re

import keras
import numpy as np
import pytest

from pale_tf import fuse, visualize
from pale_tf.layers.attention import ATTENTIONS, Place, make_attention
from tests.pale_tf.layers.checks import randomize, run_layer
from tests.pale_tf.test_fuse import assert_same, disturbed

DOCUMENT = pathlib.Path(__file__).resolve().parents[1] / "docs" / "attentions.md"
BLOCKS = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), flags=re.DOTALL)


@pytest.fixture(scope="module")
def example():
    names = {}
    exec(BLOCKS[1], names)
    yield names
    del ATTENTIONS["dilated"]


def test_configurations_of_the_first_block_build():
    names = {}
    exec(BLOCKS[0], names)
    assert names["network"].output_shape == (None, 1000)
    assert names["network"].get_layer("stage3_block1_attention").pale_size == 5


def test_the_example_is_short_and_an_attention(example, tmp_path):
    code = BLOCKS[1].split("@keras")[1].split("ATTENTIONS[")[0]
    assert len([line for line in code.splitlines() if line.strip()]) < 40
    run_layer(lambda **kwargs: make_attention("dilated", Place(0, 0), 2, **kwargs))
    model = disturbed(example["model"])
    assert_same(model, fuse(model), (64, 64))
    model.save(tmp_path / "model.keras")
    assert_same(model, keras.saving.load_model(tmp_path / "model.keras"), (64, 64))


def test_the_region_of_the_example_is_what_it_says(example):
    layer = make_attention("dilated", Place(0, 0), 2, projection="linear")
    layer.build((None, 19, 16, 16))
    randomize(layer, seed=0)
    seen = visualize.region(layer, (19, 16), (9, 4))
    expected = np.zeros((19, 16), bool)
    expected[9:16:2, 0:8:2] = True  # the second window of every other row, the first of columns
    np.testing.assert_array_equal(seen, expected)
