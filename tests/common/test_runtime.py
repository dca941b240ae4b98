"""How TensorFlow is imported, in processes of their own."""

import os
import subprocess
import sys

import pytest

from common import runtime
from tests.conftest import ROOT


def start(code, **environment):
    """The finished process of some code; variables that are None are unset."""
    environment = {**os.environ, **environment}
    environment = {name: value for name, value in environment.items() if value is not None}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)


def test_the_cpu_alone_is_seen(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    runtime.use_cpu()
    code = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    assert start(code).stdout == "0\n"


RESTARTED = """
import os, sys
from common import runtime
print(os.getpid(), sys.flags.safe_path, sys.argv[1:], os.environ.get("GLIBC_TUNABLES"), flush=True)
runtime.keep_memory()
"""


def test_a_program_restarts_once_to_keep_memory(tmp_path):
    """The same process, interpreter, flags and arguments."""
    program = tmp_path / "program.py"
    program.write_text(RESTARTED)
    environment = {k: v for k, v in os.environ.items() if k != "GLIBC_TUNABLES"}
    environment["PYTHONPATH"] = str(ROOT)
    command = [sys.executable, "-P", program, "--out", "a b"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    lines = process.communicate()[0].splitlines()
    assert process.returncode == 0
    same = f"{process.pid} True ['--out', 'a b']"
    assert lines == [f"{same} None", f"{same} {runtime.TUNABLES}"]


@pytest.mark.parametrize("libc", [ValueError, AttributeError, None])
def test_nothing_restarts_without_glibc(libc, monkeypatch):
    def confstr(name):
        if libc:
            raise libc
        return None

    monkeypatch.setattr(os, "confstr", confstr)
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    monkeypatch.setattr(os, "execve", pytest.fail)
    runtime.keep_memory()


def test_the_import_is_silent():
    code = "from common import runtime; runtime.import_tensorflow(); print('still here')"
    done = start(code, TF_CPP_MIN_LOG_LEVEL=None)
    assert (done.stdout, done.stderr, done.returncode) == ("still here\n", "", 0)


NOWHERE = """
import tempfile
tempfile._candidate_tempdir_list = lambda: ["/nowhere"]
from common import cli, runtime
with cli.Parser("A program.").stopping():
    runtime.import_tensorflow()
"""


def test_no_room_for_temporary_files_is_one_line():
    done = start(NOWHERE, TF_CPP_MIN_LOG_LEVEL=None)
    assert done.returncode == 4
    assert done.stderr.startswith("-c: error: cannot go on: [Errno 2] No usable temporary")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("level", [None, "3"])
def test_a_failing_import_says_why(level, tmp_path):
    (tmp_path / "tensorflow.py").write_text("import sys\nsys.exit('broken')\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    code += "from common import runtime; runtime.import_tensorflow()"
    done = start(code, TF_CPP_MIN_LOG_LEVEL=level)
    assert (done.stderr, done.returncode) == ("broken\n", 1)


def test_missing_dependencies_are_one_line():
    code = "import sys; sys.modules['tensorflow.python'] = None\n"
    code += "from common import runtime; runtime.import_tensorflow()"
    done = start(code)
    assert done.returncode == 2
    assert done.stderr.endswith(": install the dependencies, pip install -e '.[all]'\n")
    assert len(done.stderr.splitlines()) == 1
