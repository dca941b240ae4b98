"""Errors that end a program: their exit codes, and what else they are."""

import pytest

from common.cli import Parser
from common.errors import ProgramError, SettingError, WriteError


@pytest.mark.parametrize(("error", "code"), [(ProgramError, 1), (SettingError, 2), (WriteError, 4)])
def test_a_program_ends_with_one_line_and_the_code(capsys, error, code):
    with pytest.raises(SystemExit) as ended:
        Parser("Does nothing.").stop(error("it cannot\ngo on"))
    assert ended.value.code == code
    assert capsys.readouterr().err.endswith(": error: it cannot go on\n")


def test_a_setting_that_cannot_work_is_a_value_error():
    assert issubclass(SettingError, ValueError)
