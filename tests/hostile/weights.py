"""Weights files that somebody might share: `.weights.h5` and `.keras`, damaged and made to harm."""

import io
import json
import zipfile

import h5py
import numpy as np

from pale_tf.hdf5 import FLOOR, MEMBER
from tests.hostile.bytes import DAMAGES

ELSEWHERE = "/etc/passwd"


def _datasets(file):
    """Names of all data sets in an `h5py.File`."""
    names = []
    file.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
    return names


def external_storage(group, name, rng):
    group.create_dataset(name, (16,), "float32", external=[(ELSEWHERE, 0, 64)])


def external_link(group, name, rng):
    group[name] = h5py.ExternalLink(ELSEWHERE, "/")


def soft_link(group, name, rng):
    group[name] = h5py.SoftLink(("/", "/layers", "/nowhere", name)[rng.integers(4)])


def virtual(group, name, rng):
    layout = h5py.VirtualLayout((16,), "float32")
    layout[...] = h5py.VirtualSource(ELSEWHERE, "x", (16,))
    group.create_virtual_dataset(name, layout)


def bomb(group, name, rng):
    shape = (FLOOR // 4 + 1,)
    group.create_dataset(name, shape, "float32", chunks=shape, compression="gzip")


def other_type(group, name, rng):
    values = (np.full(16, b"text"), np.array("text", h5py.string_dtype()), np.ones(4, "complex64"))
    group[name] = values[rng.integers(3)]


def other_shape(group, name, rng):
    group[name] = np.ones(tuple(rng.integers(0, 5, rng.integers(0, 6))), "float32")


def not_finite(group, name, rng):
    group[name] = np.full((16,), (np.nan, np.inf)[rng.integers(2)], "float32")


def nothing(group, name, rng):
    """The data set is missing."""


def a_group(group, name, rng):
    group.create_group(name)


CHANGES = (external_storage, external_link, soft_link, virtual, bomb, other_type, other_shape)
CHANGES += (not_finite, nothing, a_group)


def changed(content, change, rng):
    """An HDF5 file with another one in place of one of its data sets."""
    file = io.BytesIO(content)
    with h5py.File(file, "r+") as opened:
        names = _datasets(opened)
        parent, name = names[rng.integers(len(names))].rsplit("/", 1)
        del opened[parent][name]
        change(opened[parent], name, rng)
    return file.getvalue()


def make_weights(seed, content):
    """Endless hostile `.weights.h5` files, made of the bytes of a whole one.

    Yields:
        A name, and bytes.
    """
    rng = np.random.default_rng(seed)
    while True:
        for change in CHANGES:
            yield change.__name__, changed(content, change, rng)
        for damage in DAMAGES:
            yield damage.__name__, damage(content, rng)


# Parts of a network's configuration that someone could make harmful.
TEXTS = (
    ("PatchEmbedding", "Lambda"),
    ("pale_tf", "os"),
    ("pale_tf>", "builtins>"),
    ('"class_name": "', '"class_name": "__import__'),
    ('"module": "', '"module": "subprocess.'),
    ("stage1", "../../stage1"),
    ("8", "99999999"),
    ("null", "NaN"),
    ("{", "["),
)


def make_archives(seed, content):
    """Endless hostile `.keras` files, made of the bytes of a whole one.

    Yields:
        A name, and bytes.
    """
    rng = np.random.default_rng(seed)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}

    def packed(parts, compression=zipfile.ZIP_STORED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", compression) as archive:
            for name, part in parts.items():
                archive.writestr(name, part)
        return file.getvalue()

    def with_text(old, new):
        text = parts["config.json"].decode()
        places = text.count(old)
        place = rng.integers(places) if places else 0
        before = old.join(text.split(old)[: place + 1])
        return packed(parts | {"config.json": f"{before}{new}{text[len(before) + len(old) :]}"})

    weights = make_weights(seed, parts[MEMBER])
    while True:
        for name, changed in (next(weights) for _ in range(len(CHANGES))):
            yield f"{name} inside", packed(parts | {MEMBER: changed})
        for old, new in TEXTS:
            yield f"{old} to {new}", with_text(old, new)
        for damage in DAMAGES:
            yield damage.__name__, damage(content, rng)
            damaged = damage(parts["config.json"], rng)
            yield f"{damage.__name__} configuration", packed(parts | {"config.json": damaged})
        for missing in parts:
            rest = {name: part for name, part in parts.items() if name != missing}
            yield f"no {missing}", packed(rest)
        bomb = json.dumps({"x": "0" * 2**27})
        yield "zip bomb", packed(parts | {"config.json": bomb}, zipfile.ZIP_DEFLATED)
        yield "outside", packed(parts | {"../outside.txt": b"x", "/tmp/outside.txt": b"x"})
