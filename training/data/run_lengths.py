"""Masks as run lengths: COCO's RLE, which says of any point whether it is inside.

Runs are lengths of pixels, column by column, outside and inside in turn, outside first. The flips
of an image are where the masks of its objects begin and end: `object · pixels + place`, int64,
sorted, with `pixels` those of the image and `place` counted column by column. Nothing has to be
drawn to look up a point, and an image of many objects takes no more than their outlines.
"""

import numpy as np
import tensorflow as tf


def runs_of(segmentation, height, width):
    """The runs of an annotation of COCO.

    Args:
        segmentation: A list of polygons, each a list `x1, y1, x2, y2, …`; or a dict of `size` and
            `counts`, which are runs, or COCO's text for them.
        height, width: Of the image, in pixels.

    Returns:
        int32 `[L]`, above 0 but for the first; their sum is `height * width`.

    Raises:
        ValueError: If it is none of these, of another size, or empty.
    """
    from pycocotools import mask as coco  # takes a moment, and few need it

    if isinstance(segmentation, dict):
        size, counts = segmentation.get("size"), segmentation.get("counts")
        if size != [height, width]:
            raise ValueError("a mask of another size than its image")
        if isinstance(counts, str):
            runs = _runs_in_text(counts.encode("latin-1", "replace"))
        elif isinstance(counts, list) and all(type(count) is int for count in counts):
            # Numbers that fit into no image stay such, and fit into 64 bits.
            runs = np.array([min(max(count, -1), 2**32) for count in counts], "int64")
        else:
            raise ValueError("a mask whose counts are neither integers nor text")
    elif isinstance(segmentation, list) and all(map(_is_polygon, segmentation)):
        polygons = [polygon for polygon in segmentation if len(polygon) >= 6]
        if not polygons:
            raise ValueError("a mask without a polygon of three corners")
        runs = _runs_in_text(coco.merge(coco.frPyObjects(polygons, height, width))["counts"])
    else:
        raise ValueError("a mask that is neither polygons nor runs")
    if not len(runs) or (runs < 0).any() or runs.sum() != height * width:
        raise ValueError("a mask of runs that do not add up to the pixels of its image")
    if not runs[1::2].any():
        raise ValueError("a mask without pixels")
    return _without_empty(runs).astype("int32")


def _is_polygon(value):
    return (
        isinstance(value, list)
        and len(value) % 2 == 0
        and all(isinstance(x, int | float) and abs(x) < 2**24 for x in value)
    )


def _runs_in_text(text):
    """The runs in COCO's text, bytes: five bits a character, the lowest first; a sixth says that
    there are more. From the fourth on, a run is a difference from the last but one."""
    codes = np.frombuffer(text, "uint8").astype("int64") - 48
    if not len(codes) or codes.min() < 0 or codes.max() > 63 or codes[-1] & 32:
        raise ValueError("a mask whose counts are no text of COCO")
    last = codes & 32 == 0
    ends = np.flatnonzero(last)
    starts = np.append(0, ends[:-1] + 1)
    place = np.arange(len(codes)) - np.repeat(starts, ends - starts + 1)
    if place.max() > 6:  # more than 32 bits
        raise ValueError("a mask whose counts are no text of COCO")
    runs = np.add.reduceat((codes & 31) << (5 * place), starts)
    runs -= np.where(codes[ends] & 16, 1 << (5 * (place[ends] + 1)), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


def _without_empty(runs):
    """The same runs, none of which but the first is 0."""
    ends = np.cumsum(runs)
    inside = np.arange(len(runs)) % 2 == 1
    real = runs > 0
    ends, inside = ends[real], inside[real]
    differs = np.append(inside[1:] != inside[:-1], True)  # the last one of equals has their end
    ends, first = ends[differs], inside[0]
    return np.diff(np.concatenate([[0, 0] if first else [0], ends]))


def flips_of_runs(runs, pixels):
    """The flips of an image.

    Args:
        runs: Of all objects, one after the other, as `runs_of` returns them: int32 `[L]`.
        pixels: Of the image, int64.

    Returns:
        int64 `[F]`.
    """
    ends = tf.cumsum(tf.cast(runs, tf.int64))
    return tf.boolean_mask(ends, (runs == 0) | (ends % pixels != 0))


def flips_of_instances(instances, count):
    """The flips of an image whose pixels are numbers of objects.

    Args:
        instances: Integers `[h, w]`: 0, or 1 more than the index of an object.
        count: Objects.

    Returns:
        int64 `[F]`.
    """
    flat = tf.cast(tf.reshape(tf.transpose(instances), [-1]), tf.int64)
    pixels = tf.size(flat, tf.int64)
    before = tf.concat([tf.zeros(1, tf.int64), flat[:-1]], axis=0)
    places = tf.range(pixels)
    flips = [
        tf.boolean_mask((number - 1) * pixels + places, (flat != before) & (number > 0))
        for number in (before, flat)
    ]
    flips = tf.sort(tf.concat(flips, axis=0))
    return tf.boolean_mask(flips, flips < tf.cast(count, tf.int64) * pixels)


def is_inside(flips, pixels, objects, places):
    """Whether pixels are inside of the masks of an image.

    Args:
        flips: int64 `[F]`; more of them may follow, larger than all of the image's.
        pixels: Of the image, int64.
        objects: Indices, int64 `[P]`.
        places: Of the pixels, column by column, int64 `[P, N]`.

    Returns:
        bool `[P, N]`.
    """
    first = tf.cast(objects, tf.int64)[:, None] * pixels
    asked = tf.concat([first - 1, first + places], axis=1)
    passed = tf.searchsorted(flips, tf.reshape(asked, [-1]), side="right")
    passed = tf.reshape(passed, tf.shape(asked))
    return (passed[:, 1:] - passed[:, :1]) % 2 == 1


def encoded_masks(flips, count, height, width):
    """The masks of an image in COCO's encoding, a list of dicts of `size` and `counts`.

    Args:
        flips: As in `is_inside`, an array.
        count: Objects.
        height, width: Of the image, in pixels.
    """
    from pycocotools import mask as coco

    pixels, encoded = int(height) * int(width), []
    for bounds in np.arange(count)[:, None] * pixels + [0, pixels]:
        first, last = np.searchsorted(flips, bounds)
        ends = np.append(flips[first:last] - bounds[0], pixels)
        runs = np.diff(ends, prepend=0).tolist()
        rle = {"size": [int(height), int(width)], "counts": runs}
        encoded.append(coco.frPyObjects(rle, int(height), int(width)))
    return encoded
