"""Run by `tests.pale_tf.backends`: another script, with `predict` on OpenVINO in float32.

Without a hint, OpenVINO computes in bfloat16 on CPUs that can, and Keras gives none.
"""

import functools
import runpy
import sys

import openvino

openvino.compile_model = functools.partial(
    openvino.compile_model, config={"INFERENCE_PRECISION_HINT": "f32"}
)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
