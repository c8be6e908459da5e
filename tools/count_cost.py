"""Counts what a network costs: parameters, multiply-adds, and FLOPs as a paper counts.

    python tools/count_cost.py --name kpac_3level --size 1280x720
    python tools/count_cost.py --name gkmnet --convention gkmnet --json costs.json
    python tools/count_cost.py --page docs/costs.md

Counted from the network's graph, nothing is run. `--page` writes the table of all
networks beside the numbers that the papers print.
"""

import collections
import json

from absl import flags

from tf_defocus import commands
from tf_defocus.evaluation import cost
from tf_defocus.markdown_table import markdown_table

NAME = flags.DEFINE_string("name", None, "Network, a name of `tf-defocus models`.")
SIZE = flags.DEFINE_string("size", None, "WIDTHxHEIGHT [the convention's own].")
CONVENTION = flags.DEFINE_enum(
    "convention",
    "mac",
    ["mac", "kpac", "ifan", "gkmnet", "k3dn", "k3dn_compared", "k3dn_twice"],
    "How to count.",
)
JSON = flags.DEFINE_string("json", None, "File for every operation's count.")
PAGE = flags.DEFINE_string("page", None, "Page of all networks to write instead.")

# convention -> (network, arguments, what the paper prints, in units of 1e9, or None)
PRINTED = {
    "kpac": (
        ("kpac_2level", {}, 358.0),
        ("kpac_3level", {}, 197.0),
        ("dpdnet_single", {}, 1980.0),
    ),
    "ifan": (
        ("ifan", {"num_iterations": 8}, 347.9),
        ("ifan", {}, 362.9),
        ("ifan", {"num_iterations": 26}, 377.9),
        ("ifan", {"num_iterations": 35}, 392.8),
        ("ifan", {"num_iterations": 44}, 407.8),
        ("dmenet", {}, 1172.5),
    ),
    "gkmnet": (
        ("gkmnet", {"variant": "released"}, 603.5),
        ("srn", {}, 3117.6),
    ),
    "k3dn": (
        ("k3dn_tiny", {"variant": "released"}, 571.0),
        ("k3dn_lightweight", {"variant": "released"}, 1033.0),
        ("k3dn_large", {"variant": "released"}, 3352.0),
        ("kpac_3level", {}, 349.0),
        ("ifan_dual", {}, 794.0),
        ("restormer_dual", {}, 4458.0),
    ),
    "k3dn_compared": (
        ("drbnet_dual", {}, 1273.0),
        ("bambnet", {}, 1804.0),
        ("dddnet", {}, 1661.0),
        ("deeprft", {}, 3682.0),
    ),
    "k3dn_twice": (
        ("dmenet", {}, 4787.0),
        ("dpdnet_dual", {}, 3150.0),
        ("rdpd", {}, 901.0),
    ),
    "mac": (
        ("restormer", {}, None),
        ("drbnet", {}, None),
        ("lakdnet_small", {}, None),
        ("lakdnet_small_dual", {}, None),
        ("lakdnet_large", {}, None),
        ("lakdnet_large_dual", {}, None),
        ("nrknet", {}, None),
        ("iniknet", {}, None),
        ("mdp", {}, None),
    ),
}


def describe(name, convention, size):
    """One network's numbers, a dict of JSON values."""
    from tf_defocus.models import create_model
    from tf_defocus.reports import costs

    model = create_model(name)
    number, operations = costs.cost(model, convention, size)
    layers = collections.Counter()
    for operation in operations:
        layers[operation.layer.split("/")[0]] += operation.macs
    return {
        "name": name,
        "size": list(size or costs.CONVENTIONS[convention].size),
        "convention": convention,
        "parameters": int(model.count_params()),
        "count": number,
        "macs_by_layer": dict(layers),
        "operations": [vars(operation) for operation in operations],
    }


def page():
    """The table of printed and counted costs, Markdown."""
    from tf_defocus.models import create_model
    from tf_defocus.reports import costs

    lines = [
        "# What the networks cost, as their papers count",
        "",
        "    python tools/count_cost.py --page docs/costs.md",
        "",
        "Counted from each network's graph; 10^9. What a FLOP is differs from paper to",
        "paper:",
        "",
    ]
    for name in PRINTED:
        convention = costs.CONVENTIONS[name]
        width, height = convention.size
        lines.append(f"- `{name}` ({width}x{height}): {convention.text}.")
    head = ["paper", "network", "arguments", "parameters", "printed", "counted"]
    rows = []
    for convention, networks in PRINTED.items():
        for name, overrides, printed in networks:
            model = create_model(name, **overrides)
            number = costs.cost(model, convention)[0] / 1e9
            words = ", ".join(f"{k}={v}" for k, v in overrides.items())
            beside = ["", f"{number:.1f}", ""]
            if printed is not None:
                beside[0] = f"{printed:.1f}"
                beside[2] = f"{100 * (number / printed - 1):+.1f} %"
            cells = [f"`{convention}`", f"`{name}`", words, f"{model.count_params():,}"]
            rows.append([*cells, *beside])
    table = markdown_table([*head, "difference"], rows, num_texts=3)
    return "\n".join([*lines, "", table, *REMARKS]) + "\n"


REMARKS = (
    "Rows that no convention tried explains: DPDNet's 1980 in KPAC's table, which in",
    "GKMNet's stands as 4042.5, 1980 times (1680 x 1120) / (1280 x 720); the graph of",
    "the released network has 769.5 G multiply-adds at 1280x720, twice which is 1539.",
    "GKMNet's 3117.6 for SRN, of which it prints more parameters than any form of it",
    "has. K3DN's 349 for KPAC, 794 for IFAN, 1661 for DDDNet and 3682 for DeepRFT: two",
    "conventions and two sizes at least stand in one column. RDPD+ is given one",
    "photograph. Rows without a printed number are of networks that the four papers do",
    "not name, or name with two views.",
)


def main(_):
    """Counts one network, or writes the page."""
    from tf_defocus import whole_files

    if PAGE.value:
        whole_files.write_text(PAGE.value, page())
        print(f"written: {PAGE.value}")
        return
    if not NAME.value:
        raise ValueError("--name or --page is needed; `tf-defocus models` lists names")
    size = cost.parse_size(SIZE.value) if SIZE.value else None
    found = describe(NAME.value, CONVENTION.value, size)
    width, height = found["size"]
    print(f"{found['name']}, one image of {width}x{height} px")
    print(f"  parameters  {found['parameters']:>15,}")
    print(f"  {found['convention']:<10}  {found['count'] / 1e9:>13.2f} G")
    for layer, macs in found["macs_by_layer"].items():
        print(f"    {layer:<32}{macs / 1e9:>10.3f} G")
    if JSON.value:
        whole_files.write_text(JSON.value, json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    commands.run(main)
