"""Metadata: read back by the slots of the schema."""

import zipfile

import flatbuffers.table
import numpy as np
import pytest
from ai_edge_litert.tools import flatbuffer_utils

from common.errors import SettingError
from export.litert.metadata import pack, read_about


def test_labels_and_normalization_are_in_the_file(make_file, run):
    path = make_file("float32")
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labels.txt").decode() == (run / "labels.txt").read_text()
    model = flatbuffer_utils.read_model(str(path))
    (entry,) = [entry for entry in model.metadata if entry.name == b"TFLITE_METADATA"]
    content = bytes(bytearray(model.buffers[entry.buffer].data))
    assert content[4:8] == b"M001"
    root = Table(content, int.from_bytes(content[:4], "little"))
    assert root.text(0) == "small"
    (graph,) = root.tables(3)
    (image,) = graph.tables(2)
    options = image.tables(4)[0].table(1)  # of the one process unit: normalization
    assert (options.floats(0), options.floats(1)) == ([0.0], [1.0])
    assert (image.table(5).floats(0), image.table(5).floats(1)) == ([255.0], [0.0])
    scores = graph.tables(3)
    assert [score.text(0) for score in scores] == ["logits", "probabilities"]
    assert all(score.tables(6)[0].text(0) == "labels.txt" for score in scores)


class Table:
    """A table of a flat buffer, read by the slots of metadata_schema.fbs."""

    def __init__(self, content, place):
        self.content, self.inner = content, flatbuffers.table.Table(content, place)

    def _at(self, slot):
        offset = self.inner.Offset(4 + 2 * slot)
        assert offset, f"slot {slot} is empty"
        return offset

    def text(self, slot):
        return self.inner.String(self.inner.Pos + self._at(slot)).decode()

    def table(self, slot):
        return Table(self.content, self.inner.Indirect(self.inner.Pos + self._at(slot)))

    def tables(self, slot):
        start, count = self.inner.Vector(self._at(slot)), self.inner.VectorLen(self._at(slot))
        places = range(start, start + 4 * count, 4)
        return [Table(self.content, self.inner.Indirect(place)) for place in places]

    def floats(self, slot):
        start, count = self.inner.Vector(self._at(slot)), self.inner.VectorLen(self._at(slot))
        return np.frombuffer(self.content, "<f4", count, start).tolist()


def test_reads_back_what_was_put_behind_a_model(make_file, run, tmp_path):
    labels = (run / "labels.txt").read_text()
    about = {"task": "classify", "crop_fraction": 1.0, "dataset": "digits"}
    assert read_about(make_file("float32")) == {**about, "files": {"labels.txt": labels}}
    path = tmp_path / "model.tflite"
    path.write_bytes(b"a model" + pack({}, {"dataset": None}))  # as before there were tasks
    assert read_about(path) == {"task": "classify", "dataset": None, "files": {}}
    path.write_bytes(b"a model")
    with pytest.raises(SettingError, match=r"is not a file of export/tflite\.py"):
        read_about(path)
