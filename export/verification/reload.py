"""Runs an artifact in a process without this project and Keras: `export/verify.py` starts it.

python -P export/verification/reload.py ARTIFACT IMAGES.npy OUT.npz

IMAGES.npy holds images as `run` of running.py takes them. OUT.npz gets what it returns: the
outputs, and `report`, a JSON text.
"""

import json
import os
import pathlib
import runpy
import sys

import numpy as np

# Using an artifact must not need what makes it.
FOREIGN = ("pale_tf", "keras", "training", "common", "export")


def main():
    artifact, images, out = sys.argv[1:]
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # the bounds are those of exact float32
    sys.modules.update(dict.fromkeys(FOREIGN))  # importing one of them is an error from here on
    run = runpy.run_path(str(pathlib.Path(__file__).with_name("running.py")))["run"]
    outputs, report = run(artifact, np.load(images))
    np.savez(out, report=json.dumps(report), **outputs)


if __name__ == "__main__":
    main()
