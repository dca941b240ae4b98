"""Rematerialization: the same gradients and statistics, computed twice."""

import collections
import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from pale_tf import PaleConfig, pale_backbone, rematerialize

CONFIG = PaleConfig(
    name="small", embed_dim=8, depths=(1, 1, 1, 1), num_heads=(2, 2, 2, 2), pale_size=2
)


def gradients(model):
    """Gradients of all weights, what BatchNorm has averaged after, and operations by type."""
    images = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")

    @tf.function
    def run(images):
        with tf.GradientTape() as tape:
            loss = sum(tf.reduce_mean(x**2) for x in model(images, training=True).values())
        return tape.gradient(loss, [v.value for v in model.trainable_variables])

    found = [tf.convert_to_tensor(gradient).numpy() for gradient in run(images)]
    graph = run.get_concrete_function(images).graph.as_graph_def()
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    kept = [v.numpy() for v in model.non_trainable_variables]
    return found, kept, collections.Counter(node.op for node in nodes)


@pytest.mark.parametrize(
    "options",
    [
        {},
        *(
            pytest.param({"attention": name}, marks=pytest.mark.slow)
            for name in ("cross_shaped", "shifted_window", "global")
        ),
        *(
            pytest.param({"block": name}, marks=pytest.mark.slow)
            for name in ("ds", "mobile_former")
        ),
    ],
    ids=str,
)
def test_gradients_and_statistics_are_the_same(options):
    config = dataclasses.replace(CONFIG, **options)
    keras.utils.set_random_seed(0)
    model = pale_backbone(config, input_shape=(64, 64, 3))
    before = model.get_weights()
    expected, statistics, _ = gradients(model)
    model.set_weights(before)
    rematerialize(model)
    found, again, _ = gradients(model)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    for a, b in zip(again, statistics, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)  # a second update would move them by far more


@pytest.mark.slow
def test_computes_again_in_the_given_stages_alone():
    model = pale_backbone(CONFIG, input_shape=(64, 64, 3))
    counts = {}
    for stages in ((), (3,), (1, 2, 3, 4), (2,)):
        rematerialize(model, stages)
        counts[stages] = gradients(model)[2]["Softmax"]
    halves = 2  # rows and columns; a softmax of each in every block
    assert counts[()] == 4 * halves
    assert counts[3,] == counts[2,] == 5 * halves
    assert counts[1, 2, 3, 4] == 8 * halves


def test_bad_stages_and_dropout_are_refused():
    model = pale_backbone(CONFIG, input_shape=(64, 64, 3))
    with pytest.raises(ValueError, match=r"`stages` must be some of .* Received: \(0, 1\)"):
        rematerialize(model, (0, 1))
    options = {"attention_options": {"dropout": 0.1}}
    model = pale_backbone(PaleConfig(**{**vars(CONFIG), **options}), input_shape=(64, 64, 3))
    with pytest.raises(ValueError, match=r"no attention dropout.*stage1_block1_attention"):
        rematerialize(model)
