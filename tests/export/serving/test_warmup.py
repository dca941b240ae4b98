"""Warm-up requests: the server can replay them."""

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2


def test_warm_up_requests_replay(exported, loaded):
    path = exported[0] / "assets.extra" / "tf_serving_warmup_requests"
    assert path.stat().st_size < 10_000
    seen = []
    for record in tf.data.TFRecordDataset(str(path)):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        request = log.predict_log.request
        assert request.model_spec.name == "digits"
        signature = request.model_spec.signature_name
        inputs = {key: tf.constant(tf.make_ndarray(t)) for key, t in request.inputs.items()}
        outputs = loaded[signature](**inputs)
        (batch,) = {value.shape[0] for value in outputs.values()}
        seen.append((signature, batch))
    names = ("serving_default", "serve_bytes", "features")
    assert sorted(seen) == sorted((name, batch) for name in names for batch in (1, 2, 4, 6))
