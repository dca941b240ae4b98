"""Non-maximum suppression, exact and greedy, of boxes in the order of their scores."""

from keras import ops

from pale_tf.boxes import areas

TILE = 256  # boxes that are decided on together


def suppress(boxes, threshold, groups=None):
    """Which boxes stay: those that no box before them, which stays itself, overlaps too much.

    Tile by tile: boxes that stay of the tiles before suppress those of a tile at once. Within the
    tile, all others start as staying, and the greedy rule is applied to all of them until nothing
    changes. After `k` rounds, every box that depends on a chain of fewer than `k` others is right,
    so the end is the greedy result; there are far fewer rounds than boxes.

    Args:
        boxes: float32 `[B, N, 4]`, the best first.
        threshold: Largest intersection over union of two boxes that both stay.
        groups: int `[B, N]`; boxes of different groups do not suppress each other. None for one
            group.

    Returns:
        bool `[B, N]`.
    """
    count = ops.shape(boxes)[1]

    def decide(begin, staying):
        """Appends the next tile to what stays of the boxes before `begin`, float32."""
        before, tile = (
            (boxes[:, s], None if groups is None else groups[:, s])
            for s in (slice(begin), slice(begin, begin + TILE))
        )
        left = ops.ones_like(tile[0][..., 0])
        if not (isinstance(begin, int) and begin == 0):
            left = _unsuppressed(staying, _suppressing(before, tile, threshold))
        places = ops.arange(ops.shape(left)[1])
        earlier = ops.expand_dims(places, 1) < ops.expand_dims(places, 0)
        suppressing = ops.logical_and(_suppressing(tile, tile, threshold), earlier)

        def apply_rule(left, suppressing, staying, _):
            return left, suppressing, left * _unsuppressed(staying, suppressing), staying

        # All that it reads is a variable of the loop: on OpenVINO, a loop sees nothing else.
        *_, staying_too, _ = ops.while_loop(
            lambda left, suppressing, now, last: ops.any(now != last),
            apply_rule,
            apply_rule(left, suppressing, left, None),
        )
        return ops.concatenate([staying, staying_too], axis=1)

    staying = boxes[:, : count * 0, 0]
    if isinstance(count, int):
        for begin in range(0, count, TILE):
            staying = decide(begin, staying)
    else:
        _, staying = ops.while_loop(
            lambda begin, staying: begin < count,
            lambda begin, staying: (begin + TILE, decide(begin, staying)),
            (count * 0, staying),
        )
    return staying > 0


def _suppressing(boxes, others, threshold):
    """Whether each box suppresses each other box, pairs of boxes and groups: bool `[B, N, M]`."""
    (boxes, groups), (others, other_groups) = boxes, others
    x1, y1, x2, y2 = (ops.expand_dims(side, -1) for side in ops.unstack(boxes, 4, axis=-1))
    other_x1, other_y1, other_x2, other_y2 = (
        ops.expand_dims(side, -2) for side in ops.unstack(others, 4, axis=-1)
    )
    width = ops.relu(ops.minimum(x2, other_x2) - ops.maximum(x1, other_x1))
    height = ops.minimum(y2, other_y2) - ops.maximum(y1, other_y1)
    # both / (area + other_area - both) > threshold, without a division of N·M numbers
    least = ops.expand_dims(threshold * areas(boxes), -1)
    least = least + ops.expand_dims(threshold * areas(others), -2)
    found = width * height * (1 + threshold) > least
    if groups is not None:
        same = ops.equal(ops.expand_dims(groups, 2), ops.expand_dims(other_groups, 1))
        found = ops.logical_and(found, same)
    return found


def _unsuppressed(staying, suppressing):
    """1 for each box that none of those that stay suppresses: float32 `[B, M]`."""
    found = ops.matmul(ops.expand_dims(staying, 1), ops.cast(suppressing, "float32"))
    return ops.cast(ops.squeeze(found, 1) == 0, "float32")
