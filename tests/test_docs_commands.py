"""The commands of the documents have the arguments that their programs take."""

import importlib
import pathlib
import re
import shlex

import pytest

from common.cli import Parser

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = re.compile(r"(?:python|\.venv/bin/python) ((?:training|export)/[\w/]+)\.py(.*)")


def commands():
    """Name of the program, text of the arguments, and document of each command."""
    for document in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]):
        blocks = re.findall(r"```bash\n(.*?)```", document.read_text(), flags=re.DOTALL)
        for line in "\n".join(blocks).replace("\\\n", " ").splitlines():
            if found := PROGRAM.search(line):
                program, arguments = found.groups()
                if arguments.count("'") % 2:  # the end of a script in quotes
                    arguments = arguments.rstrip("'")
                yield pytest.param(program, arguments, id=f"{document.name}: {line.strip()[:60]}")


class ParsedError(Exception):
    """Ends a program after its arguments have been read."""


@pytest.fixture
def parse(monkeypatch):
    """Lets a program read its arguments, whatever their values: files need not exist."""
    read = Parser.parse_args

    def parse_only(parser, argv):
        for action in parser._actions:
            action.type = action.choices = None
        read(parser, argv)
        raise ParsedError

    monkeypatch.setattr(Parser, "parse_args", parse_only)

    def run(program, argv):
        importlib.import_module(program.replace("/", ".")).main(argv)

    return run


@pytest.mark.parametrize(("program", "arguments"), list(commands()))
def test_programs_take_the_arguments(parse, program, arguments):
    with pytest.raises(ParsedError):
        parse(program, shlex.split(arguments, comments=True))


def test_commands_of_all_programs_are_found():
    programs = {program for program, _ in (command.values for command in commands())}
    expected = {f"training/{name}" for name in ("fit", "evaluate", "predict", "prune", "convert")}
    expected |= {f"export/{name}" for name in ("saved_model", "tflite", "openvino", "verify")}
    assert expected <= programs


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tuned.tflite", "TUNED"], "required: --against"),
        (["tuned.tflite", "--against", "RUN", "--x"], "unrecognized arguments: --x"),
    ],
)
def test_missing_and_unknown_arguments_are_found(parse, capsys, arguments, message):
    with pytest.raises(SystemExit):
        parse("export/verify", arguments)
    assert message in capsys.readouterr().err
