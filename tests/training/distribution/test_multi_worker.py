"""Two workers on this machine, each a process of its own."""

import json
import signal
import socket
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.training import coco_folder
from tests.training.mask_folder import write_folder
from tests.training.runs import checkpoints, last_state, start, wait_for
from training.distribution.multi_worker import adapt_keras

# A small fit.py, which then writes what this worker's weights are.
PROGRAM = """
import sys
import numpy as np
import training.loop.run
from tests.training import {program}
make = training.loop.run.make_trainer
def remember(*arguments, **options):
    global trainer
    trainer, report = make(*arguments, **options)
    return trainer, report
training.loop.run.make_trainer = remember
{program}.main(sys.argv[2:])
variables = [*trainer.network.trainable_variables, *trainer.averages]
np.savez(sys.argv[1], *[variable.numpy() for variable in variables])
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("localhost", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start_workers(folder, *arguments, program="small_fit"):
    """Starts two workers, whose weights go to `folder` in the end."""
    addresses = [f"localhost:{port}" for port in free_ports(2)]
    workers = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": addresses}, "task": task})
        command = [sys.executable, "-c", PROGRAM.format(program=program), folder / f"{index}.npz"]
        flags = ("--strategy", "multi_worker", *arguments)
        workers.append(start(*flags, command=command, TF_CONFIG=config))
    return workers


def finish(workers):
    """Waits for workers; returns what the chief and the other one printed."""
    outputs = [worker.communicate() for worker in workers]
    for worker, (_, errors) in zip(workers, outputs, strict=True):
        assert worker.returncode == 0, errors
    return [output for output, _ in outputs]


def assert_same_weights(folder):
    """Asserts that the two workers ended with the same weights."""
    with np.load(folder / "0.npz") as one, np.load(folder / "1.npz") as two:
        assert len(one.files) > 200
        for name in one.files:
            np.testing.assert_array_equal(one[name], two[name])


@pytest.mark.slow
def test_two_workers_end_with_the_same_weights_also_after_one_was_killed(
    make_run, data_dir, tmp_path
):
    out = tmp_path / "run"
    flags = ("--epochs", 2, "--seed", 3, "--data-dir", data_dir, "--out", out)
    flags = (*flags, "--checkpoint-every", 5)
    chief, other = start_workers(tmp_path, *flags)
    wait_for(lambda: checkpoints(out), chief)
    other.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    _, errors = chief.communicate(timeout=120)
    assert time.monotonic() - killed < 120
    assert chief.returncode == 5
    assert errors.splitlines()[-1].startswith("-c: error: another worker is gone; start all")
    other.communicate()

    outputs = finish(start_workers(tmp_path, *flags, "--resume"))
    assert "going on after" in outputs[0]
    assert outputs[1].endswith("worker 1 of 2; worker 0 shows the progress\n")  # and no more
    assert_same_weights(tmp_path)
    state = last_state(out)
    assert (state["epoch"], state["step"]) == (2, 0)
    accuracies = [
        json.loads((folder / "metrics.json").read_text())["test_accuracy"]
        for folder in (out, make_run(1)[0])
    ]
    assert abs(accuracies[0] - accuracies[1]) < 0.05  # 18 of 360 images
    assert json.loads((out / "config.json").read_text())["replicas"] == 2


@pytest.mark.slow
def test_two_workers_train_a_segmenter_in_parts_and_mixed_precision(tmp_path):
    flags = ("--dataset", f"masks:{write_folder(tmp_path / 'photographs')}", "--epochs", 2)
    flags += ("--accumulate", 2, "--precision", "mixed_float16", "--out", tmp_path / "run")
    outputs = finish(start_workers(tmp_path, *flags, program="small_segment_fit"))
    assert "3 classes of pixels" in outputs[0]
    assert_same_weights(tmp_path)


@pytest.mark.slow
def test_two_workers_train_a_detector(tmp_path):
    """On images of several shapes: each worker pads its own."""
    coco_folder.write_cvat(tmp_path / "photographs")
    flags = ("--dataset", f"coco:{tmp_path / 'photographs'}", "--out", tmp_path / "run")
    outputs = finish(start_workers(tmp_path, *flags, program="small_detect_fit"))
    assert "2 classes of objects with masks" in outputs[0]
    assert_same_weights(tmp_path)


def test_keras_still_has_what_the_adapter_leans_on():
    """If this fails, a release of Keras changed `fit`: look at keras#20585 and at the adapter."""
    from keras.src.backend.tensorflow import trainer

    adapt_keras()
    called = []
    replaced, trainer.reduce_per_replica = (
        trainer.reduce_per_replica,
        lambda values, *_, **__: (
            called.append(values) or replaced(values, tf.distribute.get_strategy(), "auto")
        ),
    )
    built = []
    try:

        class Model(keras.Model):
            def call(self, inputs):
                return inputs

            def _maybe_symbolic_build(self, iterator=None, data_batch=None):
                built.append(iterator)

            def train_step(self, data):
                return {"loss": tf.reduce_sum(data)}

        model = Model()
        model.compile()
        model.fit(tf.data.Dataset.from_tensors(tf.ones((2, 3))), verbose=0)
    finally:
        trainer.reduce_per_replica = replaced
    assert called  # the step's outputs go through the replaced function
    assert built  # and the building that fails goes through the overridden method
    assert keras.optimizers.AdamW._all_reduce_sum_gradients  # see training/loop/optimizer.py
