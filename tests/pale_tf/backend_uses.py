"""Run by `tests.pale_tf.backends`: every use of every kind of model that docs/backends.md names.

The first process in a folder writes the weights there, and the others take them. Each writes what
its models predict, their losses and weights after `fit`, and which uses Keras does not implement.
"""

import json
import pathlib
import sys
import warnings

import keras
import numpy as np

from pale_tf import PaleConfig, PaleN, fuse, pale_detector, pale_segmenter

warnings.filterwarnings("error", message=".*normalizes images")  # these are in 0..255
folder = pathlib.Path(sys.argv[1])
backend = keras.backend.backend()
rng = np.random.default_rng(0)
images = rng.uniform(0, 255, (4, 64, 48, 3)).astype("float32")
targets = {"classifier": rng.integers(0, 5, 4), "segmenter": rng.integers(0, 5, (4, 64, 48))}


def classifier(weights=None):
    options = {"classifier_activation": None, "drop_path_rate": 0.0, "weights": weights}
    return PaleN(input_shape=(64, 48, 3), classes=5, **options)


def segmenter(weights=None):
    options = {"classifier_activation": None, "drop_path_rate": 0.0, "weights": weights}
    return pale_segmenter("nano", classes=5, channels=16, **options)


def detector(weights=None):
    config = PaleConfig("one", 8, (1, 1, 1, 1), (2, 2, 2, 2))
    options = {"max_detections": 8, "score_threshold": 0.3, "weights": weights}
    return pale_detector(config, classes=2, channels=8, **options)


def predict(model):
    found = model.predict(images[:2], verbose=0)
    return found if isinstance(found, dict) else {"logits": found}


def assert_same(found, expected, tolerance):
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=tolerance, atol=tolerance)


def use_predict(model, name):
    predicted.update(predict(model))
    np.savez(folder / f"{backend}_{name}_predict.npz", **predicted)


def use_fuse(model, name):
    fused = fuse(model)
    assert len(fused.weights) < len(model.weights)
    assert_same(predict(fused), predicted, 1e-4)


def use_save(model, name):
    path = str(folder / f"{backend}_{name}")
    model.save(f"{path}.keras")
    assert_same(predict(keras.saving.load_model(f"{path}.keras")), predicted, 1e-6)
    model.save_weights(f"{path}.weights.h5")
    again = MAKERS[name](f"{path}.weights.h5")
    for value, expected in zip(again.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(value, expected)


def use_fit(model, name):
    model = MAKERS[name](weights)  # another one, which sees its first images here
    for layer in model.layers:
        if isinstance(layer, keras.layers.SpatialDropout2D):
            layer.rate = 0.0  # each backend would drop other channels
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.01), loss, metrics=["accuracy"])
    options = {"batch_size": 2, "epochs": 2, "shuffle": False, "verbose": 0}
    losses = model.fit(images, targets[name], **options).history["loss"]
    values = {weight.path: keras.ops.convert_to_numpy(weight) for weight in model.weights}
    np.savez(folder / f"{backend}_{name}_fit.npz", losses=losses, **values)


MAKERS = {"classifier": classifier, "segmenter": segmenter, "detector": detector}
uses = {"predict": use_predict, "fuse": use_fuse, "save": use_save, "fit": use_fit}
implemented = {"build": True}
for name, make in MAKERS.items():
    weights, predicted = folder / f"{name}.weights.h5", {}
    if not weights.exists():
        make().save_weights(weights)
    model = make(weights)
    for use, run in uses.items():
        if use == "fit" and name not in targets:
            continue
        try:
            run(model, name)
            works = True
        except NotImplementedError:
            works = False
        assert implemented.setdefault(use, works) == works, (name, use)
(folder / f"{backend}.json").write_text(json.dumps(implemented))
