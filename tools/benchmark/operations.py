"""Which operations a network's time goes to, in TensorFlow and with native ones.

    python tools/benchmark/operations.py --name ifan --size 640x360 --engine native

The graph is the one that the engine runs, after TensorFlow's own optimisation; its
operations run one after another on `--threads` threads. Printed are the milliseconds
per kind of operation and of the dearest single ones, each its least of `--repeats`.
Without native convolutions, other native operations (K3DN's correlation) remain.
"""

import collections
import pathlib
import sys

import tensorflow as tf
from absl import flags

from tf_defocus import commands
from tf_defocus.markdown_table import markdown_table
from tf_defocus.ops import adaptive_convolution_native
from tf_defocus.restoration.engines import graphs, native_convolutions
from tf_defocus.restoration.engines.stages import OUTPUT

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))  # for compare
import compare

NAME = flags.DEFINE_string("name", "kpac_3level", "A preset or a network.")
SIZE = flags.DEFINE_string("size", "640x360", "WIDTHxHEIGHT [px].")
ENGINE = flags.DEFINE_enum("engine", "native", ["tensorflow", "native"], "Whose graph.")
SHOWN = flags.DEFINE_integer("shown", 12, "Single operations to print.")


def graph_of(network, views):
    """`GraphDef` as the engine runs it."""
    graph = graphs.frozen_stage(network, "call", {}, views, ordinary=False)
    if ENGINE.value == "native":
        return native_convolutions.with_native_convolutions(graph, OUTPUT)
    return graph


def run_traced(graph, views):
    """dict, node -> (operation, least milliseconds)."""
    config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=compare.THREADS.value,
        inter_op_parallelism_threads=1,
    )
    options = tf.compat.v1.RunOptions(trace_level=tf.compat.v1.RunOptions.FULL_TRACE)
    least = {}
    with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
        tf.import_graph_def(graph, name="")
        feeds = {f"{name}:0": view for name, view in views.items()}
        session.run(f"{OUTPUT}:0", feeds)
        for _ in range(compare.REPEATS.value):
            trace = tf.compat.v1.RunMetadata()
            session.run(f"{OUTPUT}:0", feeds, options, trace)
            for device in trace.step_stats.dev_stats:
                for node in device.node_stats:
                    kind = node.timeline_label.partition(" = ")[2].partition("(")[0]
                    taken = node.op_end_rel_micros / 1000
                    before = least.get(node.node_name, (kind, taken))[1]
                    least[node.node_name] = (kind, min(before, taken))
    return least


def main(arguments):
    """Prints both tables."""
    del arguments
    adaptive_convolution_native.load()
    network = compare.load(NAME.value, "float32")
    views = compare.photographs(network, SIZE.value)
    least = run_traced(graph_of(network, views), views)
    total = sum(taken for _, taken in least.values())
    kinds = collections.defaultdict(list)
    for kind, taken in least.values():
        kinds[kind].append(taken)
    rows = [
        [
            f"`{kind}`",
            str(len(taken)),
            f"{sum(taken):.1f}",
            f"{100 * sum(taken) / total:.1f}",
        ]
        for kind, taken in sorted(kinds.items(), key=lambda item: -sum(item[1]))
        if sum(taken) > 0.005 * total
    ]
    print(markdown_table(["operation", "times", "ms", "%"], rows, num_texts=1))
    dearest = sorted(least.items(), key=lambda item: -item[1][1])[: SHOWN.value]
    rows = [[f"`{name}`", f"{taken:.1f}"] for name, (_, taken) in dearest]
    print(markdown_table(["node", "ms"], rows, num_texts=1))


if __name__ == "__main__":
    commands.run(main)
