"""Restormer's recipes (Zamir et al., CVPR 2022, Secs. 3.3 and 4).

    python tools/train.py --recipe restormer_paper --manual_dir DPDD --output runs/a

300,000 steps of AdamW with weight decay 1e-4 on everything, absolute error, a rate that
falls from 3e-4 to 1e-6 along a cosine; crops grow from 128 to 384 px as batches shrink
from 64 to 8. PSNR 25.98 (single) and 26.66 dB (dual) on the DPDD test set.

Of what the paper leaves open, the clipped gradient norm and the eight orientations are
those of the released code. It holds the rate for the first 92,000 steps, which only
`*_released` does. It cuts all crops of a step at one place, out of a larger crop each;
here every example has its own. It turns dual-pixel views too, which `*_paper` does not.
"""

from tf_defocus.configs import patch_pipelines
from tf_defocus.configs.recipe import Recipe
from tf_defocus.configs.short_runs import SYNTHETIC

_HOLD = patch_pipelines.RESTORMER_STAGES[0][0]
# The optimizer and its rate, which others took over.
SCHEDULE = {
    "optimizer": "adamw",
    "learning_rate": 3e-4,
    "final_learning_rate": 1e-6,
    "decay": "cosine",
    "weight_decay": 1e-4,
}


def paper(name, model="restormer", pipeline=patch_pipelines.RESTORMER, **changes):
    """The paper's training, of any network."""
    return Recipe(
        name=name,
        model=model,
        **pipeline,
        crop_schedule=patch_pipelines.RESTORMER_CROPS,
        **SCHEDULE,
        num_steps=300_000,
        clip_norm=0.01,
        losses=(("mae", 1.0),),
    ).replace(**changes)


_DUAL = {"model": "restormer_dual", "pipeline": patch_pipelines.RESTORMER_DUAL}

RECIPES = [
    paper("restormer_paper"),
    paper("restormer_dual_paper", **_DUAL, augmentation_options={}),
    paper("restormer_released", hold_steps=_HOLD),
    paper("restormer_dual_released", **_DUAL, hold_steps=_HOLD),
    # A short run at a third of the width, at a higher rate than the paper's.
    Recipe(
        name="restormer_synthetic",
        model="restormer",
        overrides={
            "base_filters": 16,
            "num_blocks": [1, 1, 1, 2],
            "num_refinement_blocks": 1,
        },
        **SYNTHETIC,
        batch_size=4,
        num_steps=12_000,
        optimizer="adamw",
        learning_rate=5e-4,
        weight_decay=1e-4,
        clip_norm=0.1,
    ),
]
