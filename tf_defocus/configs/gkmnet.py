"""GKMNet's recipes (Quan et al., NeurIPS 2021, Sec. 4.1) and the shipped preset's.

    python tools/train.py --recipe gkmnet_synthetic --manual_dir PHOTOS --output runs/a

The paper trains 3000 epochs of 87 steps on 256x256 crops of DPDD, batch 4, by Adam at
1e-4, from epoch 2000 on at 1e-5; squared error for 1000 epochs, then SSIM and squared
error in turns of 500; the losses of the three scales are summed. PSNR 25.47 on the DPDD
test set, normalised by the statistics of the test batch.
"""

from tf_defocus.configs import patch_pipelines
from tf_defocus.configs.recipe import Recipe
from tf_defocus.configs.short_runs import SYNTHETIC

EPOCH = 87  # steps: 350 scenes in batches of 4, the last, incomplete one dropped
_MSE = (("mse", 1.0),)
_SSIM = (("ssim", 1.0),)


def _paper(name, **changes):
    return Recipe(
        name=name,
        model="gkmnet",
        **patch_pipelines.GKMNET,
        num_steps=3000 * EPOCH,
        learning_rate=1e-4,
        decay="step",
        decay_boundaries=(2000 * EPOCH,),
        decay_factor=0.1,
        scale_weights=(1.0, 1.0, 1.0),
        # "iterations" in the paper's text: they can only be epochs
        loss_schedule=tuple(
            (epoch * EPOCH, losses)
            for epoch, losses in (
                (0, _MSE),
                (1000, _SSIM),
                (1500, _MSE),
                (2000, _SSIM),
                (2500, _MSE),
            )
        ),
    ).replace(**changes)


def _released():
    """The later code: turns of 100 epochs, 4000 of them, flips and rotations."""
    turns = [(0, _MSE)]
    for thousand in (1000, 2000, 3000):
        for start in range(thousand, thousand + 1000, 200):
            turns += [(start, _SSIM), (start + 100, _MSE)]
    return _paper(
        "gkmnet_released",
        overrides={"variant": "released"},
        **patch_pipelines.GKMNET_LATER,
        num_steps=4000 * EPOCH,
        decay_boundaries=(3000 * EPOCH,),
        loss_schedule=tuple((epoch * EPOCH, losses) for epoch, losses in turns),
    )


def _ablations():
    """Table 4 and Table 5 by their names in the paper."""
    changes = {
        "single_scale": {"num_scales": 1},
        "without_convlstm": {"recurrent": False},
        "sram_alone": {"gaussian_mixture": False},
        "gaussians_learned": {"trainable_gaussians": True},
        "kernels_learned": {"trainable_gaussians": "random"},
        "literal_bank": {"bank": "paper21"},
    }
    for name, overrides in changes.items():
        scales = (1.0,) * overrides.get("num_scales", 3)
        yield _paper(f"gkmnet_{name}", overrides=overrides, scale_weights=scales)
    # 1.41, 4.22 and 2.81 million parameters: the first alone shares its weights
    for scales, iterations, share in ((1, 3, True), (2, 3, False), (3, 2, False)):
        yield _paper(
            f"gkmnet_{scales}_scales_{iterations}_iterations",
            overrides={
                "num_scales": scales,
                "num_iterations": iterations,
                "share_iterations": share,
            },
            scale_weights=(1.0,) * scales,
        )


RECIPES = [
    _paper("gkmnet_paper"),
    _released(),
    # GKMNet+ of Tables 2 and 3, "retrained on the noisier training set": of 0 to 5
    # levels of 255, the strongest of Table 2, as the paper does not print how noisy.
    _paper("gkmnet_plus", noise_range=(0.0, 5 / 255)),
    *_ablations(),
    # A short run at a higher rate, with one absolute error in place of the turns.
    Recipe(
        name="gkmnet_synthetic",
        model="gkmnet",
        **SYNTHETIC,
        batch_size=4,
        num_steps=4_200,
        learning_rate=1e-3,
        beta_2=0.99,
        clip_norm=0.2,
        scale_weights=(1.0, 0.5, 0.25),
    ),
]
