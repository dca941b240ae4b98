"""Things that are registered by lying in a folder: recipes and tasks."""

import importlib
import pathlib


def module_names(package):
    """Names of the modules in a package's folder, sorted, without those that begin with `_`.

    Args:
        package: An imported package, such as `training.recipes`.
    """
    (folder,) = package.__path__
    return sorted(path.stem for path in pathlib.Path(folder).glob("[!_]*.py"))


def load_module(package, name):
    """Imports the module `name` of a package.

    Raises:
        ValueError: If there is no such module in the package's folder.
    """
    names = module_names(package)
    if name not in names:
        raise ValueError(f"must be one of {names}. Received: {name!r}")
    return importlib.import_module(f"{package.__name__}.{name}")
