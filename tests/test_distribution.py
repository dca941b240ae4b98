"""The wheel and the source distribution, and what docs/backends.md says to install."""

import configparser
import email
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import zipfile

import pytest

from tests.conftest import ROOT

BACKENDS = {"TensorFlow": "tensorflow", "JAX": "jax", "PyTorch": "torch", "OpenVINO": "openvino"}


def run(*command, **options):
    """Runs a command that must succeed, away from the repository; gives what it prints."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment |= {"JAX_PLATFORMS": "cpu", **options.pop("environment", {})}
    done = subprocess.run(
        [str(part) for part in command],
        **{"capture_output": True, "text": True, "env": environment, **options},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tracked(*paths):
    """The files that Git knows, by their paths from the root."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a clone")
    return run("git", "ls-files", "-z", *paths, cwd=ROOT).strip("\0").split("\0")


def configuration():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def commands(backend):
    """The commands with which docs/backends.md installs for a backend."""
    text = (ROOT / "docs" / "backends.md").read_text()
    block = re.search(rf"^\*\*{backend}.*?```bash\n(.*?)```", text, re.DOTALL | re.MULTILINE)
    return [shlex.split(line) for line in block.group(1).replace("\\\n", "").splitlines()]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Built from a copy of the tracked files: the source distribution, and the wheel from it; and a
    wheel from the files themselves."""
    copy = tmp_path_factory.mktemp("copy")
    for path in tracked():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, copy / path)
    run(sys.executable, "-m", "build", "--outdir", "from_sdist", cwd=copy)
    run(sys.executable, "-m", "build", "--wheel", "--outdir", "from_files", cwd=copy)
    (sdist,) = copy.glob("from_sdist/*.tar.gz")
    (wheel,) = copy.glob("from_sdist/*.whl")
    (direct,) = copy.glob("from_files/*.whl")
    return sdist, wheel, direct


@pytest.mark.slow
def test_the_wheel_has_the_package_and_nothing_else(built):
    _, wheel, direct = built
    with zipfile.ZipFile(wheel) as opened, zipfile.ZipFile(direct) as other:
        names = opened.namelist()
        assert sorted(names) == sorted(other.namelist())
        assert all(opened.read(name) == other.read(name) for name in names)
        info = next(name for name in names if name.endswith("/METADATA")).partition("/")[0]
        metadata = email.message_from_bytes(opened.read(f"{info}/METADATA"))
        assert opened.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    assert {name for name in names if not name.startswith(info)} == set(tracked("pale_tf"))
    version = re.search(r'__version__ = "(.+)"', (ROOT / "pale_tf/__init__.py").read_text())[1]
    assert info == f"pale_tf-{version}.dist-info"
    assert metadata["Version"] == version
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload(decode=True).decode() == (ROOT / "README.md").read_text()
    extras = configuration()["options.extras_require"]
    assert set(metadata.get_all("Provides-Extra")) == set(extras)


@pytest.mark.slow
def test_the_source_distribution_has_what_the_wheel_is_made_of(built):
    with tarfile.open(built[0]) as opened:
        names = {name.partition("/")[2] for name in opened.getnames() if "egg-info" not in name}
    more = {"CHANGELOG.md", "CITATION.cff", "LICENSE", "MANIFEST.in", "README.md"}
    more |= {"PKG-INFO", "pyproject.toml", "setup.cfg"}
    folders = {name for name in names if (ROOT / name).is_dir()}
    assert names - folders == more | set(tracked("pale_tf"))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["TensorFlow", "JAX", "OpenVINO"])
def test_the_wheel_works_where_the_documented_commands_install_it(built, backend, tmp_path):
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    for command in commands(backend):
        assert command[0] == "pip"
        parts = [built[1] if part == "." else part for part in command[1:]]
        run(python, "-m", "pip", "-q", "--no-cache-dir", *parts, cwd=tmp_path)
    others = set(BACKENDS.values()) - {BACKENDS[backend]}
    installed = run(python, "-m", "pip", "list", "--format=freeze").lower()
    assert not [name for name in others if f"\n{name}==" in f"\n{installed}"]
    assert str(tmp_path / "venv") in use(python, backend, tmp_path)


def use(python, backend, folder, **environment):
    """Runs `tests/distribution_use.py` without the other backends; gives what it prints."""
    shutil.copy(ROOT / "tests" / "distribution_use.py", folder)
    checkpoint = "swin_of_transformers"
    shutil.copytree(ROOT / "tests" / "data" / checkpoint, folder / checkpoint)
    others = sorted(set(BACKENDS.values()) - {BACKENDS[backend]})
    environment["KERAS_BACKEND"] = BACKENDS[backend]
    return run(python, "distribution_use.py", *others, cwd=folder, environment=environment)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_backend_needs_no_other_one(backend, tmp_path):
    """In this environment, where the others are installed, and hidden."""
    if importlib.util.find_spec(BACKENDS[backend]) is None:
        pytest.skip(f"no {backend}")
    assert str(ROOT) in use(sys.executable, backend, tmp_path, PYTHONPATH=str(ROOT))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_documented_commands_have_the_versions_of_the_package(backend):
    settings = configuration()
    required = settings["options"]["install_requires"].split()
    *installed, last = commands(backend)
    if backend == "TensorFlow":
        assert (installed, last) == ([], ["pip", "install", "."])
        return
    assert last == ["pip", "install", "--no-deps", "."]
    assert installed[0][:2] == ["pip", "install"]
    extras = " ".join(settings["options.extras_require"].values()).replace("[cpu]", "").split()
    (own,) = {name for name in extras if re.match(rf"{BACKENDS[backend]}\W", name)}
    named = {name for name in required if not name.startswith("tensorflow")} | {own}
    named |= {"scipy"} if backend == "OpenVINO" else set()  # Keras imports it there, undeclared
    assert sorted(installed[0][2:]) == sorted(named)
