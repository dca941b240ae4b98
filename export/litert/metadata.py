"""TFLite's metadata: what libraries for phones read labels and normalisation from.

The layout is that of metadata_schema.fbs (TensorFlow Lite Support): a flat buffer with the mark
M001 inside the model, and the label file in a ZIP archive at the end of the model's file.
"""

import io
import json
import zipfile

import flatbuffers

NAME = "TFLITE_METADATA"
LABELS = "labels.txt"
ABOUT = "about.json"  # ours
MARK = b"M001"
OLDEST_PARSER = "1.0.0"

# Numbers of the schema's enumerations and unions.
AXIS_LABELS = 2  # AssociatedFileType
RGB = 1  # ColorSpaceType
IMAGE_PROPERTIES = 2  # ContentProperties
NORMALIZATION = 1  # ProcessUnitOptions


def make_metadata(name, description, size, outputs):
    """Makes the metadata of an image classifier.

    Args:
        name: Of the model.
        description: Of the model.
        size: Height and width of the images, in pixels.
        outputs: Names of the outputs, in their order; each has an entry per label.

    Returns:
        Bytes.
    """
    builder = flatbuffers.Builder()
    image = _image_tensor(builder, size)
    scores = [_score_tensor(builder, output) for output in outputs]
    graph = _table(
        builder,
        10,
        {2: _vector(builder, [image]), 3: _vector(builder, scores)},
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


def pack(labels, crop_fraction, dataset):
    """The ZIP archive to be put behind a model.

    Args:
        labels: Names of the classes.
        crop_fraction: In evaluation, the part of an image's short side that the central crop has.
        dataset: What it was trained on, or None.

    Returns:
        Bytes.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(LABELS, "".join(f"{label}\n" for label in labels))
        about = {"crop_fraction": crop_fraction, "dataset": dataset}
        file.writestr(ABOUT, json.dumps(about))
    return archive.getvalue()


def _image_tensor(builder, size):
    """TensorMetadata of the input: RGB in 0..255, which the network normalises itself."""
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


def _score_tensor(builder, name):
    """TensorMetadata of an output with an entry for each label."""
    fields = {0: builder.CreateString(LABELS), 1: builder.CreateString("names of the classes")}
    file = _table(builder, 5, fields, {}, {2: AXIS_LABELS})
    return _table(builder, 7, {0: builder.CreateString(name), 6: _vector(builder, [file])})


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
