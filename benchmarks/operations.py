"""Time of Pale-T by operation of TensorFlow's optimized graph.

python -m benchmarks.operations --batch 1             # a SavedModel, on all cores
python -m benchmarks.operations --batch 1 --cores 1
python -m benchmarks.operations --training --cores 1  # a step of 8 images

The model is loaded as TF Serving loads it, in the environment that export gives the server. Names
such as _MklNativeFusedMatMul[BiasAdd, GeluExact] say what oneDNN computes, and what was fused into
it. Operations may run beside each other, and so their sum may be more than the time of a batch.
"""

import collections
import os
import pathlib
import re
import tempfile
import time

from benchmarks.flags import make_parser
from benchmarks.tables import print_table
from common.cli import positive_int
from export.serving.server_files import ENVIRONMENT

WARM = 5  # traced runs before the one that counts: oneDNN compiles its kernels in the first ones


def main(argv=None):
    parser = make_parser("operations", __doc__)
    parser.add_argument("--batch", type=positive_int, default=8, help="(default: %(default)s)")
    parser.add_argument("--training", action="store_true", help="a training step")
    parser.add_argument("--cores", type=positive_int, help="(default: all)")
    flags = parser.parse_args(argv)
    if not flags.training:  # where weights change
        os.environ |= ENVIRONMENT
    if flags.cores:  # before TensorFlow makes its threads
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: flags.cores])
    with tempfile.TemporaryDirectory() as folder:
        if flags.training:
            from benchmarks.training_step import make_step

            step = make_step("pale_t", flags.batch)
            report(f"training, batch {flags.batch}", *trace_function(step, folder))
            return
        from benchmarks import artifacts, pale

        pale.write_saved_model(pale.make_network(), folder)
        milliseconds, times = trace(folder, artifacts.images_of(flags.batch))
    report(f"batch {flags.batch}", milliseconds, times)


def trace(folder, images):
    """Runs `serving_default` of a SavedModel.

    Returns:
        Milliseconds of a batch, without a trace; and by operation, a pair of how many there are and
        of their milliseconds together.
    """
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        signature = v1.saved_model.load(session, ["serve"], folder).signature_def["serving_default"]
        feed = {signature.inputs["images"].name: images}
        logits = signature.outputs["logits"].name
        session.run(logits, feed)
        start = time.perf_counter()
        for _ in range(WARM):
            session.run(logits, feed)
        milliseconds = 1000 * (time.perf_counter() - start) / WARM
        options = v1.RunOptions(trace_level=v1.RunOptions.FULL_TRACE, output_partition_graphs=True)
        for _ in range(WARM + 1):
            metadata = v1.RunMetadata()
            session.run(logits, feed, options=options, run_metadata=metadata)
    nodes = {node.name: node for graph in metadata.partition_graphs for node in graph.node}
    counts, sums = collections.Counter(), collections.Counter()
    for device in metadata.step_stats.dev_stats:
        for step in device.node_stats:
            name = describe(nodes[step.node_name]) if step.node_name in nodes else "other"
            counts[name] += 1
            sums[name] += (step.op_end_rel_micros - step.op_start_rel_micros) / 1000
    return milliseconds, {name: (counts[name], value) for name, value in sums.most_common()}


def trace_function(run, folder):
    """Runs a function; returns what `trace` does. A profile is written to `folder`."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    for _ in range(WARM):
        run()
    start = time.perf_counter()
    run()
    milliseconds = 1000 * (time.perf_counter() - start)
    with tf.profiler.experimental.Profile(str(folder)):
        run()
    space = xplane_pb2.XSpace()
    (file,) = pathlib.Path(folder).rglob("*.xplane.pb")
    space.ParseFromString(file.read_bytes())
    counts, sums = collections.Counter(), collections.Counter()
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            name = re.fullmatch(r"\S+[^:]:(\w+)", plane.event_metadata[event.metadata_id].name)
            if name:  # `NAME:OPERATION`; others are not operations
                counts[name[1]] += 1
                sums[name[1]] += event.duration_ps / 1e9
    return milliseconds, {name: (counts[name], value) for name, value in sums.most_common()}


def describe(node):
    """The operation of a node, and what is fused into it."""
    fused = [text.decode() for text in node.attr["fused_ops"].list.s]
    return f"{node.op}[{', '.join(fused)}]" if fused else node.op


def report(title, milliseconds, times):
    """Prints the operations that take at least 0.5% of the time."""
    total = sum(value for _, value in times.values())
    rows = [["operation", "count", "ms", "share"]]
    for name, (count, value) in times.items():
        if value >= 0.005 * total:
            rows.append([name, str(count), f"{value:.1f}", f"{value / total:.0%}"])
    print_table(rows, f"{title}: {milliseconds:.1f} ms; operations: {total:.1f} ms")


if __name__ == "__main__":
    main()
