"""The signatures of a SavedModel, as functions of TensorFlow."""

import tensorflow as tf

from export.network import compile_attention
from export.serving.decoding import decode_images

TOP = 5
PYRAMID = ("P2", "P3", "P4", "P5")
SCORES = ("logits", "probabilities")


def make_signatures(network, labels, crop_fraction, xla):
    """Makes the signatures of a network.

    Args:
        network: What `inference_network` returns.
        labels: Names of the classes.
        crop_fraction: In evaluation, the part of an image's short side that the central crop has.
        xla: What XLA compiles in `serving_xla`: `attention`, `model`, or `off` for no such
            signature.

    Returns:
        Dict of concrete functions, by signature.
    """
    images = tf.TensorSpec((None, *network.input_shape[1:]), tf.float32, name="images")
    encoded = tf.TensorSpec((None,), tf.string, name="image_bytes")
    names = tf.constant(labels)
    run = tf.function(lambda images: network(images, training=False))  # one graph for all

    def serving_default(images):
        return pick(run(images), SCORES)

    def features(images):
        levels = pick(run(images), PYRAMID)
        return {name: tf.cast(level, tf.float32) for name, level in levels.items()}

    def serve_bytes(image_bytes):
        images = decode_images(image_bytes, network.input_shape[1], crop_fraction)
        probabilities = run(images)["probabilities"]
        scores, indices = tf.math.top_k(probabilities, min(TOP, len(labels)))
        return {"classes": tf.gather(names, indices), "scores": scores}

    signatures = {
        "serving_default": concrete(serving_default, images),
        "serve_bytes": concrete(serve_bytes, encoded),
        "features": concrete(features, images),
    }
    if xla != "off":
        compiled = compile_attention(network) if xla == "attention" else network

        def serving_xla(images):
            return pick(compiled(images, training=False), SCORES)

        must_compile = xla == "model"
        signatures["serving_xla"] = concrete(serving_xla, images, jit_compile=must_compile or None)
    return signatures


def concrete(function, spec, **options):
    return tf.function(function, input_signature=[spec], **options).get_concrete_function()


def pick(outputs, names):
    return {name: outputs[name] for name in names}


def describe(signatures):
    """What each signature takes and gives, in words: dict of texts."""
    texts = {}
    for name, function in signatures.items():
        ((spec,), _) = function.structured_input_signature
        given = [_tensor(key, spec) for key, spec in function.structured_outputs.items()]
        texts[name] = f"{_tensor(spec.name, spec)} → {', '.join(given)}"
    return texts


def _tensor(name, spec):
    shape = ", ".join("N" if size is None else str(size) for size in spec.shape)
    return f"{name} {spec.dtype.name} [{shape}]"
