"""The papers' ablation tables as variants that `tools/reproduce/ablation.py` trains.

    python tools/reproduce/ablation.py --ablation kpac_table_2 --seeds 0,1 \\
        --output results/t2 --train_arrays ARRAYS/train \\
        --validation_arrays ARRAYS/validation
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Variant:
    """One row.

    Attributes:
        name: str, also the folder of its runs.
        overrides: dict, constructor arguments that differ from the recipe's.
        method: str, the row's name in `paper_results`, or "" if the paper has none.
    """

    name: str
    overrides: dict
    method: str = ""


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
)
ABLATIONS = {ablation.name: ablation for ablation in _ABLATIONS}
