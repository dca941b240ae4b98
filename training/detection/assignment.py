"""Which object a box stands for, and which boxes are trained on."""

import tensorflow as tf

from pale_tf.boxes import areas, intersection_over_union

NEGATIVE, IGNORED = -1, -2  # in place of the index of an object


def assign(boxes, objects, real, crowds, positive, negative, least=None):
    """Says for each box which object it stands for (Ren et al. 2015, section 3.1.2).

    Args:
        boxes: float32 `[N, 4]`.
        objects: float32 `[G, 4]`, one at least.
        real: bool `[G]`; the others are filling.
        crowds: bool `[G]`: of a box that stands for no object, and of which half and more lies in a
            crowd, nobody knows whether it is one.
        positive: A box stands for the object that it overlaps most, from this intersection over
            union on.
        negative: It stands for none if it overlaps all of them by less.
        least: Every object also gets the boxes that overlap it as much as the best one does, if
            that is this much; of two such objects, the later one. None for no such rule.

    Returns:
        int32 `[N]`: an index of `objects`, `NEGATIVE`, or `IGNORED` for what lies between.
    """
    single = real & ~crowds
    overlaps = tf.where(single[:, None], intersection_over_union(objects, boxes), -1.0)  # [G, N]
    best = tf.reduce_max(overlaps, axis=0)
    nearest = tf.argmax(overlaps, axis=0, output_type=tf.int32)
    found = tf.where(best >= positive, nearest, tf.where(best < negative, NEGATIVE, IGNORED))
    if least is not None:
        most = tf.reduce_max(overlaps, axis=1, keepdims=True)
        chosen = (overlaps == most) & (most >= least) & (most > 0)
        last = tf.reduce_max(tf.where(chosen, tf.range(tf.shape(objects)[0])[:, None], -1), axis=0)
        found = tf.where(last >= 0, last, found)
    inside = tf.reduce_max(
        tf.where((real & crowds)[:, None], _share_inside(boxes, objects), 0.0), axis=0
    )
    return tf.where((found == NEGATIVE) & (inside >= 0.5), IGNORED, found)


def sample(assigned, count, share, seed):
    """Draws boxes to train on: at most a share of positive ones, and negative ones for the rest.

    Args:
        assigned: int32 `[N]`, as `assign` returns it.
        count: Boxes to draw.
        share: Share of positive ones, at most.
        seed: Integer tensor `[2]`.

    Returns:
        Indices of boxes, int32 `[count]`, and whether there is one, bool `[count]`; positive ones
        come first.
    """
    keys = tf.random.stateless_uniform(tf.shape(assigned), seed)
    positive = assigned >= 0
    most = round(count * share)
    ranked = tf.math.top_k(
        tf.pad(tf.where(positive, keys, -1.0), [[0, most]], constant_values=-1.0), most
    )
    positive &= keys >= tf.maximum(ranked.values[-1], 0.0)
    order = tf.where(positive, 1.0 + keys, tf.where(assigned == NEGATIVE, keys, -1.0))
    drawn = tf.math.top_k(tf.pad(order, [[0, count]], constant_values=-1.0), count)
    there = drawn.values >= 0
    return tf.where(there, drawn.indices, 0), there


def _share_inside(boxes, regions):
    """The share of each box inside of each region: `[G, N]`."""
    low = tf.maximum(boxes[None, :, :2], regions[:, None, :2])
    high = tf.minimum(boxes[None, :, 2:], regions[:, None, 2:])
    both = tf.reduce_prod(tf.nn.relu(high - low), axis=-1)
    return tf.math.divide_no_nan(both, areas(boxes)[None])
