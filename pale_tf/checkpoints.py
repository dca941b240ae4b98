"""Checkpoints as `save_pretrained` and the Hub have them: safetensors and JSON, no code."""

import json
import pathlib
import typing

import ml_dtypes  # lets NumPy know bfloat16; Keras depends on it
import numpy as np
import safetensors

CONFIG = "config.json"
PREPROCESSOR = "preprocessor_config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"  # of weights that are split over several files
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")


class Checkpoint(typing.NamedTuple):
    """A checkpoint, but for its tensors: see `read_tensors`.

    Attributes:
        path: Where it is, a `pathlib.Path`.
        files: Its safetensors files, `pathlib.Path`s.
        config: Contents of `config.json`, a dict.
        preprocessor: Contents of `preprocessor_config.json`, a dict; empty if there is none.
    """

    path: pathlib.Path
    files: list
    config: dict
    preprocessor: dict


def read_checkpoint(path):
    """Reads what a checkpoint says of itself, and finds its tensors.

    Args:
        path: A folder with `model.safetensors`, or with several such files and their index; or a
            safetensors file. `config.json` lies beside it.

    Returns:
        A `Checkpoint`.

    Raises:
        ValueError: If there is none, if it is a pickle, which can run code when it is read, or if a
            JSON file is damaged.
    """
    path = pathlib.Path(path)
    folder = path if path.is_dir() else path.parent
    files = _weights_files(path)
    config = _read_json(folder / CONFIG)
    preprocessor = folder / PREPROCESSOR
    preprocessor = _read_json(preprocessor) if preprocessor.exists() else {}
    return Checkpoint(path, files, config, preprocessor)


def read_tensors(checkpoint):
    """Reads the tensors of a checkpoint.

    Args:
        checkpoint: A `Checkpoint`.

    Returns:
        Dict of NumPy arrays by name; floats of 16 bits as float32.

    Raises:
        ValueError: If a file is damaged, or two files have a tensor of the same name.
    """
    tensors = {}
    for file in checkpoint.files:
        found = _read_tensors(file)
        if twice := sorted(tensors.keys() & found.keys()):
            raise ValueError(f"`path`: two files of {checkpoint.path} have {twice[0]}")
        tensors |= found
    return tensors


def _weights_files(path):
    """The safetensors files of a checkpoint."""
    if path.is_dir():
        if (path / WEIGHTS).is_file():
            return [path / WEIGHTS]
        if (path / INDEX).is_file():
            return _indexed_files(path)
        pickles = sorted(file.name for file in path.iterdir() if file.suffix in PICKLES)
        found = f"which has only the pickle {pickles[0]}" if pickles else "which has none"
        _refuse(path, f"a folder with {WEIGHTS}", found, pickles)
    if not path.is_file():
        _refuse(path, "an existing folder or .safetensors file", "which does not exist")
    if path.suffix != ".safetensors":
        is_pickle = path.suffix in PICKLES
        found = "a pickle" if is_pickle else "another kind of file"
        _refuse(path, "a folder or a .safetensors file", found, is_pickle)
    return [path]


def _indexed_files(folder):
    """The files that an index names, all of them in its own folder."""
    index = _read_json(folder / INDEX).get("weight_map")
    names = [*index.values()] if isinstance(index, dict) else []
    are_names = all(isinstance(name, str) and pathlib.Path(name).name == name for name in names)
    are_names = are_names and not {"", ".."} & set(names)
    if not names or not are_names:
        raise ValueError(f"`path`: {folder / INDEX} does not list files of its folder")
    names = sorted(set(names))
    for name in names:
        if pathlib.Path(name).suffix != ".safetensors" or not (folder / name).is_file():
            _refuse(folder, f"a folder with the safetensors files of its {INDEX}", f"no {name}")
    return [folder / name for name in names]


def _refuse(path, expected, found, is_pickle=False):
    """Raises a `ValueError` about `path`."""
    hint = ""
    if is_pickle:
        hint = (
            ". A pickle can run code when it is read; load it where you trust it, and save it by "
            "`save_pretrained`, which writes safetensors"
        )
    raise ValueError(f"`path` must be {expected}. Received: {str(path)!r}, {found}{hint}")


def _read_json(path):
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"`path` must have a {path.name} beside its weights: no {path}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"`path`: cannot read {path}: {error}") from error
    if not isinstance(contents, dict):
        raise ValueError(f"`path`: {path} must be a JSON object. Received: {type(contents)}")
    return contents


def _read_tensors(path):
    """The tensors of a safetensors file, by name."""
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    # A dtype that NumPy does not know, of 8 or 4 bits, is a TypeError or an AttributeError.
    except (safetensors.SafetensorError, OSError, TypeError, AttributeError) as error:
        raise ValueError(
            f"`path`: cannot read {path} as a safetensors file: {' '.join(str(error).split())}"
        ) from error
    return {name: _widened(value) for name, value in tensors.items()}


def _widened(value):
    """float32 for floats of 16 bits; other tensors as they are."""
    return value.astype("float32") if value.dtype in (np.float16, ml_dtypes.bfloat16) else value
