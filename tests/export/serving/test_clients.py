"""Clients against servers that speak TF Serving's protocols over the exported SavedModel."""

import numpy as np
import pytest
import tensorflow as tf

from export.serving.clients import RefusedError, ServerError
from tests.export.encoding import encode, picture, with_size


def test_predictions_are_the_models(served, model):
    images = [encode(picture(seed), "PNG") for seed in range(3)]
    expected = model.signatures["serve_bytes"](image_bytes=np.array(images, object))
    for place, answer in enumerate(served[2].predict(images)):
        assert answer.keys() == {"classes", "scores"}
        classes = [tf.compat.as_text(label) for label in answer["classes"]]
        assert classes == expected["classes"][place].numpy().astype(str).tolist()
        np.testing.assert_allclose(answer["scores"], expected["scores"][place], rtol=1e-6)


def test_an_overloaded_server_is_asked_again(served, model):
    model.unavailable = 2
    assert len(served[2].predict([encode(picture(0), "PNG")])) == 1
    assert model.calls == 3


def test_gives_up_in_the_end(served, model):
    model.unavailable = 100
    with pytest.raises(ServerError, match=r"(?i)unavailable|503"):
        served[2].predict([encode(picture(0), "PNG")])
    assert model.calls == 4


def test_bad_images_are_refused(served):
    with pytest.raises(RefusedError, match="must have 1 to"):
        served[2].predict([with_size(encode(picture(0), "PNG"), 30_000, 30_000)])
