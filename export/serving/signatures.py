"""The signatures of a SavedModel, as functions of TensorFlow."""

import tensorflow as tf

from export.network import compile_attention, features, served


def make_signatures(network, trained, task, xla):
    """Makes the signatures of a network.

    Args:
        network: What `inference_network` returns.
        trained: The `Trained` that it was made from.
        task: Its `Task`.
        xla: What XLA compiles in `serving_xla`: `attention`, `model`, or `off` for no such
            signature.

    Returns:
        Dict of concrete functions, by signature; `features` only if the network has a pyramid.
    """
    images = images_spec(network)
    encoded = tf.TensorSpec((None,), tf.string, name="image_bytes")
    run = tf.function(lambda images: network(images, training=False))  # one graph for all

    def serve(names):
        return lambda images: served(run(images), names)

    def serve_features(images):
        levels = features(run(images))
        return {name: tf.cast(level, tf.float32) for name, level in levels.items()}

    def serve_bytes(image_bytes):
        return task.answer(image_bytes, serve(None), network.input_shape[1], trained)

    signatures = {name: concrete(serve(names), images) for name, names in task.signatures.items()}
    signatures["serve_bytes"] = concrete(serve_bytes, encoded)
    if features(network.output):
        signatures["features"] = concrete(serve_features, images)
    if xla != "off":
        compiled = compile_attention(network) if xla == "attention" else network

        def serving_xla(images):
            return served(compiled(images, training=False), task.signatures["serving_default"])

        must_compile = xla == "model"
        signatures["serving_xla"] = concrete(serving_xla, images, jit_compile=must_compile or None)
    return signatures


def write_model(folder, network, signatures):
    """Writes a SavedModel of a network's weights and signatures."""
    holder = tf.Module()
    # From a concrete function alone, what reads the SavedModel may silently drop the weights.
    holder.weights = [variable.value for variable in network.variables]
    tf.saved_model.save(holder, folder, signatures=signatures)


def images_spec(network, batch=None):
    """`TensorSpec` of the images that a network takes."""
    return tf.TensorSpec((batch, *network.input_shape[1:]), tf.float32, name="images")


def concrete(function, spec, **options):
    return tf.function(function, input_signature=[spec], **options).get_concrete_function()


def describe(signatures):
    """In words, what each signature takes and gives: dict of texts."""
    texts = {}
    for name, function in signatures.items():
        ((spec,), _) = function.structured_input_signature
        given = [_tensor(key, spec) for key, spec in function.structured_outputs.items()]
        texts[name] = f"{_tensor(spec.name, spec)} → {', '.join(given)}"
    return texts


def _tensor(name, spec):
    sizes = ["any" if size is None else str(size) for size in spec.shape]
    return f"{name} {spec.dtype.name} [{', '.join(['N', *sizes[1:]])}]"
