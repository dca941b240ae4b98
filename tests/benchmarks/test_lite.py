"""The benchmark of LiteRT files, on a network of one operation."""

import json

import tensorflow as tf

from benchmarks import lite


def test_measures_every_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "300")

    def double(images):
        return {"scores": 2.0 * images}

    files = []
    for size in (4, 8):
        spec = tf.TensorSpec((1, size, size, 3), name="images")
        function = tf.function(double, input_signature=[spec]).get_concrete_function()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function], None)
        files.append(tmp_path / f"{size}.tflite")
        files[-1].write_bytes(converter.convert())
    path = tmp_path / "times.json"
    lite.main([*map(str, files), "--repetitions", "3", "--json", str(path)])
    times = json.loads(path.read_text())["milliseconds"]
    assert [len(times[str(file)]) for file in files] == [3, 3]
    assert "8.tflite" in capsys.readouterr().out
