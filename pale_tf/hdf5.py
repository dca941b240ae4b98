"""Opens the weights in files of strangers: reads nothing outside the file, and unpacks no bomb.

HDF5 can link to other files, keep the bytes of a data set in other files, and declare far more than
it stores. `keras.saving` refuses that where it reads itself; `pale_tf.weights` reads HDF5 too.
"""

import contextlib
import zipfile

import h5py

MEMBER = "model.weights.h5"  # of a `.keras` archive

# What unpacks to more than so many bytes must store at least one in EXPANSION of them. Weights
# hardly compress, and Keras does not try.
FLOOR = 2**26
EXPANSION = 100


class NotWeightsError(ValueError):
    """A file has no weights of Keras 3, or none that are safe to read."""


@contextlib.contextmanager
def open_weights(path):
    """Opens the HDF5 file at `path`, or the one inside the `.keras` archive at `path`, for reading.

    Args:
        path: A `pathlib.Path`.

    Raises:
        NotWeightsError: If it is no such file or a damaged one, if it refers to anything outside
            itself, or if it unpacks to far more than it stores. Damage may show only in reading.
    """
    try:
        with contextlib.ExitStack() as stack:
            file = path
            if path.suffix == ".keras":
                archive = stack.enter_context(zipfile.ZipFile(path))
                _check_archive(archive)
                file = stack.enter_context(archive.open(MEMBER))
            opened = stack.enter_context(h5py.File(file, "r"))
            _check_hdf5(opened)
            yield opened
    # h5py raises RuntimeError for some damage and TypeError for tensors of text; zipfile raises
    # RuntimeError for what is encrypted.
    except (OSError, KeyError, RuntimeError, TypeError, zipfile.BadZipFile) as error:
        raise NotWeightsError(f"not a whole weights file of Keras 3: {error}") from error


def _check_archive(archive):
    """Raises an `OSError` if a member of a `zipfile.ZipFile` unpacks to far more than it stores."""
    for member in archive.infolist():
        _check_expansion(member.filename, member.file_size, member.compress_size)


def _check_hdf5(file):
    """Raises an `OSError` if an `h5py.File` refers outside itself, or declares what it lacks."""
    _check_links(file)

    def visit(name, item):  # each object once, even where links go around in a circle
        if isinstance(item, h5py.Group):
            _check_links(item)
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise OSError(f"{name} is stored in another file")
            _check_expansion(name, item.nbytes, item.id.get_storage_size())

    file.visititems(visit)


def _check_links(group):
    for name in group:
        kind = group.get(name, getclass=True, getlink=True)
        if kind is not h5py.HardLink:
            raise OSError(f"{name} is a link of the kind {getattr(kind, '__name__', kind)}")


def _check_expansion(name, size, stored):
    if size > FLOOR and size > EXPANSION * stored:
        raise OSError(f"{name} unpacks from {stored:,} bytes to {size:,}")
