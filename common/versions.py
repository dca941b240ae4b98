"""Versions of what made a result."""

import contextlib
import importlib.metadata
import platform


def installed_versions(*packages):
    """Versions of Python, of `pale_tf` and of some packages.

    Args:
        *packages: Names of distributions.

    Returns:
        Dict of texts by name; a package that is not installed is left out. `pale_tf` itself may be
        used from a clone that is not installed.
    """
    import pale_tf  # with Keras, whose import says more than a program needs to, if it comes first

    versions = {"python": platform.python_version(), "pale_tf": pale_tf.__version__}
    for name in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
