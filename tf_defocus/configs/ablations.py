"""The papers' ablation tables as variants that `tools/reproduce/ablation.py` trains.

    python tools/reproduce/ablation.py --ablation kpac_table_2 --seeds 0,1 \\
        --output results/t2 --train_arrays ARRAYS/train \\
        --validation_arrays ARRAYS/validation

IFAN's, GKMNet's and K3DN's rows are their recipes at the paper's budget; `--num_steps`,
`--crop_size` and `--recipe` make it smaller.
"""

import dataclasses

from tf_defocus import configs


@dataclasses.dataclass(frozen=True)
class Variant:
    """One row.

    Attributes:
        name: str, also the folder of its runs.
        overrides: dict, constructor arguments that differ from the recipe's.
        method: str, the row's name in `paper_results`, or "" if the paper has none.
        changes: dict, other fields that differ from the recipe's.
    """

    name: str
    overrides: dict
    method: str = ""
    changes: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Ablation:
    """One table.

    Attributes:
        name: str.
        recipe: str, the budget, of `configs.list_recipes()`.
        variants: tuple of `Variant`.
        paper, table: where the paper's numbers are, or "" and 0.
        note: str, what differs from the paper's table.
    """

    name: str
    recipe: str
    variants: tuple
    paper: str = ""
    table: int = 0
    note: str = ""


def _of_recipes(paper, table, budget, rows, note=""):
    """An `Ablation` whose variants are recipes, by what they change of `budget`.

    Args:
        paper, table, note: of `Ablation`.
        budget: str, name of the recipe of the paper's own network.
        rows: dict, name of a recipe -> the row's name in `paper_results`.
    """
    base, variants = configs.get_recipe(budget), []
    for name, method in rows.items():
        recipe = configs.get_recipe(name)
        values = {f.name: getattr(recipe, f.name) for f in dataclasses.fields(recipe)}
        changes = {
            key: value
            for key, value in values.items()
            if value != getattr(base, key) and key not in ("name", "overrides")
        }
        variants.append(Variant(name, recipe.overrides, method, changes))
    return Ablation(
        f"{paper}_table_{table}", budget, tuple(variants), paper, table, note
    )


_ABLATIONS = (
    Ablation(
        "kpac_table_1",
        "kpac_2level_synthetic",
        (
            Variant("own_kernels", {"share_kernels": False}, "without sharing"),
            Variant("shared_kernels", {}, "with sharing"),
        ),
        "kpac",
        1,
    ),
    Ablation(
        "kpac_table_2",
        "kpac_2level_synthetic",
        (
            Variant("residual_blocks", {"num_residual_blocks": 10}, "residual blocks"),
            Variant(
                "atrous",
                {"scale_attention": False, "shape_attention": False},
                "atrous convolutions",
            ),
            Variant("shape", {"scale_attention": False}, "shape attention"),
            Variant("scale", {"shape_attention": False}, "scale attention"),
            Variant("scale_and_shape", {}, "scale and shape attention"),
        ),
        "kpac",
        2,
        "The paper says no more of its residual blocks than their 2.26 M parameters; "
        "which of its two middle rows is which follows from the parameter counts.",
    ),
    Ablation(
        "kpac_table_3",
        "kpac_2level_synthetic",
        (
            Variant("one_block", {"num_blocks": 1}, "1 block"),
            *(
                Variant(f"{word}_blocks", {"num_blocks": count}, f"{count} blocks")
                for count, word in ((2, "two"), (3, "three"), (4, "four"))
            ),
        ),
        "kpac",
        3,
    ),
    _of_recipes(
        "ifan",
        1,
        "ifan_n17",
        {
            "ifan_baseline": "none",
            "ifan_disparity": "DME",
            "ifan_filters": "FP+IAC",
            "ifan_filters_disparity": "FP+IAC, DME",
            "ifan_filters_reblurring": "FP+IAC, RBN",
            "ifan_n17": "FP+IAC, DME, RBN",
        },
        "How many residual blocks stand in the place of the filters is ours.",
    ),
    _of_recipes(
        "ifan",
        4,
        "ifan_n17",
        {
            f"ifan_n{n}": f"{n} ({2 * n + 1})"  # receptive field
            for n in (8, 17, 26, 35, 44)
        },
    ),
    _of_recipes("ifan", 5, "ifan_n17", {"ifan_fac": "FAC, k=11", "ifan_n17": "IAC"}),
    _of_recipes(
        "gkmnet",
        4,
        "gkmnet_paper",
        {
            "gkmnet_sram_alone": "SRAM",
            "gkmnet_single_scale": "GKMNet(1)",
            "gkmnet_without_convlstm": "no ConvLSTM",
            "gkmnet_kernels_learned": "learned kernels, random start",
            "gkmnet_gaussians_learned": "learned kernels, Gaussian start",
            "gkmnet_paper": "GKMNet",
        },
        "The paper does not count learned kernels among the parameters.",
    ),
    _of_recipes(
        "gkmnet",
        5,
        "gkmnet_paper",
        {
            "gkmnet_1_scales_3_iterations": "S=1, R=3",
            "gkmnet_2_scales_3_iterations": "S=2, R=3",
            "gkmnet_3_scales_2_iterations": "S=3, R=2",
            "gkmnet_paper": "S=3, R=1",
        },
        "By the paper's counts the first row alone shares the weights of iterations.",
    ),
    _of_recipes(
        "k3dn",
        4,
        "k3dn_lightweight_joint",
        {
            "k3dn_lightweight_joint": "PSF, SRP, reblurring",
            "k3dn_lightweight_without_reblurring": "PSF, SRP",
            "k3dn_lightweight_without_srp": "PSF, reblurring",
            "k3dn_lightweight_without_psf": "SRP",
            "k3dn_lightweight_psf_alone": "PSF",
        },
    ),
    _of_recipes(
        "k3dn",
        5,
        "k3dn_lightweight_joint",
        {
            "k3dn_lightweight_64_kernels": "N=64",
            "k3dn_lightweight_96_kernels": "N=96",
            "k3dn_lightweight_joint": "N=128",
            "k3dn_lightweight_160_kernels": "N=160",
            "k3dn_lightweight_192_kernels": "N=192",
        },
    ),
)
ABLATIONS = {ablation.name: ablation for ablation in _ABLATIONS}
