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

_HOLD = patch_pipelines.RESTORMER_STAGES[0][0]


def _paper(name, model="restormer", pipeline=patch_pipelines.RESTORMER, **changes):
    return Recipe(
        name=name,
        model=model,
        **pipeline,
        crop_schedule=patch_pipelines.RESTORMER_CROPS,
        num_steps=300_000,
        optimizer="adamw",
        learning_rate=3e-4,
        final_learning_rate=1e-6,
        decay="cosine",
        weight_decay=1e-4,
        clip_norm=0.01,
        losses=(("mae", 1.0),),
    ).replace(**changes)


_DUAL = {"model": "restormer_dual", "pipeline": patch_pipelines.RESTORMER_DUAL}

RECIPES = [
    _paper("restormer_paper"),
    _paper("restormer_dual_paper", **_DUAL, augmentation_options={}),
    _paper("restormer_released", hold_steps=_HOLD),
    _paper("restormer_dual_released", **_DUAL, hold_steps=_HOLD),
    # Hours on two CPU cores, at a third of the width. Not the paper's: so short a run
    # takes a higher rate; flips, colours, exposure and noise widen the small set.
    Recipe(
        name="restormer_synthetic",
        model="restormer",
        overrides={
            "base_filters": 16,
            "num_blocks": [1, 1, 1, 2],
            "num_refinement_blocks": 1,
        },
        dataset="synthetic_dp/photos",
        crop_size=128,
        batch_size=4,
        num_steps=12_000,
        optimizer="adamw",
        learning_rate=5e-4,
        final_learning_rate=1e-6,
        decay="cosine",
        weight_decay=1e-4,
        clip_norm=0.1,
        ema_decay=0.998,
        losses=(("mae", 1.0),),
        flip_probability=0.5,
        color_permutation=True,
        gain_range=(0.8, 1.2),
        noise_range=(-0.01, 0.025),
        precision="mixed_bfloat16",
    ),
]
