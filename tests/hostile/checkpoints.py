"""Checkpoints that are damaged, or are of something else."""

import io

import numpy as np

from tests.hostile.bytes import DAMAGES


def with_objects(arrays, name):
    """An array that NumPy could only read by running a pickle."""
    return arrays | {name: np.array([{"x": 1}], object)}


def of_another_shape(arrays, name):
    return arrays | {name: np.zeros((2, 3, 4), "float32")}


def of_another_type(arrays, name):
    return arrays | {name: np.full(arrays[name].shape, "text")}


def without(arrays, name):
    return {other: value for other, value in arrays.items() if other != name}


def with_more(arrays, name):
    return arrays | {f"{name}x": arrays[name]}


def not_finite(arrays, name):
    return arrays | {name: np.full(arrays[name].shape, np.nan)}


def negative(arrays, name):
    return arrays | {"epoch": np.int64(-1), "step": np.int64(2**62)}


CHANGES = (with_objects, of_another_shape, of_another_type, without, with_more)
CHANGES += (not_finite, negative)


def make_checkpoints(seed, content):
    """Endless damaged checkpoints, made of the bytes of a whole one.

    Yields:
        A name, and bytes.
    """
    rng = np.random.default_rng(seed)
    with np.load(io.BytesIO(content)) as file:
        arrays = {name: file[name] for name in file.files}
    names = list(arrays)
    while True:
        for change in CHANGES:
            changed = io.BytesIO()
            np.savez(changed, **change(arrays, names[rng.integers(len(names))]))
            yield change.__name__, changed.getvalue()
        for damage in DAMAGES:
            yield damage.__name__, damage(content, rng)
