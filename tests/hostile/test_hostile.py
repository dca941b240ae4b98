"""Thousands of hostile inputs: each is answered or refused in one line, and harms nothing.

python -m pytest -n 0 -m slow -k hostile
"""

import contextlib
import functools
import itertools
import pathlib
import re
import socketserver
import threading
import time
import warnings

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from common.errors import ProgramError, SettingError
from common.trained import load_network
from export import client
from export.serving.clients import RestClient, ServerError
from export.serving.decoding import decode_images
from export.tasks import load_task
from pale_tf.weights import load_weights
from tests.export.encoding import encode, picture
from tests.hostile.checkpoints import make_checkpoints
from tests.hostile.images import make_images
from tests.hostile.replies import OBJECTS, ROW, make_replies
from tests.hostile.weights import make_archives, make_weights
from tests.training.small import make_trainer, small_network
from training.data.decoding import decode
from training.loop.checkpoints import Position, restore_newest, save
from training.predict import read_image

SEED = 20_261_125
GIGABYTE = 1e9


class Images:
    """Images on a server, in training and in predict.py."""

    refusal = ()

    def __init__(self, folder):
        self.make = make_images
        self.serve = tf.function(lambda encoded: decode_images(encoded, 32, 0.875))
        self.train = tf.function(decode)
        self.sound = tf.constant([encode(picture(0), "JPEG")])
        self.expected = self.serve(self.sound).numpy()
        self.train(self.sound[0])  # traces it

    def try_(self, content):
        served = None
        with contextlib.suppress(tf.errors.InvalidArgumentError):
            served = self.serve(tf.constant([content])).numpy()
            assert served.shape == (1, 32, 32, 3)
            assert -1 <= served.min() <= served.max() <= 256
        image, readable = self.train(tf.constant(content))
        assert image.shape[2] == 3
        assert not (served is not None and not readable), "a server reads what training does not"
        refused = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
        with contextlib.suppress(*refused):  # as `image_file` of predict.py
            read_image(content)
        return bool(readable)

    def check(self):
        np.testing.assert_array_equal(self.serve(self.sound), self.expected)


class Weights:
    """`.weights.h5` files for a network."""

    refusal = ValueError

    def __init__(self, folder):
        self.network = small_network()
        self.network.save_weights(folder / "good.weights.h5")
        self.path = folder / "hostile.weights.h5"
        self.good = folder / "good.weights.h5"

    def make(self, seed):
        return make_weights(seed, self.good.read_bytes())

    def try_(self, content):
        self.path.write_bytes(content)
        load_weights(self.network, self.path)
        return True

    def check(self):
        load_weights(self.network, self.good)
        assert all(np.isfinite(value).all() for value in self.network.get_weights())


class Archives:
    """`.keras` files in the place of a run's network."""

    refusal = SettingError

    def __init__(self, folder):
        self.network = small_network()
        self.good = folder / "good.keras"
        self.network.save(self.good)
        self.path = folder / "hostile.keras"
        self.folder = folder

    def make(self, seed):
        return make_archives(seed, self.good.read_bytes())

    def try_(self, content):
        self.path.write_bytes(content)
        load_network(self.path)
        return True

    def check(self):
        assert {path.name for path in self.folder.iterdir()} == {"good.keras", "hostile.keras"}
        assert not (self.folder.parent / "outside.txt").exists()
        loaded = load_network(self.good)
        for found, expected in zip(loaded.weights, self.network.weights, strict=True):
            np.testing.assert_array_equal(found, expected)


class Checkpoints:
    """A newest checkpoint that is not whole, beside one that is."""

    refusal = ()

    def __init__(self, folder):
        self.trainer = make_trainer()
        self.expected = self.trainer.network.get_weights()
        self.strategy = tf.distribute.get_strategy()
        self.folder = folder
        save(folder, self.trainer, Position(epoch=1, step=2), steps_per_epoch=5, keep=3)
        (self.good,) = folder.iterdir()
        self.hostile = folder / "step-00000009.npz"

    def make(self, seed):
        return make_checkpoints(seed, self.good.read_bytes())

    def try_(self, content):
        self.hostile.write_bytes(content)
        position, lines = restore_newest(self.folder, self.strategy, self.trainer)
        assert all(line.startswith("passed over step-00000009.npz") for line in lines)
        if lines:
            assert (position.epoch, position.step) == (1, 2)
            for found, expected in zip(self.trainer.network.weights, self.expected, strict=True):
                np.testing.assert_array_equal(found, expected)
        for path in self.folder.iterdir():
            if path != self.good:
                path.unlink()
        return not lines

    def check(self):
        position, lines = restore_newest(self.folder, self.strategy, self.trainer)
        assert (position.epoch, position.step, lines) == (1, 2, [])


class Replies:
    """Answers of a server to export/client.py, by REST."""

    refusal = ProgramError
    task, row = load_task("classify"), ROW

    def __init__(self, folder):
        self.make = functools.partial(make_replies, row=self.row)
        self.reply = b""
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                self.request.settimeout(5)
                with contextlib.suppress(OSError):
                    self.request.recv(2**16)
                    self.request.sendall(outer.reply)

        self.server = socketserver.ThreadingTCPServer(("localhost", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.host = f"localhost:{self.server.server_address[1]}"

    def try_(self, content):
        self.reply = content
        asked = RestClient(self.host, "digits", 5.0)
        (answer,) = asked.predict([b"image"])
        assert all(line.isprintable() for line in client.lines_of(answer, self.task))
        return True

    def check(self):
        with socketserver.socket.create_server(("localhost", 0)) as nobody:
            asked = RestClient(f"localhost:{nobody.getsockname()[1]}", "digits", 0.1)
            with pytest.raises(ServerError, match="Timeout"):
                asked.predict([b"image"])


class DetectorReplies(Replies):
    """Answers of a server of a detector, and the pictures that are drawn of them."""

    task, row = load_task("detect"), OBJECTS
    image = encode(picture(0), "PNG")

    def try_(self, content):
        taken = super().try_(content)
        (answer,) = RestClient(self.host, "digits", 5.0).predict([b"image"])
        with client.checked(answer):
            assert self.task.pictures(answer, self.image)
        return taken


KINDS = {
    Images: (80, 3400),
    Weights: (40, 700),
    Archives: (20, 200),
    Checkpoints: (30, 400),
    Replies: (15, 200),
    DetectorReplies: (15, 100),
}


def memory(name):
    """Memory of this process in bytes: `VmRSS` now, `VmHWM` at its peak."""
    (line,) = re.findall(rf"{name}:\s*(\d+) kB", pathlib.Path("/proc/self/status").read_text())
    return 1024 * int(line)


def run(kind, count, folder):
    """Tries hostile inputs; a line on how it went."""
    tried = kind(folder)
    pathlib.Path("/proc/self/clear_refs").write_text("5")  # the peak is that from here on
    before, slowest, taken = memory("VmRSS"), (0.0, ""), 0
    for name, content in itertools.islice(tried.make(SEED), count):
        start, message = time.perf_counter(), "a line"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                taken += tried.try_(content)
        except tried.refusal as error:
            message = str(error)
        except Exception as error:
            error.add_note(f"input: {name}")
            raise
        assert message.isprintable(), name
        slowest = max(slowest, (time.perf_counter() - start, name))
    tried.check()
    more = memory("VmHWM") - before
    assert more < GIGABYTE
    assert 0 < taken < count
    return (
        f"{kind.__name__.lower()}: {count} inputs, {taken} taken, {count - taken} refused; "
        f"memory +{more / 1e6:.0f} MB; slowest {slowest[0]:.2f} s ({slowest[1]})"
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__.lower())
def test_200_hostile_inputs(kind, tmp_path):
    run(kind, KINDS[kind][0], tmp_path)


@pytest.mark.slow
def test_5000_hostile_inputs(tmp_path, capsys):
    total = sum(count for _, count in KINDS.values())
    assert total == 5000
    start = time.monotonic()
    for kind, (_, count) in KINDS.items():
        folder = tmp_path / kind.__name__
        folder.mkdir()
        line = run(kind, count, folder)
        with capsys.disabled():
            print(line, flush=True)
    with capsys.disabled():
        print(f"{total} hostile inputs in {time.monotonic() - start:.0f} s")
