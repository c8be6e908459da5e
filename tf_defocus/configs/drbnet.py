"""DRBNet's recipes (Ruan et al., CVPR 2022): light-field pairs first, then real ones.

    python tools/train.py --recipe drbnet_lfdof --manual_dir LFDOF
    python tools/train.py --recipe drbnet_paper --manual_dir DPDD --set \\
        vgg19_weights=VGG19.h5

First the pixels of LFDOF, whose pairs are rendered from light fields and so agree to
the pixel; then DPDD, whose pairs do not quite, by VGG features. PSNR 25.73 (single,
25.47 without the first stage) and 26.33 dB (dual) on the DPDD test set.

No training code was released. That there are two stages, their sets and their losses is
the paper's; all numbers are our choice, near KPAC's.
"""

from tf_defocus.configs.recipe import Recipe
from tf_defocus.configs.short_runs import SYNTHETIC


def _stage(name, **changes):
    return Recipe(
        name=name,
        model="drbnet",
        crop_size=256,
        batch_size=8,
        num_steps=200_000,
        learning_rate=1e-4,
        final_learning_rate=1e-6,
        decay="cosine",
        losses=(("mae", 1.0),),
        flip_probability=0.5,
    ).replace(**changes)


def _fine_tuning(name, **changes):
    return _stage(
        name,
        dataset="dpdd/full_8bit",
        num_steps=100_000,
        learning_rate=5e-5,
        losses=(("mae", 1.0), ("perceptual", 7e-4)),
    ).replace(**changes)


RECIPES = [
    _stage("drbnet_lfdof", dataset="lfdof"),
    _fine_tuning("drbnet_paper", initial_run="drbnet_lfdof"),
    _fine_tuning("drbnet_dpdd"),
    _fine_tuning("drbnet_dual_dpdd", model="drbnet_dual"),
    # A short run at a quarter of the width: 0.7 M parameters.
    _stage(
        "drbnet_synthetic",
        overrides={"base_filters": 8},
        **SYNTHETIC,
        num_steps=12_000,
        learning_rate=5e-4,
    ),
]
