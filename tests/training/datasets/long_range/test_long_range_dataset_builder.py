"""The generated data set of two marks."""

import numpy as np
import pytest

from training.data import sources
from training.datasets.long_range.long_range_dataset_builder import CELL, FAR, IMAGES, LABELS, draw


@pytest.mark.parametrize("label", range(3), ids=LABELS)
def test_marks_share_what_the_label_says_and_are_far_apart(label):
    rng = np.random.default_rng(0)
    seen = np.zeros((16, 16), int)
    for _ in range(300):
        image, marks = draw(rng, label)
        assert image.shape == (64, 64, 1)
        cells = image.reshape(16, CELL, 16, CELL).min((1, 3)) == 255
        assert set(zip(*np.nonzero(cells), strict=True)) == set(map(tuple, marks.tolist()))
        same = [marks[0, axis] == marks[1, axis] for axis in (0, 1)]
        assert same == [label == 0, label == 1]
        for axis in (0, 1):
            if not same[axis]:
                assert abs(marks[0, axis] - marks[1, axis]) > FAR
        seen[tuple(marks.T)] += 1
    assert (seen.sum(0) > 0).all()
    assert (seen.sum(1) > 0).all()


def test_is_a_tfds_data_set(data_dir):
    source = sources.open_source("tfds:long_range", data_dir)
    assert source.labels == list(LABELS)
    assert source.counts == IMAGES
    labels = [label for _, label, _ in source.read("test").as_numpy_iterator()]
    np.testing.assert_array_equal(np.bincount(labels), [600, 600, 600])
