"""Examples in files: their order, their parts, and files that may not be read."""

import itertools
import os

import pytest
import tensorflow as tf

from training.data.files import contents, make_read, openable


@pytest.fixture
def read(tmp_path):
    """The `read` of 40 files, each of which holds its number."""
    for number in range(40):
        (tmp_path / f"{number}").write_text(str(number))
    splits = {"train": [(tmp_path / str(number), number) for number in range(40)]}
    return make_read(
        splits,
        row=lambda example: (openable(example[0]), example[1]),
        load=lambda path, number: (contents(path), number),
    )


def numbers(dataset):
    found = list(dataset.as_numpy_iterator())
    assert all(content == str(number).encode() for content, number in found)
    return [int(number) for _, number in found]


def test_a_seed_decides_the_order(read):
    assert numbers(read("train")) == list(range(40))
    orders = [numbers(read("train", seed=seed)) for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
    assert all(sorted(order) == list(range(40)) for order in orders)


@pytest.mark.parametrize("seed", [None, 3])
def test_parts_are_disjoint_and_whole(read, seed):
    parts = [numbers(read("train", seed=seed, shard=(index, 3))) for index in range(3)]
    assert [len(part) for part in parts] == [14, 13, 13]
    assert sorted(itertools.chain(*parts)) == list(range(40))


def test_what_may_not_be_read_is_empty(tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.write_bytes(b"content")
    assert openable(secret) == os.fsencode(secret)
    assert contents(tf.constant(openable(secret))).numpy() == b"content"
    assert openable(tmp_path / "absent") == b""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert openable(secret) == b""
    assert contents(tf.constant(b"")).numpy() == b""


def test_names_need_not_be_text(tmp_path):
    path = os.fsencode(tmp_path) + b"/\xff"
    with open(path, "wb") as file:
        file.write(b"content")
    assert openable(os.fsdecode(path)) == path
    assert contents(tf.constant(path)).numpy() == b"content"
