"""Run by `tests.pale_tf.backends`: outputs of every attention."""

import pathlib
import sys

import keras
import numpy as np

from pale_tf.layers.attention import ATTENTIONS, Place, make_attention

folder = pathlib.Path(sys.argv[1])
images, outputs = np.load(folder / "images.npy"), {}
for name in ATTENTIONS:
    for block in (0, 1):
        layer = make_attention(name, Place(1, block), 4, name=f"{name}_{block}")
        layer.build(images.shape)
        with np.load(folder / f"{name}_{block}.npz") as weights:
            layer.set_weights([weights[key] for key in weights.files])
        inputs = keras.Input(images.shape[1:])
        model = keras.Model(inputs, layer(inputs))
        outputs[f"{name}_{block}"] = model.predict(images, verbose=0)
np.savez(folder / "outputs.npz", **outputs)
