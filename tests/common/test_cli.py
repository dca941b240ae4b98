"""Command lines: types of arguments, and errors of one line."""

import argparse
import os
import shlex
import subprocess
import sys

import pytest

from common import cli
from common.errors import SettingError
from tests.conftest import ROOT


@pytest.fixture
def parser():
    parser = cli.Parser("A program.")
    parser.add_argument("--count", type=cli.positive_int)
    return parser


def test_errors_are_one_line_and_an_exit_code(parser, capsys):
    with pytest.raises(SystemExit) as stopped:
        parser.parse_args(["--count", "0"])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.endswith("error: argument --count: must be an integer, 1 or more; got '0'\n")
    assert error.count("\n") == 1
    with pytest.raises(SystemExit) as stopped:
        parser.stop(SettingError("two\nlines"))
    assert stopped.value.code == 2
    assert capsys.readouterr().err.endswith("error: two lines\n")


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (SettingError("two\nlines"), 2, "two lines"),
        (OSError(28, "No space left on device", "/x"), 4, "cannot go on: [Errno 28] No space"),
    ],
)
def test_errors_end_a_program_in_one_line(parser, capsys, error, code, line):
    with pytest.raises(SystemExit) as stopped, parser.stopping():
        raise error
    assert stopped.value.code == code
    printed = capsys.readouterr().err
    assert f"error: {line}" in printed
    assert printed.count("\n") == 1


def test_numbers_that_are_too_large_are_told_the_largest():
    with pytest.raises(argparse.ArgumentTypeError, match=r"in 1\.\.2147483647; got '2147483648'"):
        cli.positive_int("2147483648")


def test_a_reader_that_has_seen_enough_is_no_error():
    code = "from common.cli import Parser\nwith Parser('A program.').stopping():\n"
    code += "    for line in range(100_000): print(line)"
    command = f"{sys.executable} -c {shlex.quote(code)} | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (cli.positive_int, "7", 7),
        (cli.natural_int, "0", 0),
        (cli.positive_float, "1e-3", 0.001),
        (cli.factor, "1", 1.0),
        (cli.seed, str(2**32 - 1), 2**32 - 1),
        (cli.port, "0", 0),
        (cli.positive_int, "0" * 30 + "7", 7),
        (cli.replicas, "64", 64),
    ],
)
def test_numbers(kind, text, value):
    assert kind(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (cli.positive_int, "0"),
        (cli.positive_int, "1.5"),
        (cli.natural_int, "-1"),
        (cli.positive_float, "0"),
        (cli.factor, "0"),
        (cli.factor, "1.01"),
        (cli.positive_float, "inf"),
        (cli.positive_float, "nan"),
        (cli.positive_float, "x"),
        (cli.seed, str(2**32)),
        (cli.port, "65536"),
        (cli.positive_int, "9" * 24),
        (cli.positive_int, "9" * 5000),  # Python itself refuses to read so many digits
        (cli.positive_int, str(2**31)),
        (cli.replicas, "100000"),
        (cli.replicas, "0"),
    ],
)
def test_other_numbers_are_refused(kind, text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be a"):
        kind(text)


def test_runs_and_weights(tmp_path):
    for take in (cli.run_folder, cli.existing_weights):
        with pytest.raises(argparse.ArgumentTypeError, match="there is no"):
            take(str(tmp_path))
    (tmp_path / "model.keras").touch()
    assert cli.existing_weights(str(tmp_path)) == tmp_path / "model.keras"
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "model.safetensors").write_text("")
    for path in (tmp_path / "checkpoint", tmp_path / "checkpoint" / "model.safetensors"):
        with pytest.raises(argparse.ArgumentTypeError, match=r"make a run of .* first: training/"):
            cli.existing_weights(str(path))
    assert cli.existing_weights(str(tmp_path / "model.keras")) == tmp_path / "model.keras"


def test_files_and_folders_that_can_be_written(parser, tmp_path, capsys):
    assert cli.new_file(str(tmp_path / "new.json")) == tmp_path / "new.json"
    for path in (tmp_path, tmp_path / "absent" / "new.json"):
        with pytest.raises(argparse.ArgumentTypeError, match="cannot write the file"):
            cli.new_file(str(path))
    cli.make_folder(parser, "--out", tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit):
        cli.make_folder(parser, "--out", tmp_path / "file" / "b")
    assert "argument --out: cannot make the folder" in capsys.readouterr().err


def test_names_that_are_not_text_can_be_printed():
    code = "from common.cli import Parser; Parser('A program.'); print('a\\udcff.png')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:strict"},
    )
    assert (done.stdout, done.stderr) == (b"a\\udcff.png\n", b"")


def test_printable_texts_cannot_steer_a_terminal():
    assert cli.printable("\x1b[31mred\u2028犬\n") == "?[31mred?犬?"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("share_attention=2", ("share_attention", 2)),
        ("keep_tokens=[1, 1, 0.7, 1]", ("keep_tokens", [1, 1, 0.7, 1])),
        ("token_scores=norm", ("token_scores", "norm")),
        ("a=b=c", ("a", "b=c")),
        ('attention_options={"pooling": 2}', ("attention_options", {"pooling": 2})),
    ],
)
def test_options_are_names_and_json(text, expected):
    assert cli.option(text) == expected


@pytest.mark.parametrize("value", ["[1, 1, 0.7", '{"pooling": 2', '"norm', "[one]"])
def test_options_that_are_neither_words_nor_json(value):
    expected = r"keep_tokens must be a word or JSON .*got"
    with pytest.raises(argparse.ArgumentTypeError, match=expected):
        cli.option(f"keep_tokens={value}")


@pytest.mark.parametrize("text", ["", "=2", "share_attention"])
def test_options_without_a_name_or_a_value(text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be NAME=VALUE"):
        cli.option(text)
