"""Errors that end a run: exit codes that tell them apart, as documented."""

import re

import pytest

from common.errors import ProgramError, SettingError, WriteError
from tests.conftest import ROOT
from training import errors

ERRORS = [
    SettingError,
    WriteError,
    *(
        value
        for value in vars(errors).values()
        if isinstance(value, type) and value is not ProgramError
    ),
]


def test_exit_codes_tell_errors_apart():
    assert len(ERRORS) == 8
    codes = [error.exit_code for error in ERRORS]
    assert len(set(codes)) == len(codes)
    assert not {0, 1} & set(codes)  # success, and Python's own for an exception


@pytest.mark.parametrize("error", ERRORS)
def test_exit_codes_are_documented(error):
    text = (ROOT / "docs" / "training.md").read_text()
    assert re.search(rf"^\| {error.exit_code} \|", text, re.MULTILINE)
