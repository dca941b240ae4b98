"""Run by `tests/test_distribution.py`, in an environment where the package is installed.

Its arguments are packages that it must do without, installed or not.
"""

import importlib.machinery
import sys

unwanted = set(sys.argv[1:])


class Finder(importlib.machinery.PathFinder):
    """Finds nothing of the unwanted packages, as if they were not installed."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in unwanted:
            return None
        return super().find_spec(name, path, target)


finders = {importlib.machinery.PathFinder: Finder}
sys.meta_path = [finders.get(finder, finder) for finder in sys.meta_path]

import keras  # noqa: E402
import numpy as np  # noqa: E402

before = set(sys.modules)
import pale_tf  # noqa: E402

# Beside what Keras imports itself.
added = {name.partition(".")[0] for name in set(sys.modules) - before}
assert added <= {"pale_tf", "h5py", "safetensors", *sys.stdlib_module_names}, added

tolerance = 1e-2 if "openvino" in sys.modules else 1e-5  # OpenVINO's may be bfloat16
images = np.random.default_rng(0).uniform(0, 255, (2, 224, 224, 3)).astype("float32")
model = pale_tf.PaleT()
probabilities = model.predict(images, verbose=0)
assert probabilities.shape == (2, 1000)
np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=tolerance)

small = pale_tf.PaleN(input_shape=(32, 32, 3), classes=3)
expected = small.predict(images[:, :32, :32], verbose=0)
small.save("small.keras")
again = keras.saving.load_model("small.keras")
np.testing.assert_allclose(again.predict(images[:, :32, :32], verbose=0), expected, atol=1e-6)
fused = pale_tf.fuse(small).predict(images[:, :32, :32], verbose=0)
np.testing.assert_allclose(fused, expected, atol=tolerance)

swin = pale_tf.load_pretrained("swin_of_transformers", input_shape=(128, 128, 3))
swin = swin.predict(
    np.random.default_rng(0).uniform(0, 255, (2, 128, 128, 3)).astype("float32"), verbose=0
)
with np.load("swin_of_transformers/expected.npz") as expected:  # see its README.md
    odds = np.exp(expected["128x128/logits"])
np.testing.assert_allclose(swin, odds / odds.sum(axis=1, keepdims=True), atol=tolerance)

assert not unwanted & set(sys.modules)
print(keras.backend.backend(), pale_tf.__version__, pale_tf.__file__)
