"""TFLite's metadata: libraries for phones read labels and normalization from it.

The layout is that of metadata_schema.fbs (TensorFlow Lite Support): a flat buffer with the mark
M001 inside the model, and the files that it names in a ZIP archive at the end of the model's file.
"""

import io
import json
import zipfile

import flatbuffers

from common.errors import SettingError

NAME = "TFLITE_METADATA"
ABOUT = "about.json"  # ours
MARK = b"M001"
OLDEST_PARSER = "1.0.0"

# Numbers of the schema's enumerations and unions.
AXIS_LABELS = 2  # AssociatedFileType
RGB = 1  # ColorSpaceType
IMAGE_PROPERTIES = 2  # ContentProperties
NORMALIZATION = 1  # ProcessUnitOptions


def make_metadata(name, description, size, outputs):
    """Makes the metadata of a network of images.

    Args:
        name: Of the model.
        description: Of the model.
        size: Height and width of the images, in pixels.
        outputs: Names of the outputs, in their order, each mapped to the file that names the
            entries of its last axis, or to None.

    Returns:
        Bytes.
    """
    builder = flatbuffers.Builder()
    image = _image_tensor(builder, size)
    tensors = [_output_tensor(builder, *output) for output in outputs.items()]
    graph = _table(
        builder,
        10,
        {2: _vector(builder, [image]), 3: _vector(builder, tensors)},
    )
    model = _table(
        builder,
        8,
        {
            0: builder.CreateString(name),
            1: builder.CreateString(description),
            3: _vector(builder, [graph]),
            7: builder.CreateString(OLDEST_PARSER),
        },
    )
    builder.Finish(model, MARK)
    return bytes(builder.Output())


def pack(files, about):
    """The ZIP archive to be put behind a model.

    Args:
        files: Dict of texts by file name.
        about: Dict for this project's own programs, see `read_about`.

    Returns:
        Bytes.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, text in {**files, ABOUT: json.dumps(about)}.items():
            file.writestr(name, text)
    return archive.getvalue()


def read_about(file):
    """Reads back the archive behind a model.

    Returns:
        Dict: `task`, its name; `crop_fraction`, the part of an image's short side that evaluation
        crops; `dataset`, what the network was trained on, or None; and `files`, texts by name.

    Raises:
        SettingError: If there is no such archive.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            texts = {name: archive.read(name).decode() for name in archive.namelist()}
        # Until version 0.1 every network classified.
        return {"task": "classify", **json.loads(texts.pop(ABOUT)), "files": texts}
    except (OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile) as error:
        raise SettingError(f"{file} is not a file of export/tflite.py") from error


def _image_tensor(builder, size):
    """TensorMetadata of the input: RGB in 0..255, which the network normalizes itself."""
    extent = _table(builder, 2, {}, {0: size, 1: size})
    properties = _table(builder, 2, {1: extent}, {}, {0: RGB})
    content = _table(builder, 3, {1: properties}, {}, {0: IMAGE_PROPERTIES})
    options = _table(builder, 2, {0: _floats(builder, [0.0]), 1: _floats(builder, [1.0])})
    unit = _table(builder, 2, {1: options}, {}, {0: NORMALIZATION})
    stats = _table(builder, 2, {0: _floats(builder, [255.0]), 1: _floats(builder, [0.0])})
    fields = {
        0: builder.CreateString("image"),
        1: builder.CreateString("RGB image, values in 0..255"),
        3: content,
        4: _vector(builder, [unit]),
        5: stats,
    }
    return _table(builder, 7, fields)


def _output_tensor(builder, name, axis_file):
    """TensorMetadata of an output."""
    fields = {0: builder.CreateString(name)}
    if axis_file is not None:
        named = {
            0: builder.CreateString(axis_file),
            1: builder.CreateString("names of the entries of the last axis"),
        }
        file = _table(builder, 5, named, {}, {2: AXIS_LABELS})
        fields[6] = _vector(builder, [file])
    return _table(builder, 7, fields)


def _table(builder, slots, offsets, integers=(), bytes_=()):
    """Writes a table; fields by slot: what lies elsewhere, 32-bit integers, and bytes."""
    builder.StartObject(slots)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, number in dict(integers).items():
        builder.PrependUint32Slot(slot, number, 0)
    for slot, number in dict(bytes_).items():
        builder.PrependUint8Slot(slot, number, 0)
    return builder.EndObject()


def _vector(builder, offsets):
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _floats(builder, numbers):
    builder.StartVector(4, len(numbers), 4)
    for number in reversed(numbers):
        builder.PrependFloat32(number)
    return builder.EndVector()
