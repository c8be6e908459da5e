"""Measures time and peak memory of every network on one photograph, in one table.

    python tools/benchmark/all_networks.py --page docs/time_and_memory.md
    python tools/benchmark/all_networks.py --size 1680x1120 --repeats 5 \\
        --page docs/time_and_memory.md
    python tools/benchmark/all_networks.py --names kpac_3level,ifan --json costs.json

1680x1120 is the size of the papers' test photographs; the default is small, so that
every machine can. Each network runs in a process of its own, with fresh weights, which
do not alter the time: seconds are the median over `--repeats` calls after one that is
not counted, memory is the high water above the process with the network in it.
"""

import multiprocessing
import sys

import tqdm
from absl import flags

from tf_defocus import commands, whole_files
from tf_defocus.evaluation import cost
from tf_defocus.markdown_table import markdown_table

NAMES = flags.DEFINE_list("names", [], "Networks of `tf-defocus models` [all].")
SIZE = flags.DEFINE_string("size", "256x192", "WIDTHxHEIGHT [px].")
REPEATS = flags.DEFINE_integer("repeats", 3, "Calls counted.", lower_bound=1)
JSON = flags.DEFINE_string("json", None, "File for the results.")
PAGE = flags.DEFINE_string("page", None, "Markdown page of the table, for docs.")


def measure(name, width, height, repeats, **overrides):
    """One network, in this process.

    Args:
        name: of `tf_defocus.list_models`.
        width, height: int [px] of the photograph.
        repeats: int, calls counted.
        **overrides: constructor arguments.

    Returns:
        dict: `parameters`, `seconds`, `memory_mib`.
    """
    import keras

    from tf_defocus.models import create_model

    model = create_model(name, **overrides)
    # XLA is slower than TensorFlow's own kernels on CPUs.
    model.jit_compile = keras.backend.backend() == "jax"
    call = cost.forward_call(model, width, height)
    memory = cost.PeakMemory()
    call()
    return {
        "parameters": model.count_params(),
        "memory_mib": memory.read(),
        "seconds": cost.median_seconds([call], repeats)[0],
    }


def measure_apart(names, width, height, repeats):
    """dict, name -> `measure`, each in a new process.

    The processes are forked from one that has imported everything and run nothing.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["keras", "tf_defocus.models.named"])
    results = {}
    for name in tqdm.tqdm(names, unit="network"):
        with context.Pool(1) as pool:
            results[name] = pool.apply(measure, (name, width, height, repeats))
    return results


def table(results):
    """Markdown, a row per network, as measured."""
    rows = [
        [
            f"`{name}`",
            f"{row['parameters']:,}",
            f"{row['seconds']:.3g}",
            f"{row['memory_mib']:,.0f}",
        ]
        for name, row in results.items()
    ]
    return markdown_table(["network", "parameters", "time [s]", "memory [MiB]"], rows)


def page(results, machine, size, repeats):
    """The documentation's page around the table."""
    command = commands.shown_command(sys.argv)
    indented = "".join(f"    {line}\n" for line in command.splitlines())
    packages = [key for key in ("tensorflow", "jax", "keras") if key in machine]
    versions = ", ".join(f"{key} {machine[key]}" for key in packages)
    return (
        "# Time and memory of the networks\n\n"
        f"{indented}\n"
        f"One photograph of {size} px, float32, median of {repeats} calls after one "
        "that is not counted; peak memory above the process with the network in it, "
        "which TensorFlow rounds up to what it allocates at once. "
        f"{machine['processor']}, {machine['cores']} cores, {versions}. "
        f"The load average was {machine['load_average']:.1f} when it began: where that "
        "is above the number of cores, other programs ran too, and the times tell no "
        "more than an order. `--size 1680x1120` is that of the papers' photographs.\n\n"
        f"{table(results)}"
    )


def main(_):
    """Measures, prints and writes."""
    from tf_defocus.models import list_models

    names, known = NAMES.value, list_models()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"Expected names of {known}. Received: {unknown}")
    width, height = cost.parse_size(SIZE.value)
    machine = cost.describe_machine()
    results = measure_apart(names or known, width, height, REPEATS.value)
    print(table(results), end="")
    if JSON.value:
        report = {"size": SIZE.value, "machine": machine, "results": results}
        cost.write_json(JSON.value, report)
    if PAGE.value:
        text = page(results, machine, SIZE.value, REPEATS.value)
        whole_files.write_text(PAGE.value, text)


if __name__ == "__main__":
    commands.run(main)
