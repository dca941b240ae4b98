"""Settings of TensorFlow to be made before it is imported."""

import logging
import os


def use_cpu():
    """Hides all GPUs from TensorFlow. Call it before TensorFlow is imported."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"


def quiet_tensorflow():
    """Silences TensorFlow's C++ log, which reports harmless things as errors on every machine.

    Real errors still come as Python exceptions. `TF_CPP_MIN_LOG_LEVEL=0` brings the log back. Call
    it before TensorFlow is imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # deprecations, inside libraries
