"""Errors that end a program: one line of text, and an exit code."""


class ProgramError(Exception):
    """A program cannot start or go on. The text is one line and names what is wrong."""

    exit_code = 1


class SettingError(ProgramError, ValueError):
    """A setting that cannot work with this data or on this machine. Its text names the setting."""

    exit_code = 2


class WriteError(ProgramError):
    """A file could not be written, for instance because the disk is full."""

    exit_code = 4
