"""Draws PSNR against parameters and FLOPs [K3DN Fig. 1]: printed rows, and ours apart.

    python tools/reproduce/cost_figure.py --output docs/k3dn_figures/cost.png
    python tools/reproduce/cost_figure.py --output cost.png results/k3dn results/kpac

The first panel holds the rows of K3DN's Table 1 as printed; a cross is the cost that
this project counts for the same network, by the convention that its row follows.
Folders of tools/evaluate.py add a panel of what was measured here: PSNR of their
methods that are presets or runs, against counted costs. Needs matplotlib.
"""

import pathlib

import numpy as np
from absl import flags

from tf_defocus import commands
from tf_defocus.images.files import Image, write_image
from tf_defocus.reports import cost_chart, paper_results

OUTPUT = flags.DEFINE_string("output", None, "Picture to write.", required=True)
COUNT = flags.DEFINE_bool("count", True, "Whether printed rows get counted costs too.")
PRESETS = flags.DEFINE_string("presets", "", "Folder of runs that are no preset names.")

CONVENTION = "k3dn"
# The paper's rows: name in `list_models`, and the convention that its row follows.
NETWORKS = {
    "DMENet": ("dmenet", "k3dn_twice"),
    "DPDNet": ("dpdnet_dual", "k3dn_twice"),
    "KPAC": ("kpac_3level", "k3dn"),
    "RDPD*": ("rdpd", "k3dn_twice"),
    "DDDNet": ("dddnet", "k3dn_compared"),
    "DRBNet*": ("drbnet_dual", "k3dn_compared"),
    "DeepRFT": ("deeprft", "k3dn_compared"),
    "IFAN dual": ("ifan_dual", "k3dn"),
    "BAMBNet": ("bambnet", "k3dn_compared"),
    "Restormer": ("restormer_dual", "k3dn"),
    "K3DN tiny": ("k3dn_tiny", "k3dn"),
    "K3DN lightweight": ("k3dn_lightweight", "k3dn"),
    "K3DN large": ("k3dn_large", "k3dn"),
}


def printed_points(count=None):
    """The rows of K3DN's Table 1 that have a cost.

    Args:
        count: function of a network's name and a convention, its cost [10^9], or None.
    """
    (table,) = paper_results.find_tables("k3dn", number=1)
    points = []
    for row in table.rows:
        cells = dict(zip(table.columns, row.cells))
        if cells["flops_g"] is None:
            continue
        counted = count(*NETWORKS[row.method]) if count else None
        own = row.method.startswith("K3DN")
        costs = cells["flops_g"], cells["parameters_m"]
        points.append(cost_chart.Point(row.method, cells["psnr"], *costs, own, counted))
    return points


def measured_points(scores, cost_of):
    """One point per method that has a cost, of each `Scores`.

    Args:
        scores: list of `evaluation.scores.Scores`.
        cost_of: function of a method's name: (FLOPs [10^9], parameters [10^6]) or None.
    """
    points = []
    for one in scores:
        for method, row in one.summary().items():
            cost = cost_of(method)
            if cost:
                psnr, own = row["mean"]["psnr"], method.startswith("k3dn")
                points.append(cost_chart.Point(method, psnr, *cost, own))
    return points


def count_network(name, convention):
    """FLOPs of a network by a convention of `reports.costs` [10^9]."""
    from tf_defocus.models import create_model
    from tf_defocus.reports import costs

    model = create_model(name, variant="released")  # whose counts are the printed ones
    return costs.cost(model, convention)[0] / 1e9


def cost_of_preset(name):
    """(FLOPs [10^9], parameters [10^6]) of a preset or run, or None if it is none."""
    import tf_defocus
    from tf_defocus.reports import costs

    folder = pathlib.Path(PRESETS.value) / name
    known = name in tf_defocus.list_presets()
    if not known and not (PRESETS.value and folder.is_dir()):
        return None
    model = tf_defocus.load_preset(name if known else str(folder))
    flops, _ = costs.cost(model, CONVENTION)
    return flops / 1e9, model.count_params() / 1e6


def draw(printed, measured, set_name):
    """The panels side by side; uint8."""
    panels = [cost_chart.draw_panel(printed, "K3DN Table 1, as printed (DPDD)")]
    if measured:
        panels.append(cost_chart.draw_panel(measured, f"measured here: {set_name}"))
    return np.concatenate(panels, axis=1)


def main(arguments):
    """Draws the picture."""
    from tf_defocus.reports import comparison

    scores = [comparison.read_scores(path) for path in arguments[1:]]
    measured = measured_points(scores, cost_of_preset)
    if scores and not measured:
        raise ValueError("no method of the scores is a preset or a folder in --presets")
    printed = printed_points(count_network if COUNT.value else None)
    for point in printed:
        print(f"{point.label}: {point.flops_g} printed, {point.counted_g} counted")
    names = ", ".join(pathlib.Path(path).name for path in arguments[1:])
    path = pathlib.Path(OUTPUT.value)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, Image(draw(printed, measured, names)))


if __name__ == "__main__":
    commands.run(main)
