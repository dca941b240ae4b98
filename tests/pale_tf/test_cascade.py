"""A cascade of sizes against the networks at each size, image by image."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pale_tf import cascade, pale_network
from pale_tf.cascade import at_size, scaled, stages_of
from pale_tf.configs import NETWORKS
from tests.pale_tf.test_fuse import disturbed

SIZES = (16, 24, 32)
CONFIG = dataclasses.replace(NETWORKS["pale_n"], depths=(1, 1, 1, 1))


@pytest.fixture(scope="module")
def network():
    return disturbed(pale_network(CONFIG, input_shape=(32, 32, 3), classes=5))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).uniform(0, 255, (20, 32, 32, 3)).astype("float32")


@pytest.fixture(scope="module")
def expected(network, images):
    """Probabilities at every size: `[3, 20, 5]`, of networks that are built for it."""
    found = []
    for size in SIZES:
        own = pale_network(CONFIG, input_shape=(size, size, 3), classes=5)
        own.set_weights(network.get_weights())
        small = tf.image.resize(images, (size, size), antialias=True) if size < 32 else images
        found.append(own.predict(small, verbose=0))
    return np.array(found)


def test_images_go_on_until_the_network_is_sure(network, images, expected):
    confidences = np.sort(expected.max(axis=2).reshape(-1))
    middle = len(confidences) // 2
    threshold = confidences[middle : middle + 2].mean()  # some images stop at every size
    probabilities, stages = cascade(network, SIZES, threshold)(images)
    assert set(stages) == {0, 1, 2}
    for index, stage in enumerate(stages):
        np.testing.assert_allclose(probabilities[index], expected[stage, index], atol=1e-5)
        assert all(expected[:stage, index].max(axis=1) < threshold)
        assert stage == 2 or expected[stage, index].max() >= threshold
    np.testing.assert_array_equal(stages, stages_of(expected.max(axis=2), threshold))


@pytest.mark.parametrize(("threshold", "stage"), [(1.01, 2), (0.0, 0)])
def test_thresholds_that_nothing_and_everything_reaches(
    network, images, expected, threshold, stage
):
    probabilities, stages = cascade(network, SIZES, threshold)(images)
    assert set(stages) == {stage}
    np.testing.assert_allclose(probabilities, expected[stage], atol=1e-5)
    if stage == 2:
        np.testing.assert_allclose(probabilities, network(images), atol=1e-6)


def test_networks_of_their_own_for_each_size(network, images):
    other = disturbed(pale_network(CONFIG, input_shape=(16, 16, 3), classes=5))
    probabilities, _ = cascade([other, network], (16, 32), 0.0)(images)
    small = tf.image.resize(images, (16, 16), antialias=True)
    np.testing.assert_allclose(probabilities, other.predict(small, verbose=0), atol=1e-5)


def test_the_network_itself_at_its_own_size(network, images):
    assert at_size(network, 32) is network
    assert scaled(images, 32) is images


@given(
    arrays.arrays(
        "float64", st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=st.floats(0, 1)
    ),
    st.floats(0, 1.1),
)
def test_an_image_stops_where_it_is_first_sure_or_at_last(confidences, threshold):
    stages = stages_of(confidences, threshold)
    for image, stage in enumerate(stages):
        assert all(confidences[:stage, image] < threshold)
        assert stage == len(confidences) - 1 or confidences[stage, image] >= threshold


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((), 0.5), r"`sizes` must be a list of one size at least. Received: \(\)"),
        ((32, 0.5), "`sizes` must be a list of one size at least. Received: 32"),
        ((SIZES, "half"), "`threshold` must be a number, 0 or more. Received: 'half'"),
        ((SIZES, -0.1), "`threshold` must be a number, 0 or more. Received: -0.1"),
        ((SIZES, float("nan")), "`threshold` must be a number, 0 or more. Received: nan"),
        (((32, 16), 0.5), r"`sizes` must grow, .* Received: \(32, 16\)"),
        (((16, 16), 0.5), "`sizes` must grow"),
        (((0, 16), 0.5), "`sizes` must be a positive integer. Received: 0"),
    ],
)
def test_bad_arguments(network, arguments, message):
    with pytest.raises(ValueError, match=message):
        cascade(network, *arguments)


def test_too_few_networks(network):
    with pytest.raises(ValueError, match=r"`network` must be one, or a list of 3.* Received: 2"):
        cascade([network, network], SIZES, 0.5)
