"""Detections of an artifact beside those of its network: which are the same, and how alike."""

import numpy as np

FIGURES = {"boxes": "box", "scores": "score", "masks": "mask"}  # by what differs
OVERLAP = 0.5  # intersection over union from which boxes can be those of the same object
NEAR = 1e-3  # of a score: how far above the lowest one a detection may come and go


def compare(found, expected, lowest):
    """Compares the detections in some images.

    Args:
        found: Dict of arrays of the artifact, as `pale_tf.pale_detector` gives them: `boxes`
            `[B, N, 4]`, `scores`, `classes` `[B, N]`, `count` `[B]`, maybe `masks` `[B, N, h, w]`.
        expected: The same of the network.
        lowest: Score that a detection of each image has to exceed, `[B]`.

    Returns:
        Dict. `objects`: how many detections the network has in all images. Of detections that
        `pairs` finds to be the same, the largest differences: `box`, of a side's place, in pixels;
        `score`; and `mask`, of a probability, if there are masks. They are None where there are no
        such detections. `matched`: the share of detections, of the artifact and of the network
        together, that have a partner; None if there are none. Those without one whose score is
        within `NEAR` of `lowest` do not count.
    """
    differences = {name: [] for name in FIGURES if name in found}
    partners = alone = 0
    for image, least in enumerate(lowest):
        sides = [_of_image(arrays, found.keys(), image) for arrays in (found, expected)]
        matched = pairs(*sides)
        partners += matched.size
        for side, places in zip(sides, matched.T, strict=True):
            scores = np.delete(side["scores"], places)
            alone += np.count_nonzero(~(scores < least + NEAR))
        for name, values in differences.items():
            one, other = (s[name][p] for s, p in zip(sides, matched.T, strict=True))
            values.append(abs(one - other).ravel())
    figures = {FIGURES[name]: np.concatenate(values) for name, values in differences.items()}
    return {
        "objects": int(expected["count"].sum()),
        "matched": float(partners / (partners + alone)) if partners + alone else None,
        **{name: float(values.max()) if len(values) else None for name, values in figures.items()},
    }


def pairs(found, expected):
    """Pairs of detections of an image that are the same: of one class, and at one place.

    Of all that could be pairs, the one that overlaps most comes first, then the next one of
    detections that have no partner yet, and so on.

    Args:
        found: Dict of arrays of `n` detections: `boxes` `[n, 4]`, and `classes` `[n]`.
        expected: The same of `m`.

    Returns:
        int `[P, 2]`: places in `found` and in `expected`.
    """
    alike = found["classes"][:, None] == expected["classes"]
    overlap = np.where(alike, overlaps(found["boxes"], expected["boxes"]), 0.0)
    order = np.argsort(-overlap, axis=None, kind="stable")
    rows, columns = np.unravel_index(order[: np.count_nonzero(overlap >= OVERLAP)], overlap.shape)
    chosen, used_rows, used_columns = [], set(), set()
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if row not in used_rows and column not in used_columns:
            chosen.append((row, column))
            used_rows.add(row)
            used_columns.add(column)
    return np.array(chosen, int).reshape(-1, 2)


def overlaps(boxes, others):
    """Intersection over union of boxes `[n, 4]` and `[m, 4]`: float64 `[n, m]`.

    Boxes count as half a pixel larger on each side: those that end at the edge of the image may
    have no area.
    """
    low, high = (boxes[:, None, part] for part in (slice(0, 2), slice(2, 4)))
    other_low, other_high = others[:, :2], others[:, 2:]
    both = np.minimum(high, other_high) - np.maximum(low, other_low) + 1.0
    both = np.prod(np.maximum(both, 0.0), axis=-1)
    areas, other_areas = (np.prod(b[:, 2:] - b[:, :2] + 1.0, axis=-1) for b in (boxes, others))
    return both / (areas[:, None] + other_areas - both)


def _of_image(arrays, names, image):
    """Some arrays of the detections of an image, float64, without what is after `count`."""
    count = arrays["count"][image]
    return {name: arrays[name][image, :count].astype("float64") for name in names - {"count"}}
