"""The layout that docs/architecture.md promises: where tests are, and which way imports point."""

import ast

import pytest

from tests.conftest import ROOT

PACKAGES = ("pale_tf", "common", "training", "export", "benchmarks")
MODULES = sorted(
    path.relative_to(ROOT)
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if path.name != "__init__.py" and "node_modules" not in path.parts
)

# A module imports of its own row, and of the rows above.
LAYERS = (
    ("pale_tf.sizes", "pale_tf.names", "pale_tf.checks", "pale_tf.ranges", "pale_tf.tokens"),
    (
        "pale_tf.partition",
        "pale_tf.windows",
        "pale_tf.interpolation",
        "pale_tf.pooling",
        "pale_tf.selection",
    ),
    ("pale_tf.boxes",),
    ("pale_tf.anchors", "pale_tf.suppression"),
    ("pale_tf.layers",),
    ("pale_tf.configs", "pale_tf.config_checks"),
    ("pale_tf.hdf5", "pale_tf.weights"),
    ("pale_tf.backbone",),
    ("pale_tf.decoders",),
    (
        "pale_tf.models",
        "pale_tf.segmenter",
        "pale_tf.detector",
        "pale_tf.fuse",
        "pale_tf.decay",
        "pale_tf.prune",
    ),
    ("pale_tf.checkpoints", "pale_tf.checkpoint_names"),
    ("pale_tf.checkpoint_configs",),
    ("pale_tf.pretrained",),
    ("pale_tf.rematerialization", "pale_tf.visualize", "pale_tf"),
    ("common",),
    ("training.recipe", "training.recipes", "training.settings", "training.errors"),
    ("training.flags",),
    ("training.pictures", "training.datasets", "training.distribution.cluster"),
    ("training.data", "training.distribution", "training.teachers"),
    ("training.detection",),
    ("training.reports",),
    ("training.tasks",),
    ("training.loop",),
    ("training", "export"),
    ("benchmarks",),
)


def imports(path):
    """Names of the project's modules that a file imports."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            is_package = (ROOT / node.module.replace(".", "/")).is_dir()
            for alias in node.names if is_package else ():
                file = ROOT / node.module.replace(".", "/") / f"{alias.name}.py"
                if file.exists() or file.with_suffix("").is_dir():
                    yield f"{node.module}.{alias.name}"
                else:
                    yield node.module
            if not is_package:
                yield node.module


def row(module):
    """Index of the row of `LAYERS` that names a module, or the package nearest to it."""
    found = [
        (len(name), index)
        for index, names in enumerate(LAYERS)
        for name in names
        if module == name or module.startswith(f"{name}.")
    ]
    return max(found)[1]


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_a_module_has_its_test_by_its_path(path):
    if path.parts[:2] == ("training", "recipes"):  # data: test_recipe.py loads every one
        return
    assert (ROOT / "tests" / path.with_name(f"test_{path.name}")).is_file()


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_imports_point_one_way(path):
    module = ".".join(path.with_suffix("").parts)
    for name in imports(path):
        if name.split(".")[0] not in PACKAGES:
            continue
        assert row(name) <= row(module), name
        if path.parts[0] in ("training", "export"):
            assert name.split(".")[0] in ("pale_tf", "common", path.parts[0]), name


def test_only_programs_that_are_run_as_files_change_the_path():
    found = {str(path) for path in MODULES if "sys.path" in (ROOT / path).read_text()}
    assert {path for path in found if "reload" not in path} == {
        *("training/fit.py", "training/evaluate.py", "training/predict.py", "training/convert.py"),
        "training/prune.py",
        *("export/saved_model.py", "export/openvino.py", "export/tflite.py"),
        *("export/verify.py", "export/client.py"),
        "export/web/serve.py",
    }
