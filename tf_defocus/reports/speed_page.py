"""The page of networks' speed in every engine beside PyTorch, from measurements."""

import pathlib
from typing import Any

from tf_defocus import whole_files
from tf_defocus.markdown_table import markdown_table
from tf_defocus.models.manifest import read_json

FORMS = ("torch", "torch channels last", "torch compiled")
COLOURS = {
    "tensorflow": "#d55e00",
    "native": "#e69f00",
    "onnxruntime": "#0072b2",
    "openvino": "#009e73",
}
DPI = 100

INTRODUCTION = """# Speed of the engines beside PyTorch

    python tools/benchmark/compare.py measure --json docs/speed/MACHINE.json
    python tools/benchmark/compare.py page --page docs/speed.md

The first command measures on the machine at hand, of any kind; the second makes this
page of all measurements in `docs/speed`. The networks in PyTorch have the same weights
(`tools/benchmark/twins`), their normalisations folded into the convolutions. All agree
with TensorFlow before they are timed, in float32 within 1e-4 of the largest value.
PyTorch's best is the fastest of plain, channels last and compiled; GKMNet's twin
filters with dense kernels, as its authors do. `native` is TensorFlow with the 3x3 and
5x5 convolutions of `ops/cc/winograd.h`, which take 25 and 36 % of the multiply-adds.

Engines are called in turns on one image. CPU seconds are summed over the threads: on a
machine that other programs share they tell more than the clock. Spread is the least and
the most. Memory is the peak of two calls in a process of their own, above the process
with the network loaded. The limit is the CPU time that the network's multiply-adds take
at the rate of the machine's own float32 matrix product: what convolutions as they are
defined cannot fall below. A ratio below 1 says that the best engine here is faster than
PyTorch's best; in bfloat16 the last column compares with PyTorch's best in float32.
"""


def write_page(path: pathlib.Path) -> None:
    """Writes the page, and a picture per file of measurements.

    Args:
        path: of the page; measurements lie in the folder of its name, `*.json`, as
            `tools/benchmark/compare.py measure` writes them.

    Raises:
        ValueError: if there is no such file.
    """
    folder = path.with_suffix("")
    files = sorted(folder.glob("*.json"))
    if not files:
        raise ValueError(f"{folder} holds no measurements; measure first, with --json")
    parts = [INTRODUCTION]
    for file in files:
        report = read_json(file)
        picture = file.with_suffix(".png")
        draw(report["cases"], picture)
        shown = f"![CPU seconds of every engine]({folder.name}/{picture.name})\n"
        parts += [describe(report["machine"]), shown, *tables(report)]
        notes = file.with_suffix(".txt")  # what the numbers tell, written by hand
        if notes.exists():
            parts.append(notes.read_text())
    whole_files.write_text(path, "\n".join(parts))


def describe(machine: dict[str, Any]) -> str:
    """Heading and sentence about a machine."""
    packages = ("tensorflow", "keras", "onnxruntime", "openvino", "torch")
    versions = ", ".join(f"{name} {machine[name]}" for name in packages)
    rate = machine["product_rate"]
    return (
        f"## {machine['processor']}, {', '.join(machine['instructions'])}\n\n"
        f"{machine['threads']} threads, medians of {machine['repeats']} calls, "
        f"{versions}. The load average was {machine['load_average']:.1f} on "
        f"{machine['cores']} cores when it began: above the number of cores, other "
        "programs shared the machine. Its matrix product reaches "
        f"{rate / 1e9:.0f} * 10^9 multiply-adds per CPU second.\n"
    )


def tables(report: dict[str, Any]) -> list[str]:
    """A table of seconds and one of ratios, per precision."""
    parts, exact = [], {}
    for precision in ("float32", "bfloat16"):
        cases = [c for c in report["cases"] if c["precision"] == precision]
        if cases:
            rate = report["machine"]["product_rate"]
            ratios = _ratios(cases, rate, exact)
            parts += [f"### {precision}\n", _times(cases), ratios]
        exact = {
            (c["name"], c["size"]): c["engines"][name]["cpu_seconds"]
            for c in cases
            if (name := best(c, forms=True))
        }
    return parts


def best(case: dict[str, Any], forms: bool, key: str = "cpu_seconds") -> str | None:
    """The engine of the least value; of PyTorch's forms, or of the others."""
    names = [n for n in case["engines"] if (n in FORMS) == forms]
    names = [name for name in names if key in case["engines"][name]]
    return min(names, key=lambda n: case["engines"][n][key], default=None)


def _times(cases):
    rows = [
        [
            f"`{case['name']}`",
            case["size"],
            engine,
            f"{row['cpu_seconds']:.3g}",
            f"{row['cpu_least']:.3g} to {row['cpu_most']:.3g}",
            f"{row['seconds']:.3g}",
            f"{row['memory_mib']:,.0f}" if "memory_mib" in row else "",
            f"{row['error']:.0e}",
        ]
        for case in cases
        for engine, row in case["engines"].items()
        if "cpu_seconds" in row
    ]
    head = ["network", "size", "engine", "CPU [s]", "spread [s]", "clock [s]"]
    table = markdown_table([*head, "memory [MiB]", "difference"], rows, num_texts=3)
    left_out = [
        f"`{case['name']}` at {case['size']}, {engine}: left out ({reason}).\n"
        for case in cases
        for engine, reason in case["left_out"].items()
    ]
    return "\n".join([table, *left_out])


def _ratios(cases, rate, exact):
    """`exact`: dict, (name, size) -> PyTorch's best CPU seconds in float32, or none."""
    rows = []
    for case in cases:
        ours, theirs = best(case, False), best(case, True)
        if not ours or not theirs:
            continue
        engines = case["engines"]
        least = engines[theirs]["cpu_seconds"]
        memories = [best(case, forms, "memory_mib") for forms in (False, True)]
        memory = ""
        if all(memories) and "memory_mib" in engines[ours]:
            memory = engines[ours]["memory_mib"] / engines[theirs]["memory_mib"]
            memory = f"{memory:.2f}"
        keras = engines.get("tensorflow", {}).get("cpu_seconds")
        limit = case["macs"] / rate
        rows.append(
            [
                f"`{case['name']}`",
                case["size"],
                ours,
                theirs,
                f"{engines[ours]['cpu_seconds'] / least:.2f}",
                f"{keras / least:.2f}" if keras else "",
                memory,
                f"{limit:.3g}",
            ]
        )
        if exact:
            other = exact.get((case["name"], case["size"]))
            cpu = engines[ours]["cpu_seconds"]
            rows[-1].append(f"{cpu / other:.2f}" if other else "")
    head = ["network", "size", "best here", "best of PyTorch", "ratio", "TensorFlow's"]
    head += ["ratio of memory", "limit [s]", *["of float32"] * bool(exact)]
    return markdown_table(head, rows, num_texts=4)


def draw(cases: list[dict[str, Any]], path: pathlib.Path) -> None:
    """Bars of CPU seconds, a panel per case; PyTorch's in grey.

    Raises:
        ImportError: if matplotlib is not installed: extra `figures`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((8, 1.9 * len(cases)), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(len(cases), 1, squeeze=False)[:, 0]
    for panel, case in zip(panels, cases):
        names = [n for n, row in case["engines"].items() if "cpu_seconds" in row]
        seconds = [case["engines"][name]["cpu_seconds"] for name in names]
        panel.barh(names, seconds, color=[COLOURS.get(n, "#999999") for n in names])
        panel.invert_yaxis()
        panel.set_title(f"{case['name']}, {case['size']}, {case['precision']}")
        panel.set_xlabel("CPU seconds of one image")
    with whole_files.open_whole(path) as file:
        figure.savefig(file, format="png")
