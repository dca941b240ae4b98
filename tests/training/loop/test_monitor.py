"""The progress of a run, as it is shown and recorded."""

import csv
import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from training.loop.monitor import describe, take_history, write_history
from training.tasks import load_task


def test_tensorboard_has_steps_epochs_and_samples(make_run):
    folder, _ = make_run(1)
    values, images = {}, 0
    for path in (folder / "tensorboard").glob("events*"):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                if value.metadata.plugin_data.plugin_name == "images":
                    images += len(value.tensor.string_val) - 2  # width and height come first
                else:
                    values.setdefault(value.tag, {})[event.step] = float(
                        tf.make_ndarray(value.tensor)
                    )
    assert images == 16
    names = ("loss", "gradient_norm", "learning_rate", "images_per_second")
    for name in names:
        assert set(values[f"step/{name}"]) == {20}
    # Warm-up over half of the 38 steps, to 2e-3 times the batch's 64/64; then cosine.
    expected = 1e-3 * (1 + np.cos(np.pi * (19 - 19) / 19))
    assert values["step/learning_rate"][20] == pytest.approx(expected, rel=1e-5)
    rows = list(csv.DictReader((folder / "history.csv").open()))
    for name in ("loss", "val_accuracy", "val_ema_loss"):
        logged = [values[f"epoch/{name}"][step] for step in (19, 38)]
        assert logged == pytest.approx([float(row[name]) for row in rows], rel=1e-6)


def test_history_goes_on_after_the_epochs_that_count(tmp_path):
    path = tmp_path / "history.csv"
    assert take_history(path, 3) == []
    rows = [{"epoch": epoch, "loss": 1 / epoch} for epoch in (1, 2, 3)]
    write_history(path, rows)
    known = take_history(path, 2)
    assert [{name: float(row[name]) for name in row} for row in known] == rows[:2]
    write_history(path, [*known, {"epoch": 3, "loss": 0.25}])
    assert [float(row["loss"]) for row in take_history(path, 9)] == [1.0, 0.5, 0.25]


def test_a_history_may_begin_late_and_have_other_columns(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("epoch,loss\n\n4,1.0\n5,0.5\n6,0.25\n")
    rows = take_history(path, 5)
    assert [row["epoch"] for row in rows] == ["4", "5"]
    write_history(path, [*rows, {"epoch": 6, "loss": 0.2, "val_loss": 0.3}])
    assert take_history(path, 9) == [
        {"epoch": "4", "loss": "1.0"},
        {"epoch": "5", "loss": "0.5"},
        {"epoch": "6", "loss": "0.2", "val_loss": "0.3"},
    ]


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"\xff\xfe\0\x81", b"loss\n1.0\n", b"epoch,loss\n1,low\n", b"epoch,loss\n1,2,3\n"),
        *(b"epoch,loss\n1\n", b"epoch,loss\n1,\0\n", b"epoch,loss\nfirst,1.0\n"),
    ],
)
def test_a_damaged_history_is_put_aside(tmp_path, content, capsys):
    path = tmp_path / "history.csv"
    path.write_bytes(content)
    assert take_history(path, 3) == []
    assert (tmp_path / "history.csv.damaged").read_bytes() == content
    assert not path.exists()
    printed = capsys.readouterr().out
    assert printed.startswith("passed over history.csv, which is history.csv.damaged now: ")
    assert printed.count("\n") == 1


def test_a_row_in_words():
    row = {"epoch": 2, "loss": 0.5, "accuracy": 0.25, "val_accuracy": 0.125}
    assert describe(row, 9, load_task("classify")) == (
        "epoch 2/9  loss 0.5000  accuracy 0.2500  validation 0.1250"
    )
    row = {"epoch": 1, "loss": 0.5, "val_loss": 0.75, "val_ema_loss": 1.0}
    task = dataclasses.replace(load_task("classify"), score="loss", parts=("near", "far"))
    row |= {"far": 0.25}
    assert describe(row, 9, task) == (
        "epoch 1/9  loss 0.5000  far 0.2500  validation 0.7500  averaged 1.0000"
    )
