"""Run by `tests.pale_tf.backends`: a network's outputs, what a training step takes from it, and
`fit`."""

import pathlib
import sys
import warnings

import keras
import numpy as np

from pale_tf import pale_backbone
from pale_tf.models import pale_network

warnings.filterwarnings("error", message=".*normalizes images")  # these are in 0..255
folder, variant = pathlib.Path(sys.argv[1]), sys.argv[2]
images = np.load(folder / "images.npy")
options = {
    "input_shape": (97, 61, 3),
    "weights": folder / "model.weights.h5",
    "drop_path_rate": 0.0,
}
model = pale_network(variant, classes=11, classifier_activation=None, **options)
backbone = pale_backbone(variant, **options)


def save(name, arrays):
    np.savez(folder / name, **{k: keras.ops.convert_to_numpy(v) for k, v in arrays.items()})


def step_of_jax(trainable, others):
    import jax

    def loss(trainable, others):
        logits, others = model.stateless_call(trainable, others, images, training=True)
        return (logits**2).mean(), others

    values = [[variable.value for variable in group] for group in (trainable, others)]
    return jax.jit(jax.grad(loss, has_aux=True))(*values)


def step_of_torch(trainable, others):
    (model(images, training=True) ** 2).mean().backward()
    return [variable.value.grad for variable in trainable], [variable.value for variable in others]


save("outputs.npz", {"logits": model(images), **backbone(images)})
variables = model.trainable_variables, model.non_trainable_variables
steps = {"jax": step_of_jax, "torch": step_of_torch}
gradients, statistics = steps[keras.backend.backend()](*variables)
paths = [variable.path for group in variables for variable in group]
save("training.npz", dict(zip(paths, [*gradients, *statistics], strict=True)))

model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
before = [np.array(weight) for weight in model.get_weights()]
history = model.fit(images, np.arange(len(images)), verbose=0)
assert np.isfinite(history.history["loss"]).all()
assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
