"""Pale Transformers on one GPU, on Keras' JAX backend, beside timm's Swin under torch.compile.

KERAS_BACKEND=jax python -m benchmarks.gpu --json gpu.json

Needs `keras` and `jax` for a GPU, and for the peers `torch` and `timm`; nothing else of this
project's dependencies but h5py. Every row is measured in a process of its own: training in mixed
bfloat16, and inference of the inference form in bfloat16, at each batch. Images are random and lie
on the device. Prints a line of JSON for each row: images/s of the median step, the share of the
peak that their multiply-accumulates are (a training step counts as three times the inference), and
the peak of the device's memory.
"""

import argparse
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from benchmarks import counts
from benchmarks.flags import make_parser
from benchmarks.paths import ROOT

# timm's Swin by its names, and the same networks by the names of `pale_tf.configs.NETWORKS`.
PEERS = {
    "swin_tiny_patch4_window7_224": "swin_t",
    "swin_small_patch4_window7_224": "swin_s",
    "swin_base_patch4_window7_224": "swin_b",
}
MODELS = tuple(itertools.chain(*zip(("pale_t", "pale_s", "pale_b"), PEERS, strict=True)))
MODES = ("training", "inference")
BATCHES = (64, 128, 256)
PEAK = 989e12  # floating-point operations a second of an H100 or H200 (SXM) in dense bfloat16
SHOWN = ("model", "mode", "batch", "images_per_second", "utilization", "memory", "device", "error")
SIZE, REPETITIONS = 224, 20
IN_FLIGHT = 5  # steps that are given to the device before the host waits: training and serving do


def main(argv=None):
    parser = make_parser("gpu", __doc__)
    add = parser.add_argument
    networks = [*counts.macs(), *PEERS]
    add("--models", nargs="+", choices=networks, default=MODELS, help="(default: T, S and B)")
    add("--modes", nargs="+", choices=MODES, default=MODES, help="(default: both)")
    add("--batches", nargs="+", type=int, default=BATCHES, help=f"(default: {BATCHES})")
    add("--peak", type=float, default=PEAK, help="FLOP/s of the device (default: %(default).3g)")
    add("--json", type=pathlib.Path, help="also write the rows to this file")
    add("--one", action="store_true", help=argparse.SUPPRESS)  # measure here, and one row alone
    flags = parser.parse_args(argv)
    if flags.one:
        print(json.dumps(measure(flags.models[0], flags.modes[0], flags.batches[0])))
        return
    rows = []
    for model in flags.models:
        for mode in flags.modes:
            for batch in flags.batches:
                rows.append(measure_apart(model, mode, batch, flags.peak))
                print(json.dumps({k: v for k, v in rows[-1].items() if k in SHOWN}), flush=True)
                if flags.json:
                    flags.json.write_text(json.dumps(rows, indent=2) + "\n")


def measure_apart(model, mode, batch, peak):
    """`measure` in a process of its own, and what follows from it; an error is a row as well."""
    row = {"model": model, "mode": mode, "batch": batch}
    command = [sys.executable, "-m", "benchmarks.gpu", "--one"]
    command += ["--models", model, "--modes", mode, "--batches", str(batch)]
    environment = {"KERAS_BACKEND": "jax", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"} | os.environ
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    if done.returncode != 0:  # out of memory, or no such package
        return row | {"error": (done.stderr.strip().splitlines() or ["?"])[-1]}
    row |= json.loads(done.stdout.splitlines()[-1])
    rate = batch / statistics.median(row["seconds"])
    work = (6 if mode == "training" else 2) * counts.macs()[PEERS.get(model, model)]
    return row | {"images_per_second": rate, "utilization": rate * work / peak}


def measure(model, mode, batch):
    """Seconds of a step in each repetition, and the device's peak of memory in bytes, or None."""
    from benchmarks.timing import origin  # not in the process that starts the rows

    make = torch_step if model in PEERS else keras_step
    step, wait, memory, device = make(model, mode, batch)
    seconds = []
    for repetition in range(-2, REPETITIONS):  # the first two compile, and warm up
        start = time.perf_counter()
        for _ in range(IN_FLIGHT):
            step()
        wait()
        if repetition >= 0:
            seconds.append((time.perf_counter() - start) / IN_FLIGHT)
    return {"seconds": seconds, "memory": memory(), "device": device, **origin()}


def keras_step(model, mode, batch):
    """A step of one of this project's networks, compiled by XLA, what waits for it, and what reads
    the peak of memory and the device's name."""
    import jax
    import keras
    import numpy as np

    from pale_tf import fuse, pale_network

    if mode == "training":
        keras.config.set_dtype_policy("mixed_bfloat16")
    keras.utils.set_random_seed(0)
    network = pale_network(model, input_shape=(SIZE, SIZE, 3))
    images = jax.device_put(np.random.default_rng(0).uniform(0, 255, (batch, SIZE, SIZE, 3)))
    images = images.astype("float32")
    device = jax.local_devices()[0]

    def memory():
        return (device.memory_stats() or {}).get("peak_bytes_in_use")

    if mode == "inference":
        network = fuse(network, dtype="bfloat16")
        weights = [v.value for v in network.trainable_variables]
        others = [v.value for v in network.non_trainable_variables]
        run = jax.jit(lambda w, o, x: network.stateless_call(w, o, x, training=False)[0])
        given = []

        def infer():
            given[:] = [run(weights, others, images)]

        return infer, lambda: jax.block_until_ready(given), memory, device.device_kind

    labels = jax.device_put(np.arange(batch) % 1000)
    optimizer = keras.optimizers.AdamW(1e-4, weight_decay=0.05)
    optimizer.build(network.trainable_variables)

    def loss(weights, others, x, y):
        scores, others = network.stateless_call(weights, others, x, training=True)
        return keras.losses.sparse_categorical_crossentropy(y, scores).mean(), others

    def update(weights, others, moments, x, y):
        (value, others), gradients = jax.value_and_grad(loss, has_aux=True)(weights, others, x, y)
        weights, moments = optimizer.stateless_apply(moments, gradients, weights)
        return value, weights, others, moments

    run = jax.jit(update, donate_argnums=(0, 1, 2))
    variables = (network.trainable_variables, network.non_trainable_variables, optimizer.variables)
    state = [[v.value for v in group] for group in variables]

    def train():
        _, *state[:] = run(*state, images, labels)

    return train, lambda: jax.block_until_ready(state), memory, device.device_kind


def torch_step(model, mode, batch):
    """`keras_step` of timm's Swin under torch.compile, with its maps in channels-last order."""
    import timm
    import torch

    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")  # TensorFloat-32 where autocast leaves float32
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = timm.create_model(model, drop_path_rate=0.2)
    network = network.to(device, memory_format=torch.channels_last)
    images = torch.rand(batch, 3, SIZE, SIZE, device=device)
    images = images.to(memory_format=torch.channels_last)
    wait, memory, name = (lambda: None), (lambda: None), "cpu"
    if device.type == "cuda":
        wait, memory = torch.cuda.synchronize, torch.cuda.max_memory_allocated
        name = torch.cuda.get_device_name()

    if mode == "inference":
        network, images = network.eval().to(torch.bfloat16), images.to(torch.bfloat16)
        compiled = torch.compile(network)

        def infer():
            with torch.inference_mode():
                compiled(images)

        return infer, wait, memory, name

    labels = torch.arange(batch, device=device) % 1000
    compiled = torch.compile(network.train())
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4, weight_decay=0.05, fused=True)

    def train():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16):
            loss = torch.nn.functional.cross_entropy(compiled(images), labels)
        loss.backward()
        optimizer.step()

    return train, wait, memory, name


if __name__ == "__main__":
    main()
