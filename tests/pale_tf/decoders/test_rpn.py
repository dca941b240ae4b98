"""The region proposal network, against loops in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pale_tf.decoders.rpn import Proposals, region_proposal_head, take, top
from tests.pale_tf.decoders import detector_oracle as oracle
from tests.pale_tf.layers.checks import randomize

LEVELS = {"P2": (8, 12), "P3": (4, 6), "P4": (2, 3), "P5": (1, 2), "P6": (1, 1)}
HEIGHT, WIDTH = 30, 45  # of an image that is padded


def outputs(seed, spread=1.0):
    """Logits and differences of two images, by level."""
    rng = np.random.default_rng(seed)
    return {
        level: (
            rng.normal(size=(2, *size, 3)).astype("float32"),
            rng.normal(0, spread, (2, *size, 12)).astype("float32"),
        )
        for level, size in LEVELS.items()
    }


def propose(given, sizes=((HEIGHT, WIDTH), (20, 40)), **options):
    logits, differences = zip(*given.values(), strict=True)
    layer = Proposals(**options)
    return np.asarray(layer([np.array(sizes, "float32"), list(logits), list(differences)]))


def check(given, count, per_level, threshold=0.7, sizes=((HEIGHT, WIDTH), (20, 40))):
    found = propose(given, sizes, count=count, per_level=per_level, threshold=threshold)
    assert found.shape == (2, count, 4)
    amounts = []
    for image in range(2):
        expected = oracle.proposals(given, image, sizes[image], count, per_level, threshold)
        amounts.append(len(expected))
        expected = np.reshape(expected, (-1, 4))
        np.testing.assert_allclose(found[image, : len(expected)], expected, atol=1e-3)
        assert not found[image, len(expected) :].any()
    return amounts


def test_the_head_equals_the_oracle():
    inputs = {level: keras.Input((None, None, 5), name=level) for level in LEVELS}
    logits, differences = region_proposal_head(inputs, 4)
    model = keras.Model(inputs, {k: (logits[k], differences[k]) for k in inputs})
    for seed, layer in enumerate(model.layers):
        randomize(layer, seed)
    assert sum(layer.count_params() for layer in model.layers) == 4 * 5 * 9 + 4 + 15 * 5
    rng = np.random.default_rng(1)
    maps = {k: rng.normal(size=(2, *size, 5)).astype("float32") for k, size in LEVELS.items()}
    found = model(maps)
    expected = oracle.region_proposal_head(maps, oracle.weights_of(model.layers))
    for level, values in expected.items():
        for a, b in zip(found[level], values, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize(
    ("count", "per_level", "threshold"),
    [(12, 20, 0.7), (12, 1000, 0.5), (1000, 1000, 0.9), (1, 1, 0.7), (7, 3, 0.0)],
)
def test_equal_the_oracle(count, per_level, threshold):
    amounts = check(outputs(count), count, per_level, threshold)
    assert 0 < max(amounts) < 1000


def test_of_equal_logits_the_first_ones_are_taken():
    given = outputs(3)
    ties = {k: (np.full_like(logits, 0.5), x) for k, (logits, x) in given.items()}
    check(ties, 15, 10)
    same = {k: (logits, np.zeros_like(x)) for k, (logits, x) in ties.items()}
    check(same, 15, 1000, 0.3)


def test_boxes_outside_of_the_image_are_no_proposals():
    given = outputs(4)
    away = {k: (logits, np.full_like(x, 500.0)) for k, (logits, x) in given.items()}
    assert check(away, 10, 1000) == [0, 0]
    assert not propose(away, count=10).any()


def test_huge_and_tiny_differences():
    check(outputs(5, spread=30.0), 50, 1000)


def test_boxes_stay_within_each_image():
    found = propose(outputs(6), ((HEIGHT, WIDTH), (3, 5)))
    assert (found >= 0).all()
    assert found[0].max(0).tolist() == [*found[0, :, :2].max(0), WIDTH, HEIGHT]
    assert found[1].max(0).tolist() == [*found[1, :, :2].max(0), 5, 3]


def test_sizes_may_be_known_at_run_time_only():
    given = outputs(7)
    logits, differences = zip(*given.values(), strict=True)
    layer, sizes = Proposals(40, 30), np.array([[HEIGHT, WIDTH]] * 2, "float32")
    run = tf.function(
        lambda *x: layer([x[0], x[1:6], x[6:]]),
        input_signature=[
            tf.TensorSpec((None, 2)),
            *[tf.TensorSpec((None, None, None, 3))] * 5,
            *[tf.TensorSpec((None, None, None, 12))] * 5,
        ],
    )
    expected = layer([sizes, list(logits), list(differences)])
    np.testing.assert_allclose(run(sizes, *logits, *differences), expected, atol=1e-4)


def test_no_gradient_passes():
    logits, differences = zip(*outputs(8).values(), strict=True)
    variables = [tf.Variable(x) for x in (*logits, *differences)]
    with tf.GradientTape() as tape:
        found = Proposals()([np.array([[9.0, 9.0]] * 2), variables[:5], variables[5:]])
    assert tape.gradient(found, variables) == [None] * 10


def test_half_precision_gives_boxes_in_float32():
    given = {k: tuple(x.astype("float16") for x in pair) for k, pair in outputs(9).items()}
    layer = Proposals(20, dtype="mixed_float16")
    logits, differences = zip(*given.values(), strict=True)
    found = layer([np.array([[HEIGHT, WIDTH]] * 2, "float32"), list(logits), list(differences)])
    assert found.dtype == "float32"
    exact = {k: tuple(x.astype("float32") for x in pair) for k, pair in given.items()}
    np.testing.assert_array_equal(found, propose(exact, [(HEIGHT, WIDTH)] * 2, count=20))


def test_configuration():
    layer = Proposals(7, 5, 0.4, (2, 4), name="mine")
    assert Proposals.from_config(layer.get_config()).get_config() == layer.get_config()
    assert layer.compute_output_shape([(None, 2), [], []]) == (None, 7, 4)
    for argument in ("count", "per_level"):
        with pytest.raises(ValueError, match=rf"`{argument}` must be a positive integer. .* 0"):
            Proposals(**{argument: 0})


@pytest.mark.parametrize("count", [1, 3, 5, 9])
def test_the_largest_and_their_places(count):
    scores = np.array([[0.1, 0.5, 0.5, 0.2, -1.0], [0.4, 0.3, 0.2, 0.1, -1.0]], "float32")
    signature = [tf.TensorSpec((None, None))]
    traced = tf.function(lambda given: top(given, count), input_signature=signature)
    for best, places in (top(scores, count), traced(scores)):
        for row, order in enumerate(([1, 2, 3, 0, 4], [0, 1, 2, 3, 4])):
            expected = [scores[row, place] for place in order[:count]]
            assert np.asarray(best)[row].tolist() == expected + [-1.0] * (count - 5)
            assert np.asarray(places)[row].tolist() == order[:count] + [4] * (count - 5)


def test_entries_at_places():
    values = np.random.default_rng(10).normal(size=(2, 6, 4))
    places = np.array([[5, 0, 5], [1, 2, 3]])
    expected = [[values[image, place] for place in row] for image, row in enumerate(places)]
    np.testing.assert_array_equal(take(values, places), expected)
