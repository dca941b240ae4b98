"""Signatures: the network's own numbers, however they are asked for."""

import keras
import numpy as np
import tensorflow as tf

from common.preparation import evaluation_image
from common.trained import load_trained
from export.network import inference_network
from export.serving.signatures import concrete, describe, make_signatures
from export.tasks.classify import TASK
from tests.export.encoding import encode, picture


def test_scores_are_the_networks(loaded, network, images):
    outputs = loaded["serving_default"](images=tf.constant(images))
    expected = network.predict(images, verbose=0)
    np.testing.assert_allclose(outputs["probabilities"], expected, atol=1e-5)
    logits = outputs["logits"].numpy().astype("float64")
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax, expected, atol=1e-5)


def test_xla_gives_the_same(loaded, images):
    plain = loaded["serving_default"](images=tf.constant(images[:3]))
    compiled = loaded["serving_xla"](images=tf.constant(images[:3]))
    for key, value in plain.items():
        np.testing.assert_allclose(compiled[key], value, atol=1e-4)


def test_features_are_those_of_the_stages(loaded, network, images):
    outputs = loaded["features"](images=tf.constant(images[:2]))
    last = {"P2": "stage1", "P3": "stage2", "P4": "stage3", "P5": "stage4"}
    stages = {k: network.get_layer(f"{name}_block1_add2").output for k, name in last.items()}
    expected = keras.Model(network.inputs[0], stages).predict(images[:2], verbose=0)
    assert set(outputs) == set(expected)
    for level, value in expected.items():
        np.testing.assert_allclose(outputs[level], value, atol=1e-5 * abs(value).max())


def test_bytes_are_decoded_as_in_evaluation(loaded, network, run):
    files = [encode(picture(seed, 41, 67), form) for seed in range(2) for form in ("PNG", "JPEG")]
    outputs = loaded["serve_bytes"](image_bytes=tf.constant(files))
    decoded = [tf.io.decode_image(file, channels=3) for file in files]
    batch = np.stack([evaluation_image(image, 32) for image in decoded])
    expected = network.predict(batch, verbose=0)
    labels = np.array((run / "labels.txt").read_text().splitlines())
    order = np.argsort(-expected, axis=1)[:, :5]
    best = np.take_along_axis(expected, order, axis=1)
    np.testing.assert_allclose(outputs["scores"], best, atol=1e-5)
    assert outputs["classes"].numpy().astype(str).tolist() == labels[order].tolist()


def test_one_signature_alone_must_be_compiled(loaded):
    assert {name: must_compile(function) for name, function in loaded.items()} == {
        "serving_default": False,
        "serve_bytes": False,
        "features": False,
        "serving_xla": True,
    }


def must_compile(function):
    """Whether XLA has to compile any function that can be reached from `function`."""
    graph = function.graph.as_graph_def()
    definitions = {definition.signature.name: definition for definition in graph.library.function}
    seen, waiting = set(), list(graph.node)
    found = function.function_def.attr["_XlaMustCompile"].b
    while waiting:
        node = waiting.pop()
        found |= node.attr["_XlaMustCompile"].b
        for attribute in node.attr.values():
            for name in [attribute.func.name, *(item.name for item in attribute.list.func)]:
                if name in definitions and name not in seen:
                    seen.add(name)
                    waiting += definitions[name].node_def
    return found or any(definitions[name].attr["_XlaMustCompile"].b for name in seen)


def test_the_whole_network_or_nothing_is_compiled_on_demand(run, images):
    trained = load_trained(run)
    net = inference_network(trained.network, TASK)
    plain = make_signatures(net, trained, TASK, "off")
    assert "serving_xla" not in plain
    whole = make_signatures(net, trained, TASK, "model")["serving_xla"]
    assert whole.function_def.attr["_XlaMustCompile"].b
    expected = plain["serving_default"](tf.constant(images[:2]))
    for key, value in whole(tf.constant(images[:2])).items():
        np.testing.assert_allclose(value, expected[key], atol=1e-4)


def test_says_in_words_what_signatures_take_and_give():
    spec = tf.TensorSpec((None, 2, 3), tf.float32, name="images")
    function = concrete(lambda images: {"sums": tf.reduce_sum(images, axis=1)}, spec)
    texts = describe({"serving_default": function})
    assert texts == {"serving_default": "images float32 [N, 2, 3] → sums float32 [N, 3]"}
    spec = tf.TensorSpec((None, None, None, 3), tf.float32, name="images")
    function = concrete(lambda images: {"red": images[..., 0]}, spec)
    texts = describe({"red": function})
    assert texts == {"red": "images float32 [N, any, any, 3] → red float32 [N, any, any]"}
