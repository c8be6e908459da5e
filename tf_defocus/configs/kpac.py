"""KPAC's recipes (Son et al., ICCV 2021, Sec. 5.1) and those of the shipped presets.

    python tools/train.py --recipe kpac_3level_synthetic --output runs/kpac_3level

The paper trains 200k iterations of mean absolute error at 1e-4 (its ablations stop
there), then 100k of MAE + 7e-4 perceptual loss at 5e-5, on 512x512 crops of DPDD,
batch 4: PSNR 25.24 (2 and 3 levels) and 25.86 (dual) on the DPDD test set.

    python tools/train.py --recipe kpac_3level_stage_a --manual_dir DPDD
    python tools/train.py --recipe kpac_3level_stage_b --manual_dir DPDD \\
        --vgg19_weights vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5
"""

from tf_defocus.configs import patch_pipelines
from tf_defocus.configs.recipe import Recipe
from tf_defocus.configs.short_runs import SYNTHETIC

# Sharp and slightly blurred images count as much as blurred ones. The weight makes the
# gradients as long as those of the mean absolute error, so that its rates and its
# clipping fit.
PSNR = (("psnr_loss", 0.004),)


def _stage_a(model, **changes):
    return Recipe(
        name=f"{model}_stage_a",
        model=model,
        **patch_pipelines.KPAC,
        beta_2=0.99,
        num_steps=200_000,
        learning_rate=1e-4,
    ).replace(**changes)


def _stage_b(name, model=None, **changes):
    """Starts from stage A's run; the perceptual weight is the paper's."""
    return _stage_a(
        model or name,
        name=f"{name}_stage_b",
        num_steps=100_000,
        learning_rate=5e-5,
        losses=(("mae", 1.0), ("perceptual", 7e-4)),
        initial_run=f"{name}_stage_a",
        **changes,
    )


def _synthetic(model, **changes):
    """A short run at a higher rate than the paper's."""
    return Recipe(
        name=f"{model}_synthetic",
        model=model,
        **SYNTHETIC,
        batch_size=4,
        num_steps=9_500,
        learning_rate=4e-4,
        beta_2=0.99,
        clip_norm=0.2,
    ).replace(**changes)


def _free(model, **changes):
    """Trains on photographs under free licences, so that anyone may use the weights.

    The data hold exposure and sensor noise already; half of the crops get white noise
    as well, lest the network take the dither of small files for texture.
    """
    return _synthetic(
        model,
        name=f"{model}_free",
        dataset="synthetic_dp/free_photos",
        learning_rate=8e-4,
        gain_range=(1.0, 1.0),
        noise_range=(-0.02, 0.02),
        validate_every=500,
        checkpoint_every=100,
    ).replace(**changes)


RECIPES = [
    *(_stage_a(m) for m in ("kpac_2level", "kpac_3level", "kpac_3level_dual")),
    # Table 8, lower row: of 0 to 3 % (App. G names neither network nor stages).
    _stage_a("kpac_2level", name="kpac_2level_noise_stage_a", noise_range=(0.0, 0.03)),
    _stage_b("kpac_2level_noise", "kpac_2level", noise_range=(0.0, 0.03)),
    *(_stage_b(m) for m in ("kpac_2level", "kpac_3level", "kpac_3level_dual")),
    _synthetic("kpac_3level"),
    # A second, shorter descent from the end of the first.
    _synthetic(
        "kpac_3level",
        name="kpac_3level_synthetic_continued",
        initial_run="kpac_3level_synthetic",
        num_steps=4_000,
        learning_rate=3e-4,
        seed=1,
    ),
    # The budget of the ablations (`configs/ablations.py`): smaller crops, and a
    # higher rate: it gained 0.23 dB in 700 steps, the other recipes' 0.12.
    _synthetic(
        "kpac_2level",
        crop_size=96,
        num_steps=2_200,
        learning_rate=1.5e-3,
        ema_decay=0.99,
    ),
    # The dual network starts from the single one: all weights but the first kernel fit.
    _synthetic(
        "kpac_3level_dual",
        initial_run="kpac_3level_synthetic",
        num_steps=9_000,
        learning_rate=3e-4,
    ),
    # The budget of the data's ablations (`configs/data_ablations.py`).
    _free(
        "kpac_2level",
        crop_size=96,
        num_steps=2_200,
        learning_rate=1.5e-3,
        ema_decay=0.99,
    ),
    # At a constant rate, on what is rendered first; then the descent, and longer ones
    # from there, on more examples (`docs/training_presets.md`).
    _free(
        "kpac_3level",
        name="kpac_3level_free_start",
        num_steps=800,
        decay="constant",
    ),
    _free(
        "kpac_3level",
        initial_run="kpac_3level_free_start",
        num_steps=3_500,
        seed=1,
    ),
    _free(
        "kpac_3level",
        name="kpac_3level_free_continued",
        initial_run="kpac_3level_free",
        num_steps=60_000,
        learning_rate=4e-4,
        ema_decay=0.999,
        seed=2,
    ),
    _free(
        "kpac_3level",
        name="kpac_3level_free_psnr",
        losses=PSNR,
        initial_run="kpac_3level_free_continued",
        num_steps=11_000,
        learning_rate=5e-4,
        ema_decay=0.999,
        seed=4,
    ),
    _free(
        "kpac_3level_dual",
        losses=PSNR,
        initial_run="kpac_3level_free_psnr",
        num_steps=60_000,
        learning_rate=4e-4,
        ema_decay=0.999,
    ),
]
