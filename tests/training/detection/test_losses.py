"""The losses of a detector, against loops in float64."""

import numpy as np
import pytest
import tensorflow as tf

from tests.pale_tf.boxes_oracle import random_boxes
from tests.training.detection import losses_oracle as oracle
from training.detection.assignment import IGNORED, NEGATIVE
from training.detection.losses import box_losses, mask_loss, proposal_losses

BATCH, ANCHORS, OBJECTS, CLASSES, DRAWN = 3, 20, 4, 5, 12


def compute(loss, given, differentiated):
    """Computes a loss and the gradients of its sum, all of them finite."""
    given = {name: tf.constant(value) for name, value in given.items()}
    with tf.GradientTape() as tape:
        tape.watch([given[name] for name in differentiated])
        found = loss(**given)
        total = tf.add_n([tf.reduce_sum(x) for x in tf.nest.flatten(found)])
    gradients = tape.gradient(total, [given[name] for name in differentiated])
    for value in (*tf.nest.flatten(found), *gradients):
        assert np.isfinite(value).all()
        assert value.dtype == "float32"
    return tf.nest.map_structure(np.asarray, found), [np.asarray(g) for g in gradients]


def of_image(given, image, shared=()):
    return {
        name: (value if name in shared else value[image]).astype(
            "float64" if value.dtype == "float32" else value.dtype
        )
        for name, value in given.items()
    }


def proposals(seed, kinds=range(IGNORED, OBJECTS), there=0.8, logit=2.0):
    rng = np.random.default_rng(seed)
    return {
        "logits": rng.normal(0, logit, (BATCH, ANCHORS)).astype("float32"),
        "differences": rng.normal(size=(BATCH, ANCHORS, 4)).astype("float32"),
        "anchors": random_boxes(seed, ANCHORS).astype("float32"),
        "boxes": random_boxes(seed + 1, BATCH, OBJECTS).astype("float32"),
        "assigned": rng.choice(np.array(kinds, "int32"), (BATCH, ANCHORS)),
        "drawn": np.stack([rng.permutation(ANCHORS)[:DRAWN] for _ in range(BATCH)]),
        "there": rng.uniform(size=(BATCH, DRAWN)) < there,
    }


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kinds": [NEGATIVE]},
        {"kinds": [0]},
        {"there": 0.0},
        {"logit": 500.0},
    ],
    ids=str,
)
def test_losses_of_proposals(options):
    given = proposals(0, **options)
    found, gradients = compute(proposal_losses, given, ("logits", "differences"))
    for image in range(BATCH):
        expected = oracle.proposal_losses(**of_image(given, image, ("anchors",)))
        np.testing.assert_allclose([x[image] for x in found], expected, rtol=1e-5)
    positive = options.get("kinds") != [NEGATIVE] and options.get("there") != 0.0
    assert (found[1] > 0).all() if positive else not found[1].any()
    assert gradients[0].any() == (options.get("there") != 0.0)
    assert gradients[1].any() == positive


def test_only_what_was_drawn_counts():
    given = proposals(1)
    found, _ = compute(proposal_losses, given, ("logits",))
    for image in range(BATCH):
        out = np.setdiff1d(np.arange(ANCHORS), given["drawn"][image][given["there"][image]])
        given["logits"][image, out] += 100
        given["differences"][image, out] -= 100
    again, _ = compute(proposal_losses, given, ("logits",))
    np.testing.assert_array_equal(again, found)


def regions(seed, labels=range(CLASSES + 1), there=0.8, logit=2.0):
    rng = np.random.default_rng(seed)
    shape = (BATCH, DRAWN)
    return {
        "logits": rng.normal(0, logit, (*shape, CLASSES + 1)).astype("float32"),
        "differences": rng.normal(size=(*shape, CLASSES, 4)).astype("float32"),
        "rois": random_boxes(seed, *shape).astype("float32"),
        "boxes": random_boxes(seed + 1, *shape).astype("float32"),
        "labels": rng.choice(np.array(labels, "int32"), shape),
        "there": rng.uniform(size=shape) < there,
    }


@pytest.mark.parametrize(
    "options",
    [{}, {"labels": [CLASSES]}, {"labels": [0]}, {"there": 0.0}, {"logit": 500.0}],
    ids=str,
)
def test_losses_of_boxes(options):
    given = regions(2, **options)
    found, gradients = compute(box_losses, given, ("logits", "differences"))
    for image in range(BATCH):
        expected = oracle.box_losses(**of_image(given, image))
        np.testing.assert_allclose([x[image] for x in found], expected, rtol=1e-5)
    positive = options.get("labels") != [CLASSES] and options.get("there") != 0.0
    assert gradients[1].any() == positive
    for place in np.ndindex(BATCH, DRAWN):  # of the box's own class alone
        others = np.arange(CLASSES) != given["labels"][place]
        assert not gradients[1][place][others].any()


def test_boxes_of_no_area_have_finite_losses():
    given = regions(3)
    given["rois"][:, ::2] = 0
    given["boxes"][:, 1::2] = 7
    found, _ = compute(box_losses, given, ("logits", "differences"))
    for image in range(BATCH):
        expected = oracle.box_losses(**of_image(given, image))
        np.testing.assert_allclose([x[image] for x in found], expected, rtol=1e-5)


@pytest.mark.parametrize("positive", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("logit", [2.0, 500.0])
def test_loss_of_masks(positive, logit):
    rng = np.random.default_rng(4)
    given = {
        "logits": rng.normal(0, logit, (2, 3, 28, 28, CLASSES)).astype("float32"),
        "targets": rng.integers(0, 2, (2, 3, 28, 28)).astype("float32"),
        "labels": rng.integers(0, CLASSES, (2, 3)).astype("int32"),
        "positive": rng.uniform(size=(2, 3)) < positive,
    }
    given["labels"][~given["positive"]] = CLASSES  # the background has no mask
    found, (gradient,) = compute(mask_loss, given, ("logits",))
    for image in range(2):
        expected = oracle.mask_loss(**of_image(given, image))
        np.testing.assert_allclose(found[image], expected, rtol=1e-5)
    for image, place in np.ndindex(2, 3):
        others = np.arange(CLASSES) != given["labels"][image, place]
        assert not gradient[image, place][..., others].any()
        assert gradient[image, place].any() == given["positive"][image, place]
