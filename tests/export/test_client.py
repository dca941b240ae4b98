"""client.py against a server that speaks TF Serving's protocols over the exported SavedModel."""

import re
import shutil
import socket
import subprocess

import numpy as np
import pytest
from PIL import Image

from common.registry import module_names
from export import client, openvino, tasks
from export.serving.clients import RefusedError, ServerError
from tests.export.conftest import PROTOCOLS
from tests.export.encoding import encode, picture
from tests.export.server import FilesModel


def test_waits_until_the_model_is_loaded(served, model):
    model.loading = 2
    client.wait_until_ready(served[2], 10.0)
    assert model.loading == 0
    model.loading = 100
    with pytest.raises(ServerError, match="no version of digits is available yet"):
        client.wait_until_ready(served[2], 0.1)


def test_the_program_prints_labels_and_names_what_is_refused(served, model, tmp_path, capsys):
    paths = []
    for seed in range(5):
        paths.append(tmp_path / f"{seed}.jpg")
        paths[-1].write_bytes(b"nothing" if seed == 3 else encode(picture(seed), "JPEG"))
    flags = ["--protocol", served[0], "--host", served[1], "--model", "digits", "--batch", "2"]
    with pytest.raises(SystemExit) as stopped:
        client.main([*flags, *map(str, paths)])
    assert stopped.value.code == RefusedError.exit_code
    output = capsys.readouterr()
    printed = output.out.splitlines()
    assert len(printed) == 4 * 6
    image = (tmp_path / "0.jpg").read_bytes()
    expected = model.signatures["serve_bytes"](image_bytes=np.array([image], object))
    assert printed[0] == str(paths[0])
    score, label = printed[1].split()
    assert label == expected["classes"][0, 0].numpy().decode()
    # The program's request had two images: last bits, and with them digits, may differ.
    assert float(score.rstrip("%")) == pytest.approx(
        100 * expected["scores"][0, 0].numpy(), abs=0.02
    )
    (refused,) = output.err.splitlines()
    assert refused.startswith(str(paths[3]))
    assert "must be a JPEG or a PNG" in refused


def test_an_unknown_model_and_a_missing_server_are_one_line(served, tmp_path, capsys):
    path = tmp_path / "image.png"
    path.write_bytes(encode(picture(0), "PNG"))
    with socket.socket() as free:
        free.bind(("localhost", 0))
        nobody = f"localhost:{free.getsockname()[1]}"
    for host, name in ((served[1], "unknown"), (nobody, "digits")):
        flags = ["--protocol", served[0], "--host", host, "--model", name, "--wait", "0.1"]
        with pytest.raises(SystemExit) as stopped:
            client.main([*flags, str(path)])
        assert stopped.value.code == ServerError.exit_code
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert host in error


def test_the_help_names_every_task(capsys):
    with pytest.raises(SystemExit) as stopped:
        client.main(["--help"])
    assert stopped.value.code == 0
    printed = capsys.readouterr().out
    assert all(re.search(rf"\b{name}\b", printed) for name in module_names(tasks))


def test_an_unknown_task_is_one_line(tmp_path, capsys):
    path = tmp_path / "image.png"
    path.touch()
    with pytest.raises(SystemExit) as stopped:
        client.main(["--model", "digits", "--task", "paint", str(path)])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert "argument --task: must be one of ['classify'" in error
    assert error.count("\n") == 1


@pytest.fixture(scope="module")
def of_files(run, tmp_path_factory):
    """The digits network, exported for files behind OpenVINO Model Server."""
    models = tmp_path_factory.mktemp("openvino")
    openvino.main([str(run), "--out", str(models / "digits"), "--files"])
    return models / "digits" / "1"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_openvino_model_server_gives_the_same_answers(protocol, of_files, model, tmp_path, capsys):
    paths = [tmp_path / f"{seed}.png" for seed in range(3)]
    for seed, path in enumerate(paths):
        path.write_bytes(b"nothing" if seed == 1 else encode(picture(seed), "PNG"))
    printed = []
    for server in (model, FilesModel(of_files)):
        with PROTOCOLS[protocol][0](server) as host:
            flags = ["--protocol", protocol, "--host", host, "--model", "digits"]
            with pytest.raises(SystemExit) as stopped:
                client.main([*flags, *map(str, paths)])
        assert stopped.value.code == RefusedError.exit_code
        output = capsys.readouterr()
        assert output.err.startswith(str(paths[1]))
        printed.append(output.out.split())
    for expected, found in zip(*printed, strict=True):
        if expected.endswith("%"):
            assert float(found[:-1]) == pytest.approx(float(expected[:-1]), abs=0.02)
        else:
            assert found == expected


def check_server(*command, ports, path, capsys):
    """Starts a server of digits, and asks it by gRPC and by REST."""
    path.write_bytes(encode(picture(0), "PNG"))
    server = subprocess.Popen(command)
    try:
        for protocol, port in zip(("grpc", "rest"), ports, strict=True):
            host = f"localhost:{port}"
            flags = ["--protocol", protocol, "--host", host, "--model", "digits", "--wait", "60"]
            client.main([*flags, str(path)])
            assert len(capsys.readouterr().out.splitlines()) == 6
    finally:
        server.terminate()
        server.wait()


@pytest.mark.skipif(shutil.which("ovms") is None, reason="there is no OpenVINO Model Server")
def test_the_real_openvino_model_server(of_files, tmp_path, capsys):
    models = of_files.parents[1]
    config = (models / "config.json").read_text().replace("/models/", f"{models}/")
    (tmp_path / "config.json").write_text(config)
    check_server(
        "ovms",
        f"--config_path={tmp_path / 'config.json'}",
        *("--port=18502", "--rest_port=18503"),
        ports=(18502, 18503),
        path=tmp_path / "image.png",
        capsys=capsys,
    )


@pytest.mark.skipif(
    shutil.which("tensorflow_model_server") is None, reason="there is no TF Serving on the PATH"
)
def test_the_real_server(exported, capsys, tmp_path):
    models = exported[0].parents[1]
    config = (models / "models.config").read_text().replace("/models/", f"{models}/")
    (tmp_path / "models.config").write_text(config)
    check_server(
        *("tensorflow_model_server", "--port=18500", "--rest_api_port=18501"),
        f"--model_config_file={tmp_path / 'models.config'}",
        *("--enable_batching", f"--batching_parameters_file={models / 'batching_parameters.txt'}"),
        f"--monitoring_config_file={models / 'monitoring.config'}",
        ports=(18500, 18501),
        path=tmp_path / "image.png",
        capsys=capsys,
    )


@pytest.mark.parametrize(
    ("host", "grpc", "rest"),
    [
        ("localhost", "localhost:8500", "localhost:8501"),
        ("localhost:9", "localhost:9", "localhost:9"),
        ("::1", "[::1]:8500", "[::1]:8501"),
        ("[::1]", "[::1]:8500", "[::1]:8501"),
        ("[fe80::1]:9", "[fe80::1]:9", "[fe80::1]:9"),
    ],
)
def test_hosts_may_be_addresses_of_ipv6(host, grpc, rest):
    assert (client.with_port(host, "grpc"), client.with_port(host, "rest")) == (grpc, rest)


def test_images_in_0_to_1_are_warned_of(tmp_path, capsys):
    pixels = np.array([[0, 1], [1, 0]], "uint8")
    (tmp_path / "scaled.png").write_bytes(encode(Image.fromarray(pixels), "PNG"))
    (tmp_path / "good.png").write_bytes(encode(picture(0), "PNG"))
    (tmp_path / "none.png").write_bytes(b"nothing")
    client.warn_of_range(tmp_path / "scaled.png")
    warning = f"{tmp_path}/scaled.png: warning: no value is above 1, where 0..255 is expected\n"
    assert capsys.readouterr().err == warning
    for name in ("good", "none", "absent"):
        client.warn_of_range(tmp_path / f"{name}.png")
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("task", "names", "message"),
    [
        ("classify", ["a.png"], "argument --out: the task classify has no pictures"),
        (
            "segment",
            ["a.png", "b.png", "sub/a.jpg"],
            "argument IMAGE: names without their suffix must differ",
        ),
    ],
)
def test_pictures_that_cannot_be_are_one_line(tmp_path, capsys, task, names, message):
    paths = [tmp_path / name for name in names]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    flags = ["--model", "digits", "--task", task, "--out", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as stopped:
        client.main([*flags, *map(str, paths)])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
