"""The network that trains a detector, against the oracle of the detector and of its losses."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pale_tf import PaleConfig, pale_detector, rematerialize
from pale_tf.boxes import intersection_over_union
from tests.conftest import HAS_BFLOAT16
from tests.pale_tf import boxes_oracle
from tests.pale_tf.decoders import detector_oracle
from tests.pale_tf.test_detector import disturb
from tests.training.coco_folder import bounds
from tests.training.detection import losses_oracle
from tests.training.detection.test_masks import bitmaps, flips_of, look_up
from training.detection.assignment import assign, sample
from training.detection.network import (
    ANCHORS,
    LOSSES,
    ProposalLosses,
    RegionSamples,
    training_network,
)

SMALL = PaleConfig("one", 8, (1, 1, 1, 1), (2, 2, 2, 2))
CLASSES, REGIONS = 3, 16
SIZES = np.array([[64, 96], [50, 70]])  # the second image is padded


def make(masks=True):
    detector = disturb(pale_detector(SMALL, CLASSES, channels=6, masks=masks))
    return training_network(detector, CLASSES, REGIONS)


def example(seed=0):
    """Inputs of the trained network: two images, with a crowd and with filling, and the masks."""
    rng = np.random.default_rng(seed)
    masks = [bitmaps(image, 4, *size)[1:] for image, size in enumerate(SIZES)]
    boxes = np.zeros((2, 4, 4))
    for image, (height, width) in enumerate(SIZES):
        for place, mask in enumerate(masks[image]):
            y, x = rng.integers(0, height - 24), rng.integers(0, width - 24)
            mask[:, : x + 3] = mask[:y] = mask[:, x + 21 :] = mask[y + 18 :] = False
            found = bounds(mask)
            boxes[image, place] = [*found[:2], found[0] + found[2], found[1] + found[3]]
    length = max(len(flips_of(some)) for some in masks)
    return {
        "image": tf.constant(rng.uniform(0, 255, (2, 64, 96, 3)), tf.float32),
        "boxes": tf.constant(boxes, tf.float32),
        "labels": tf.constant([[0, 2, 1, -1], [1, 1, 2, -1]]),
        "crowds": tf.constant([[False, False, True, False], [False] * 4]),
        "size": tf.constant(SIZES, tf.int32),
        "seed": tf.constant([[3, 5], [3, 9]]),
        "flips": tf.constant(np.stack([flips_of(some, length) for some in masks])),
        "mask_size": tf.constant(SIZES, tf.int32),
        "to_mask": tf.constant([[1.0, 0, 1, 0]] * 2),
    }, masks


def samples_of(network):
    """The tensors that the layer of regions gives, by name."""
    names = ("rois", "boxes", "labels", "owners", "there")
    return dict(zip(sorted(names), network.get_layer("region_samples").output, strict=True))


@pytest.fixture(scope="module")
def network():
    return make()


@pytest.fixture(scope="module")
def inner(network):
    """By name, what layers give, in one go: arrays."""
    given, _ = example()
    outputs = {
        "levels": network.detector.pyramid_outputs,
        "training_proposals": network.get_layer("training_proposals").output,
        "region_samples": samples_of(network),
        **network.output,
    }
    found = keras.Model(network.input, outputs)(given)
    return tf.nest.map_structure(lambda value: np.asarray(value), found)


@pytest.fixture(scope="module")
def weights(network):
    return detector_oracle.weights_of(network.detector.layers)


@pytest.fixture(scope="module")
def maps(inner, weights):
    levels = {name: value.astype("float64") for name, value in inner["levels"].items()}
    return detector_oracle.pyramid(levels, weights)


def gradients(network, given):
    """Losses, and gradients of their sum by the paths of weights."""
    with tf.GradientTape() as tape:
        losses = network(given, training=True)
        total = tf.add_n([tf.reduce_sum(value) for value in losses.values()])
    variables = network.trainable_variables
    found = tape.gradient(total, [variable.value for variable in variables])
    return losses, {
        variable.path: None if gradient is None else np.asarray(tf.convert_to_tensor(gradient))
        for variable, gradient in zip(variables, found, strict=True)
    }


def test_it_trains_the_weights_of_the_detector(network, tmp_path):
    assert [id(v) for v in network.trainable_variables] == [
        id(v) for v in network.detector.trainable_variables
    ]
    losses, found = gradients(network, example()[0])
    assert set(losses) == set(LOSSES)
    for value in losses.values():
        assert (value.shape, value.dtype) == ((2,), "float32")
        assert (np.asarray(value) > 0).all()
    missing = [
        path for path, value in found.items() if value is None or not np.isfinite(value).all()
    ]
    assert missing == []
    idle = [path for path, value in found.items() if not value.any()]
    assert not [path for path in idle if path.startswith(("box", "mask", "rpn", "fpn", "lateral"))]


def test_its_file_has_every_weight_once(network, tmp_path):
    network.save_weights(tmp_path / "trained.weights.h5")
    network.detector.save_weights(tmp_path / "detector.weights.h5")
    sizes = [(tmp_path / f"{name}.weights.h5").stat().st_size for name in ("trained", "detector")]
    assert sizes[0] < 1.1 * sizes[1]
    assert network.detector not in network._flatten_layers(include_self=False)


def test_the_same_seed_gives_the_same_losses():
    network, (given, _) = make(), example()
    given = {**given, "boxes": given["boxes"] / 4}  # small: most anchors are negative
    first, again = network(given), network(given)
    other = network({**given, "seed": given["seed"] + 1})
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
    assert (np.asarray(first["objectness"]) != np.asarray(other["objectness"])).all()
    assert (np.asarray(first["classes"]) != np.asarray(other["classes"])).any()
    # The numbers of an image are its own, whatever else is in the batch.
    swapped = {name: tf.reverse(value, [0]) for name, value in given.items()}
    for name, value in network(swapped).items():
        np.testing.assert_allclose(value[::-1], first[name], rtol=1e-4, err_msg=name)


def test_proposals_are_those_of_images_without_their_padding(inner, maps, weights):
    proposed = detector_oracle.region_proposal_head(maps, weights)
    for image, size in enumerate(SIZES):
        expected = detector_oracle.proposals(proposed, image, size, 1000, 2000)
        found = inner["training_proposals"][image]
        assert len(expected) > 10
        np.testing.assert_allclose(found[: len(expected)], expected, atol=1e-2)
        assert not found[len(expected) :].any()


def test_losses_of_anchors_equal_the_oracle(inner, maps, weights):
    given, _ = example()
    proposed = detector_oracle.region_proposal_head(maps, weights)
    placed = np.concatenate(
        [
            boxes_oracle.anchors(*x.shape[1:3], detector_oracle.STRIDES[level])
            for level, x in maps.items()
        ]
    )
    for image in range(2):
        of_image = {name: value[image] for name, value in given.items()}
        assigned = assign(
            placed.astype("float32"),
            of_image["boxes"],
            of_image["labels"] >= 0,
            of_image["crowds"],
            positive=0.7,
            negative=0.3,
            least=0.3,
        )
        drawn, there = sample(assigned, ANCHORS, 0.5, of_image["seed"])
        expected = losses_oracle.proposal_losses(
            np.concatenate([logits[image].ravel() for logits, _ in proposed.values()]),
            np.concatenate([x[image].reshape(-1, 4) for _, x in proposed.values()]),
            placed,
            np.asarray(of_image["boxes"], "float64"),
            assigned.numpy(),
            drawn.numpy(),
            there.numpy(),
        )
        np.testing.assert_allclose(inner["objectness"][image], expected[0], rtol=1e-4)
        np.testing.assert_allclose(inner["anchors"][image], expected[1], rtol=1e-4)


def test_anchors_in_the_padding_of_a_batch_do_not_count():
    """An image of 40×50 pixels is padded to 64×64 by itself, and to 64×128 in this batch."""
    rng = np.random.default_rng(1)
    shapes = [(2, 64 // stride, 128 // stride) for stride in (4, 8, 16, 32, 64)]
    logits = [rng.normal(size=(*shape, 3)).astype("float32") for shape in shapes]
    differences = [rng.normal(size=(*shape, 12)).astype("float32") for shape in shapes]
    objects = {name: value for name, value in example()[0].items() if name != "image"}
    objects["size"] = tf.constant([[40, 50], [64, 128]])
    layer = ProposalLosses((4, 8, 16, 32, 64))
    variables = [tf.Variable(x) for x in logits]
    with tf.GradientTape() as tape:
        losses = layer([variables, differences, objects])
        total = tf.reduce_sum(losses["objectness"])
    for stride, gradient in zip((4, 8, 16, 32, 64), tape.gradient(total, variables), strict=True):
        drawn = np.asarray(gradient).any(axis=-1)
        inside = 64 // stride
        assert not drawn[0, :, inside:].any()
        assert stride > 16 or (drawn[0, :, :inside].any() and drawn[1, :, inside:].any())


def test_regions_are_those_of_objects_and_of_none(inner):
    given, _ = example()
    samples = inner["region_samples"]
    for image in range(2):
        rois, boxes, labels, owners, there = (
            samples[name][image] for name in ("rois", "boxes", "labels", "owners", "there")
        )
        positive = labels < CLASSES
        assert there.sum() == REGIONS
        assert 1 <= positive.sum() <= REGIONS / 4
        assert (np.diff(positive.astype(int)) <= 0).all()  # these come first
        truth, known = np.asarray(given["boxes"][image]), np.asarray(given["labels"][image])
        np.testing.assert_array_equal(boxes[positive], truth[owners[positive]])
        np.testing.assert_array_equal(labels[positive], known[owners[positive]])
        single = (known >= 0) & ~np.asarray(given["crowds"][image])
        assert single[owners[positive]].all()
        overlaps = np.asarray(intersection_over_union(rois, truth))
        assert (overlaps[positive, owners[positive]] >= 0.5).all()
        assert (overlaps[~positive][:, single] < 0.5).all()
        proposed = inner["training_proposals"][image]
        candidates = np.concatenate([truth[single], proposed])
        assert all((candidates == roi).all(1).any() for roi in rois)


def test_losses_of_regions_equal_the_oracle(inner, maps, weights):
    _, masks = example()
    samples = inner["region_samples"]
    for image in range(2):
        rois, boxes, labels, owners, there = (
            samples[name][image] for name in ("rois", "boxes", "labels", "owners", "there")
        )
        heads = [
            detector_oracle.box_head(detector_oracle.align(maps, box, image, 7), weights)
            for box in rois.astype("float64")
        ]
        logits, differences = map(np.stack, zip(*heads, strict=True))
        expected = losses_oracle.box_losses(
            logits, differences, rois.astype("float64"), boxes.astype("float64"), labels, there
        )
        np.testing.assert_allclose(inner["classes"][image], expected[0], rtol=1e-4)
        np.testing.assert_allclose(inner["boxes"][image], expected[1], rtol=1e-4)
        positive = np.flatnonzero(there & (labels < CLASSES))
        aligned = [
            detector_oracle.align(maps, rois[k].astype("float64"), image, 14) for k in positive
        ]
        expected = losses_oracle.mask_loss(
            detector_oracle.mask_head(np.stack(aligned), weights),
            look_up(masks[image], rois[positive], owners[positive], (1, 0, 1, 0)),
            labels[positive],
            np.ones(len(positive), bool),
        )
        np.testing.assert_allclose(inner["masks"][image], expected, rtol=1e-4)


def regions_of(network, given):
    found = keras.Model(network.input, samples_of(network))(given)
    return {name: np.asarray(value) for name, value in found.items()}


def test_all_regions_of_an_image():
    """Drawn are all there are: of objects and of proposals, none of a crowd or without area."""
    objects = {
        "boxes": [[10, 10, 30, 30], [5, 5, 5, 30], [9, 9, 9, 9], [40, 40, 90, 90], [0, 0, 0, 0]],
        "labels": [2, 0, 1, 1, -1],
        "crowds": [False, False, False, True, False],
        "seed": [3, 5],
    }
    objects = {name: tf.constant([value]) for name, value in objects.items()}
    objects["boxes"] = tf.cast(objects["boxes"], tf.float32)
    positive, negative = [12.0, 10, 30, 30], [5.0, 5, 20, 20]
    in_crowd = [45.0, 45, 60, 60]
    proposals = tf.constant([[positive, negative, in_crowd, [0.0] * 4, [0.0] * 4]])
    found = RegionSamples(CLASSES, 20)([proposals, objects])
    found = {name: value.numpy()[0] for name, value in found.items()}
    real = found["rois"][found["there"]].tolist()
    assert sorted(real) == sorted([positive, negative, [10, 10, 30, 30]])
    assert real[-1] == negative
    assert found["labels"].tolist() == [2, 2, *[CLASSES] * 18]
    assert found["owners"].tolist() == [0] * 20
    assert found["boxes"][:2].tolist() == [[10, 10, 30, 30]] * 2


def test_regions_without_any_object_or_proposal():
    objects = {
        "boxes": tf.zeros((1, 1, 4)),
        "labels": tf.constant([[-1]]),
        "crowds": tf.constant([[False]]),
        "seed": tf.constant([[1, 2]]),
    }
    found = RegionSamples(CLASSES, 6)([tf.zeros((1, 3, 4)), objects])
    assert not found["there"].numpy().any()
    assert (found["labels"].numpy() == CLASSES).all()


def test_without_objects_the_losses_are_those_of_the_background(network):
    given, _ = example()
    losses, found = gradients(network, {**given, "labels": tf.fill((2, 4), -1)})
    for name in ("anchors", "boxes", "masks"):
        assert not np.asarray(losses[name]).any()
    for name in ("objectness", "classes"):
        assert (np.asarray(losses[name]) > 0).all()
    for value in found.values():
        assert np.isfinite(value).all()
    assert not found["mask_head/logits/kernel"].any()
    assert not found["box_head/differences/kernel"].any()


def test_without_masks():
    network = make(masks=False)
    given, _ = example()
    losses = network(given)
    assert set(losses) == set(LOSSES) - {"masks"}


def test_rematerialized_it_has_the_same_gradients(network):
    given, _ = example()
    statistics = network.non_trainable_variables
    before = [np.array(variable) for variable in statistics]
    _, expected = gradients(network, given)
    for variable, value in zip(statistics, before, strict=True):
        variable.assign(value)
    rematerialize(network.detector)
    try:
        _, found = gradients(network, given)
    finally:
        rematerialize(network.detector, ())
    for path, value in expected.items():
        np.testing.assert_allclose(found[path], value, atol=1e-4 * max(abs(value).max(), 1))


@pytest.mark.parametrize("policy", ["mixed_float16", *["mixed_bfloat16"] * HAS_BFLOAT16])
def test_losses_are_float32_under_mixed_precision(policy):
    keras.config.set_dtype_policy(policy)
    try:
        network = make()
    finally:
        keras.config.set_dtype_policy("float32")
    assert network.get_layer("training_box_align").compute_dtype == policy.removeprefix("mixed_")
    losses, found = gradients(network, example()[0])
    for value in losses.values():
        assert value.dtype == "float32"
        assert np.isfinite(value).all()
    assert all(np.isfinite(value).all() for value in found.values())
    samples = regions_of(network, example()[0])
    assert samples["rois"].dtype == "float32"
    assert samples["rois"][1, :, 2].max() <= 70
