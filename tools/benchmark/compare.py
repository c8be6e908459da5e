"""Times networks in every engine beside the same networks in PyTorch, in turns.

    python tools/benchmark/compare.py measure --json docs/speed/MACHINE.json
    python tools/benchmark/compare.py measure --names kpac_3level --sizes 640x360 \\
        --precisions float32 --repeats 3 --json speed.json
    python tools/benchmark/compare.py page --page docs/speed.md

`measure`: weights are those of the presets, where there is one of the name, and the
same in all; PyTorch (needed for this tool alone: `pip install torch`) as it comes, with
channels last, and compiled. All outputs are compared before anything is timed. Seconds
are medians over `--repeats`, in turns, on `--threads` threads; CPU seconds are summed
over the threads, and tell more than the clock where other programs run. Peak memory is
that of a fresh process per engine, above where it stood with the network loaded.
Results add up in the file: `--notime` adds memory to what was timed (a busy machine
does not alter it), `--nomemory` times anew and keeps the memory; so long measurements
can be made in parts. It is written after each turn of all engines, and a measurement
that was stopped leaves those turns.
`page`: tables and a picture of every file of measurements beside the page.
"""

import functools
import json
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # idle threads sleep

import numpy as np
from absl import flags

from tf_defocus import commands
from tf_defocus.evaluation import cost

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))  # for twins

NETWORKS = ["kpac_3level", "ifan", "gkmnet", "k3dn_tiny"]
KERAS_ENGINES = ("tensorflow", "native", "onnxruntime", "openvino")
TORCH_FORMS = ("torch", "torch channels last", "torch compiled")
NAMES = flags.DEFINE_list("names", NETWORKS, "Presets or networks.")
SIZES = flags.DEFINE_list("sizes", ["1280x720", "1680x1120"], "WIDTHxHEIGHT [px].")
PRECISIONS = flags.DEFINE_list("precisions", ["float32", "bfloat16"], "To compute in.")
ENGINES = flags.DEFINE_list("engines", [*KERAS_ENGINES, *TORCH_FORMS], "To compare.")
REPEATS = flags.DEFINE_integer("repeats", 5, "Calls counted.", lower_bound=1)
THREADS = flags.DEFINE_integer("threads", os.cpu_count(), "Of each engine.")
TIME = flags.DEFINE_bool("time", True, "Whether to measure seconds.")
MEMORY = flags.DEFINE_bool("memory", True, "Whether to measure memory.")
JSON = flags.DEFINE_string("json", None, "measure: file of the results, added to.")
PAGE = flags.DEFINE_string("page", None, "page: the Markdown file.")
PEAK_OF = flags.DEFINE_string(
    "peak_of", None, "One engine's peak memory, nothing else."
)

TOLERANCE = {"float32": 1e-4, "bfloat16": 0.1}  # of max(1, the largest value)


def load(name, precision):
    """The preset of a name, else the network with fresh weights."""
    from tf_defocus.models import create_model, list_presets, load_preset
    from tf_defocus.models.precision import POLICIES, layers_in

    with layers_in(POLICIES[precision]):
        return load_preset(name) if name in list_presets() else create_model(name)


def photographs(network, size):
    """dict, view -> (1, height, width, 3) float32, as large as the network divides."""
    width, height = cost.parse_size(size)
    rows, columns = network.size_multiple
    image = cost.photograph(width, height).astype(np.float32) / np.float32(255)
    padding = ((0, -height % rows), (0, -width % columns), (0, 0))
    image = np.pad(image, padding, mode="reflect")[None]
    return {
        n: image if i == 0 else image[:, ::-1].copy()
        for i, n in enumerate(network.view_names)
    }


def prepare(engine, networks, precision, views):
    """A call without arguments of an engine, that returns (1, height, width, 3).

    Args:
        engine: of `KERAS_ENGINES` or `TORCH_FORMS`.
        networks: dict, precision -> the same network.
        precision: "float32" or "bfloat16".
        views: dict, name -> (1, height, width, 3) float32.
    """
    if engine in TORCH_FORMS:
        return prepare_torch(engine, networks["float32"], precision, views)
    from tf_defocus.restoration.engines import engine as engines

    created = engines.create_engine(engine, networks[precision])
    if engine == "tensorflow":
        return functools.partial(created.run, "call", {"inputs": views})
    function = created.converted("call", {"inputs": views})
    return functools.partial(function, {"inputs": views})


def prepare_torch(form, network, precision, views):
    """See `prepare`; tensors lie ready in the order that PyTorch takes."""
    import torch
    from twins import TWINS

    twin = TWINS[type(network).__name__](network).eval()
    arranged = torch.contiguous_format if form == "torch" else torch.channels_last
    dtype = getattr(torch, precision)
    twin = twin.to(dtype)
    for value in twin.parameters():
        if value.ndim == 4:
            value.data = value.data.contiguous(memory_format=arranged)
    tensors = [
        torch.from_numpy(view.transpose(0, 3, 1, 2).copy())
        .to(dtype)
        .contiguous(memory_format=arranged)
        for view in views.values()
    ]
    function = torch.compile(twin, dynamic=False) if form.endswith("compiled") else twin

    def call():
        with torch.no_grad():
            return function(*tensors).float().numpy().transpose(0, 2, 3, 1)

    return call


def agree(calls, expected, precision):
    """Largest difference of every engine from float32 TensorFlow, of those that agree.

    Returns:
        (dict of calls, dict of float, dict of str: why an engine is left out).
    """
    kept, errors, left_out = {}, {}, {}
    for engine, prepared in calls.items():
        print(f"{time.strftime('%H:%M:%S')} {engine}", file=sys.stderr)
        try:
            call = prepared()
            error = float(np.abs(call() - expected).max())
        except Exception as failure:  # compilers and converters raise what they like
            reason = str(failure).strip() or type(failure).__name__
            left_out[engine] = reason.splitlines()[0][:120]
            continue
        limit = TOLERANCE[precision] * max(1.0, float(np.abs(expected).max()))
        if not error <= limit:
            left_out[engine] = f"it differs from TensorFlow by {error:.1e}"
            continue
        kept[engine], errors[engine] = call, error
    return kept, errors, left_out


def time_in_turns(calls):
    """Yields after each turn: dict, engine -> `summary` of its turns so far."""
    taken = {engine: [] for engine in calls}
    for _ in range(REPEATS.value):
        for engine, call in calls.items():
            taken[engine].append(timed(call))
        yield {engine: summary(turns) for engine, turns in taken.items()}


def summary(turns):
    """Median seconds and CPU seconds, the spread of the latter, and how many turns."""
    wall, cpu = zip(*turns)
    return {
        "seconds": statistics.median(wall),
        "cpu_seconds": statistics.median(cpu),
        "cpu_least": min(cpu),
        "cpu_most": max(cpu),
        "calls": len(turns),
    }


def timed(call):
    """Wall and CPU seconds of a call, all threads together."""
    cpu, wall = cpu_seconds(), time.perf_counter()
    call()
    return time.perf_counter() - wall, cpu_seconds() - cpu


def cpu_seconds():
    """float [s], of this process and all its threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure_case(name, size, precision):
    """One network at one size in one precision, in every engine.

    Yields:
        dict, as far as it is measured: the case, `macs` (multiply-adds of the image),
        `left_out` and `engines`, of each its seconds, CPU seconds, error and peak
        memory.
    """
    from tf_defocus.export.graph_operations import count_operations

    precisions = {"float32", precision}
    networks = {kind: load(name, kind) for kind in precisions}
    views = photographs(networks["float32"], size)
    reference = prepare("tensorflow", networks, "float32", views)()
    prepared = {
        engine: functools.partial(prepare, engine, networks, precision, views)
        for engine in ENGINES.value
    }
    calls, errors, left_out = agree(prepared, reference, precision)
    height, width = next(iter(views.values())).shape[1:3]
    operations = count_operations(networks["float32"], height, width)
    macs = sum(operation.macs for operation in operations)
    case = {"name": name, "size": size, "precision": precision, "macs": macs}
    case |= {
        "left_out": left_out,
        "engines": {n: {"error": e} for n, e in errors.items()},
    }
    for results in time_in_turns(calls) if TIME.value else ():
        for engine, row in results.items():
            case["engines"][engine] |= row
        yield case
    del calls, prepared  # their memory is that of other processes
    for engine, row in case["engines"].items() if MEMORY.value else ():
        row["memory_mib"] = peak_apart(engine, name, size, precision)
        yield case


def peak_apart(engine, name, size, precision):
    """Peak [MiB] of one engine's first calls in a process of its own."""
    command = [sys.executable, __file__, "measure", f"--peak_of={engine}"]
    command += [f"--names={name}", f"--sizes={size}", f"--precisions={precision}"]
    command += [f"--threads={THREADS.value}"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.split()[-1])


def print_peak():
    """The peak of --peak_of; converted graphs are in the cache by then."""
    name, size, precision = (f.value[0] for f in (NAMES, SIZES, PRECISIONS))
    networks = {kind: load(name, kind) for kind in {"float32", precision}}
    views = photographs(networks["float32"], size)
    call = prepare(PEAK_OF.value, networks, precision, views)
    memory = cost.PeakMemory()
    call()
    call()
    print(memory.read())


def product_rate():
    """Multiply-adds per CPU second of the machine's own float32 matrix product."""
    import torch

    side = 2048
    one, other = torch.rand(side, side), torch.rand(side, side)
    cpu = [timed(lambda: one @ other)[1] for _ in range(5)]
    return side**3 / min(cpu)


def measure():
    """Measures every case, and writes what is known of it after every turn."""
    import tensorflow as tf
    import torch
    import tqdm

    torch.set_num_threads(THREADS.value)
    tf.config.threading.set_intra_op_parallelism_threads(THREADS.value)
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(THREADS.value)  # converted ones read it
    if PEAK_OF.value:
        print_peak()
        return
    if not (TIME.value or MEMORY.value):
        raise ValueError("nothing to measure: leave out --notime or --nomemory")
    report = {"cases": []}
    path = pathlib.Path(JSON.value) if JSON.value else None
    if path and path.exists():
        report = json.loads(path.read_text())
    if TIME.value or "machine" not in report:
        report["machine"] = machine()
    kinds = [
        (name, size, precision)
        for name in NAMES.value
        for size in SIZES.value
        for precision in PRECISIONS.value
    ]
    for kind in tqdm.tqdm(kinds, unit="case"):
        others = [c for c in report["cases"] if key(c) != kind]
        before = [c for c in report["cases"] if key(c) == kind]
        for case in measure_case(*kind):
            report["cases"] = sorted([*others, merged(case, *before)], key=key)
            if path:
                cost.write_json(path, report)
        print(json.dumps(case, indent=1))


def merged(case, before=None):
    """A case with what was measured of it before and not now.

    Seconds are compared with those of the same run only: engines that were not timed
    again are dropped where others were.
    """
    old = before["engines"] if before else {}
    engines = {
        name: {**old.get(name, {}), **row} for name, row in case["engines"].items()
    }
    return {**case, "engines": engines if TIME.value else {**old, **engines}}


def key(case):
    """(name, size, precision) of a case."""
    return case["name"], case["size"], case["precision"]


def machine():
    """What the numbers belong to."""
    import importlib.metadata

    packages = ("torch", "onnxruntime", "openvino")
    versions = {name: importlib.metadata.version(name) for name in packages}
    flags_of = pathlib.Path("/proc/cpuinfo").read_text()
    vectors = [
        v for v in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if v in flags_of
    ]
    return {
        **cost.describe_machine(),
        **versions,
        "threads": THREADS.value,
        "repeats": REPEATS.value,
        "instructions": vectors,
        "product_rate": product_rate(),
    }


def main(arguments):
    """Measures, or makes the page of what was measured."""
    if arguments[1:] == ["measure"]:
        measure()
    elif arguments[1:] == ["page"] and PAGE.value:
        from tf_defocus.reports.speed_page import write_page

        write_page(pathlib.Path(PAGE.value))
    else:
        raise ValueError("give measure, or page and --page; --help tells the flags")


if __name__ == "__main__":
    commands.run(main)
