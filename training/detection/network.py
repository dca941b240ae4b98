"""A detector as it is trained: from images and objects to losses."""

import keras
import tensorflow as tf
from keras import ops

from pale_tf import names
from pale_tf.anchors import anchors
from pale_tf.boxes import areas
from pale_tf.decoders import masks as mask_decoder
from pale_tf.decoders import roi
from pale_tf.decoders.roi_align import RoIAlign
from pale_tf.decoders.rpn import Proposals
from pale_tf.detector import STRIDE
from training.detection.assignment import IGNORED, assign, sample
from training.detection.losses import box_losses, mask_loss, proposal_losses
from training.detection.masks import SIDE, mask_targets

# What is trained takes, beside the image: of each object, and of an image.
OBJECT_INPUTS = ("boxes", "labels", "crowds")
IMAGE_INPUTS = ("size", "seed", "flips", "mask_size", "to_mask")  # the last three are for masks
LOSSES = ("objectness", "anchors", "classes", "boxes", "masks")
ANCHORS = 256  # that are drawn of an image
POSITIVE_ANCHORS, POSITIVE_REGIONS = 0.5, 0.25  # of what is drawn, at most


def training_network(network, classes, regions=512):
    """Builds what trains the layers of a detector.

    Args:
        network: A `pale_tf.pale_detector`.
        classes: Its number of classes.
        regions: RoIs that are drawn of an image, a quarter of them positive at most.

    Returns:
        A `keras.Model` from a dict to a dict of losses, float32 `[B]` each. The dict has an `image`
        and what `training.detection.transforms` calls targets, of one object at least: labels of -1
        are none.
    """
    proposals = network.get_layer(names.PROPOSALS)
    _, *maps = proposals.input
    logits, differences = maps[: len(maps) // 2], maps[len(maps) // 2 :]
    fine = network.get_layer(names.BOX_ALIGN).input[1:]
    objects = {
        "boxes": keras.Input((None, 4), name="boxes"),
        "labels": keras.Input((None,), dtype="int32", name="labels"),
        "crowds": keras.Input((None,), dtype="bool", name="crowds"),
        "size": keras.Input((2,), dtype="int32", name="size"),
        "seed": keras.Input((2,), dtype="int32", name="seed"),
        "flips": keras.Input((None,), dtype="int64", name="flips"),
        "mask_size": keras.Input((2,), dtype="int32", name="mask_size"),
        "to_mask": keras.Input((4,), name="to_mask"),
    }
    found = Proposals(1000, 2000, strides=proposals.strides, name="training_proposals")(
        [ops.cast(objects["size"], "float32"), logits, differences]
    )
    losses = ProposalLosses(proposals.strides, name="proposal_losses")(
        [logits, differences, objects]
    )
    drawn = RegionSamples(classes, regions, name="region_samples")([found, objects])
    align = RoIAlign(roi.BINS, name="training_box_align")
    scores, changes = network.get_layer(names.BOX_HEAD)(align([drawn["rois"], *fine]))
    losses |= BoxLosses(name="box_losses")([scores, changes, drawn])
    if any(layer.name == names.MASK_HEAD for layer in network.layers):
        positive = Positive(round(regions * POSITIVE_REGIONS), name="positive")(drawn)
        align = RoIAlign(mask_decoder.BINS, name="training_mask_align")
        masks = network.get_layer(names.MASK_HEAD)(align([positive["rois"], *fine]))
        losses |= MaskLoss(name="mask_loss")([masks, positive, objects])
    return TrainedDetector(network, {"image": network.inputs[0], **objects}, losses)


class TrainedDetector(keras.Model):
    """A detector as it is trained, which remembers the one as it is used.

    Attributes:
        detector: The `pale_tf.pale_detector`, on the same weights.
    """

    def __init__(self, detector, inputs, outputs):
        super().__init__(inputs, outputs, name=detector.name)
        self._detector = lambda: detector  # Keras would make it a layer of this network

    @property
    def detector(self):
        return self._detector()


class _Float32(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs, dtype="float32", autocast=False)


class ProposalLosses(_Float32):
    """`objectness` and `anchors`, see `losses.proposal_losses`."""

    def __init__(self, strides, **kwargs):
        super().__init__(**kwargs)
        self.strides = strides

    def call(self, inputs):
        logits, differences, objects = inputs
        placed = tf.concat(
            [
                anchors(tf.shape(x)[1], tf.shape(x)[2], stride)
                for x, stride in zip(logits, self.strides, strict=True)
            ],
            axis=0,
        )
        batch = tf.shape(objects["boxes"])[0]
        logits = [tf.reshape(tf.cast(x, tf.float32), (batch, -1)) for x in logits]
        differences = [tf.reshape(tf.cast(x, tf.float32), (batch, -1, 4)) for x in differences]

        def draw(inputs):
            boxes, labels, crowds, seed, size = inputs
            assigned = assign(placed, boxes, labels >= 0, crowds, 0.7, 0.3, 0.3)
            # In a batch of several shapes, much of an image may be padding, where there is nothing.
            own = -(-size // STRIDE) * STRIDE  # what it would be padded to by itself
            middles = 0.5 * (placed[:, :2] + placed[:, 2:])
            inside = tf.reduce_all(middles < tf.cast(own[::-1], tf.float32), axis=1)
            assigned = tf.where(inside, assigned, IGNORED)
            return assigned, *sample(assigned, ANCHORS, POSITIVE_ANCHORS, seed)

        assigned, drawn, there = tf.map_fn(
            draw,
            tuple(objects[name] for name in ("boxes", "labels", "crowds", "seed", "size")),
            fn_output_signature=(tf.int32, tf.int32, tf.bool),
        )
        entropy, off = proposal_losses(
            tf.concat(logits, 1),
            tf.concat(differences, 1),
            placed,
            objects["boxes"],
            assigned,
            drawn,
            there,
        )
        return {"objectness": entropy, "anchors": off}

    def compute_output_spec(self, inputs):
        batch = inputs[2]["boxes"].shape[0]
        return {name: keras.KerasTensor((batch,)) for name in ("objectness", "anchors")}


class RegionSamples(_Float32):
    """RoIs to train on, of proposals and the objects' own boxes, the positive ones first."""

    def __init__(self, classes, count, **kwargs):
        super().__init__(**kwargs)
        self.classes = classes
        self.count = count

    def call(self, inputs):
        proposals, objects = inputs

        def draw(inputs):
            proposed, boxes, labels, crowds, seed = inputs
            single = (labels >= 0) & ~crowds
            known = tf.where(single[:, None], boxes, 0.0)
            rois = tf.concat([known, proposed], 0)
            assigned = assign(rois, boxes, labels >= 0, crowds, 0.5, 0.5)
            assigned = tf.where(areas(rois) > 0, assigned, IGNORED)
            drawn, there = sample(
                assigned, self.count, POSITIVE_REGIONS, seed + tf.constant([0, 1])
            )
            owner = tf.gather(assigned, drawn)
            positive = there & (owner >= 0)
            owner = tf.where(positive, owner, 0)
            label = tf.where(positive, tf.gather(labels, owner), self.classes)
            return tf.gather(rois, drawn), tf.gather(boxes, owner), label, owner, there

        rois, boxes, labels, owners, there = tf.map_fn(
            draw,
            (
                proposals,
                objects["boxes"],
                objects["labels"],
                objects["crowds"],
                objects["seed"],
            ),
            fn_output_signature=(tf.float32, tf.float32, tf.int32, tf.int32, tf.bool),
        )
        found = {"rois": rois, "boxes": boxes, "labels": labels, "owners": owners, "there": there}
        return {name: tf.stop_gradient(value) for name, value in found.items()}

    def compute_output_spec(self, inputs):
        batch = inputs[0].shape[0]
        return {
            "rois": keras.KerasTensor((batch, self.count, 4)),
            "boxes": keras.KerasTensor((batch, self.count, 4)),
            "labels": keras.KerasTensor((batch, self.count), "int32"),
            "owners": keras.KerasTensor((batch, self.count), "int32"),
            "there": keras.KerasTensor((batch, self.count), "bool"),
        }


class BoxLosses(_Float32):
    """`classes` and `boxes`, see `losses.box_losses`."""

    def call(self, inputs):
        scores, changes, drawn = inputs
        classes, count = scores.shape[-1] - 1, drawn["rois"].shape[1]
        entropy, off = box_losses(
            tf.reshape(scores, (-1, count, classes + 1)),
            tf.reshape(changes, (-1, count, classes, 4)),
            drawn["rois"],
            drawn["boxes"],
            drawn["labels"],
            drawn["there"],
        )
        return {"classes": entropy, "boxes": off}

    def compute_output_spec(self, inputs):
        batch = inputs[2]["rois"].shape[0]
        return {name: keras.KerasTensor((batch,)) for name in ("classes", "boxes")}


class Positive(_Float32):
    """The first `count` of `RegionSamples`, which may be positive."""

    def __init__(self, count, **kwargs):
        super().__init__(**kwargs)
        self.count = count

    def call(self, drawn):
        return {name: value[:, : self.count] for name, value in drawn.items()}

    def compute_output_spec(self, drawn):
        return {
            name: keras.KerasTensor((x.shape[0], self.count, *x.shape[2:]), x.dtype)
            for name, x in drawn.items()
        }


class MaskLoss(_Float32):
    """`masks`, see `masks.mask_targets` and `losses.mask_loss`."""

    def call(self, inputs):
        logits, drawn, objects = inputs
        labels, classes = drawn["labels"], logits.shape[-1]
        targets = mask_targets(
            drawn["rois"],
            drawn["owners"],
            objects["flips"],
            objects["mask_size"],
            objects["to_mask"],
        )
        logits = tf.reshape(logits, (-1, labels.shape[1], SIDE, SIDE, classes))
        positive = drawn["there"] & (labels < classes)
        return {"masks": mask_loss(logits, tf.cast(targets, tf.float32), labels, positive)}

    def compute_output_spec(self, inputs):
        return {"masks": keras.KerasTensor((inputs[1]["rois"].shape[0],))}
