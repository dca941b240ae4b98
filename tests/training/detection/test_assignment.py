"""Assignment and sampling, against loops."""

import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings

from tests.pale_tf.boxes_oracle import overlap
from training.detection.assignment import IGNORED, NEGATIVE, assign, sample


def share_inside(box, region):
    width = min(box[2], region[2]) - max(box[0], region[0])
    height = min(box[3], region[3]) - max(box[1], region[1])
    area = max(box[2] - box[0], 0) * max(box[3] - box[1], 0)
    return max(width, 0) * max(height, 0) / area if area > 0 else 0.0


def oracle(boxes, objects, crowds, positive, negative, least):
    found = []
    single = [g for g in range(len(objects)) if not crowds[g]]
    for box in boxes:
        overlaps = [overlap(objects[g], box) for g in single]
        best = max(overlaps, default=-1)
        if best >= positive:
            found.append(single[overlaps.index(best)])
        else:
            found.append(NEGATIVE if best < negative else IGNORED)
    if least is not None:
        for g in single:
            overlaps = [overlap(objects[g], box) for box in boxes]
            if max(overlaps) >= least and max(overlaps) > 0:
                for n, value in enumerate(overlaps):
                    if value == max(overlaps):
                        found[n] = g
    for n, box in enumerate(boxes):
        inside = [share_inside(box, objects[g]) for g in range(len(objects)) if crowds[g]]
        if found[n] == NEGATIVE and max(inside, default=0) >= 0.5:
            found[n] = IGNORED
    return found


@given(st.integers(0, 10**6), st.integers(0, 5), st.sampled_from([None, 0.0, 0.3]))
@settings(max_examples=80, deadline=None)
def test_assigns_as_the_definition(seed, count, least):
    """Whole numbers: overlaps are exact, and there are ties."""
    rng = np.random.default_rng(seed)

    def some(amount):
        begin = rng.integers(0, 12, (amount, 2))
        return np.concatenate([begin, begin + rng.integers(0, 9, (amount, 2))], -1).astype(
            "float32"
        )

    boxes, objects = some(30), some(count + 2)
    real = np.arange(count + 2) < count  # the rest is filling
    crowds = rng.uniform(size=count + 2) < 0.3
    found = assign(boxes, objects, real, crowds, 0.5, 0.25, least).numpy().tolist()
    kept = objects[:count].astype("float64")
    assert found == oracle(boxes.astype("float64"), kept, crowds[:count], 0.5, 0.25, least)


@pytest.mark.parametrize(
    ("positives", "negatives", "expected"),
    [(50, 100, (16, 48)), (5, 100, (5, 59)), (50, 10, (16, 10)), (0, 3, (0, 3)), (0, 0, (0, 0))],
)
def test_samples_are_positive_first_and_as_many_as_there_are(positives, negatives, expected):
    kinds = np.array([3] * positives + [NEGATIVE] * negatives + [IGNORED] * 7)
    assigned = np.random.default_rng(0).permutation(kinds).astype("int32")
    seen = set()
    for seed in range(20):
        indices, there = sample(tf.constant(assigned), 64, 0.25, [1, seed])
        chosen = assigned[indices.numpy()[there.numpy()]]
        assert len(set(indices.numpy()[there.numpy()])) == there.numpy().sum()
        assert ((chosen >= 0).sum(), (chosen == NEGATIVE).sum()) == expected
        assert (np.diff((chosen >= 0).astype(int)) <= 0).all()
        seen.add(tuple(indices.numpy().tolist()))
        again = sample(tf.constant(assigned), 64, 0.25, [1, seed])
        np.testing.assert_array_equal(indices, again[0])
    assert len(seen) > 1 or sum(expected) < 4


def test_every_positive_box_is_drawn_as_often():
    assigned = tf.constant([0] * 8 + [NEGATIVE] * 8)
    draw = tf.function(lambda seed: sample(assigned, 4, 0.5, seed))
    counts = np.zeros(16)
    for seed in range(800):
        counts[draw(tf.constant([7, seed]))[0].numpy()] += 1
    assert counts.min() > 150
    assert counts.max() < 260
