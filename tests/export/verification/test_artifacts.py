"""Size and precision of artifacts, read from their files."""

import openvino
import pytest
from openvino import opset13

from common.errors import SettingError
from export.verification.artifacts import describe, operation_names, read_lite
from export.verification.running import OPENVINO_PRECISION


def test_describes_a_saved_model(exported):
    files = [path for path in exported[0].rglob("*") if path.is_file()]
    total = sum(path.stat().st_size for path in files)
    assert describe(exported[0]) == {"size": 32, "precision": "float32", "bytes": total}


@pytest.mark.parametrize(
    "precision", ["float32", "int8", pytest.param("dynamic", marks=pytest.mark.slow)]
)
def test_describes_a_lite_file(make_file, precision):
    file = make_file(precision)
    expected = {"size": 32, "batch": 1, "precision": precision, "bytes": file.stat().st_size}
    assert describe(file) == expected
    assert "FULLY_CONNECTED" in operation_names(read_lite(file))


def test_anything_else_is_one_error(tmp_path):
    file = tmp_path / "x.tflite"
    for path, content in (
        (file, b"nothing at all"),
        (tmp_path / "y" / "saved_model.pb", b"\7no"),
        (tmp_path / "z" / "model.xml", b"<net>"),
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        with pytest.raises(SettingError, match="is not an artifact of this project"):
            describe(file if path == file else path.parent)


@pytest.mark.parametrize(
    ("precision", "inputs", "reason"),
    [
        ("int4", 1, "unknown precision, 'int4'"),
        ("float32", 2, "."),
        (None, 1, "."),
    ],
)
def test_openvino_models_of_others_are_one_error(precision, inputs, reason, tmp_path):
    parameters = [opset13.parameter([1, 2, 2, 3]) for _ in range(inputs)]
    model = openvino.Model([opset13.relu(parameter) for parameter in parameters], parameters)
    if precision:
        model.set_rt_info(precision, OPENVINO_PRECISION)
    openvino.save_model(model, str(tmp_path / "model.xml"))
    with pytest.raises(SettingError, match=f"is not an artifact of this project: .*{reason}") as e:
        describe(tmp_path)
    assert "\n" not in str(e.value)
