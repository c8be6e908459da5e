"""IFAN's recipes (Lee et al., CVPR 2021, Sec. 4.1), and a short one.

    python tools/train.py --recipe ifan_n17 --manual_dir DPDD --output runs/ifan_n17

The paper trains 600k iterations of RAdam (0.9, 0.99) with decoupled weight decay 0.01,
batch 8, at 1e-4, halved after 500k and again after 550k, gradients clipped at a norm of
0.5; the squared errors of the deblurred image, of the warped view and of the reblurred
image weigh the same. PSNR 25.37 (N = 17) on the DPDD test set.

`ifan_released` and `ifan_n26_released` ... are the released configurations: filters
applied as there, a beta_2 of 0.999, for other N other crops and reblurring iterations.
"""

from tf_defocus.configs import patch_pipelines
from tf_defocus.configs.recipe import Recipe
from tf_defocus.configs.short_runs import SYNTHETIC

# Of the reblurring network: the paper's, and by N those of the released configurations.
REBLURRING_ITERATIONS = 17
RELEASED_REBLURRING = {8: 8, 17: 17, 26: 9, 35: 17, 44: 17}

_NO_REBLURRING = {"reblurring_weight": 0.0, "reblurring": {}}
_NO_DISPARITY = {"disparity_weight": 0.0}


def _paper(name, num_iterations=17, overrides=(), **changes):
    return Recipe(
        name=name,
        model="ifan",
        overrides={"num_iterations": num_iterations, **dict(overrides)},
        **patch_pipelines.IFAN,
        num_steps=600_000,
        optimizer="rectified_adam",
        learning_rate=1e-4,
        decay="step",
        decay_boundaries=(500_000, 550_000),
        decay_factor=0.5,
        beta_1=0.9,
        beta_2=0.99,
        weight_decay=0.01,
        clip_norm=0.5,
        losses=(("mse", 1.0),),
        disparity_weight=1.0,
        reblurring_weight=1.0,
        reblurring={"num_iterations": REBLURRING_ITERATIONS},
    ).replace(**changes)


def _released(num_iterations):
    name = "ifan" if num_iterations == 17 else f"ifan_n{num_iterations}"
    return _paper(
        f"{name}_released",
        num_iterations,
        {"variant": "released"},
        beta_2=0.999,
        crop_size=patch_pipelines.IFAN_CROP_SIZES[num_iterations],
        reblurring={"num_iterations": RELEASED_REBLURRING[num_iterations]},
    )


def _components():
    """Table 1 above its last row, `ifan_n17`: filters, disparity, reblurring."""
    no_disparity = {"use_disparity": False}
    no_filters = {"adaptive_filters": None}
    return [
        _paper(
            "ifan_baseline",
            overrides={**no_filters, **no_disparity},
            **_NO_DISPARITY,
            **_NO_REBLURRING,
        ),
        _paper("ifan_disparity", overrides=no_filters, **_NO_REBLURRING),
        _paper(
            "ifan_filters", overrides=no_disparity, **_NO_DISPARITY, **_NO_REBLURRING
        ),
        _paper("ifan_filters_disparity", **_NO_REBLURRING),
        _paper("ifan_filters_reblurring", overrides=no_disparity, **_NO_DISPARITY),
    ]


def _synthetic(name, **changes):
    """Trains on rendered defocus within an hour on two CPU cores.

    Not the paper's, which trains 600,000 steps. From random filters nothing is left of
    the features after N iterations, and a short run learns from the skips alone, so
    this one starts at the identity. A higher rate that decays to zero, absolute errors,
    and a smaller reblurring network with a tenth of the weight: larger ones diverged.
    The rate is near the limit, see the model card. Flips, colours, exposure and noise
    widen the small set.
    """
    return Recipe(
        name=name,
        model="ifan_compact",
        overrides={"start": "identity"},
        **SYNTHETIC,
        batch_size=4,
        num_steps=6_000,
        optimizer="rectified_adam",
        learning_rate=1e-3,
        beta_2=0.99,
        weight_decay=0.01,
        clip_norm=0.1,
        disparity_weight=1.0,
        reblurring_weight=0.1,
        reblurring={
            "start": "identity",
            "filter_scale": 0.01,
            "num_iterations": 2,
            "filter_size": 5,
            "base_filters": 8,
        },
        validate_every=500,
    ).replace(**changes)


RECIPES = [
    *(_paper(f"ifan_n{n}", n) for n in RELEASED_REBLURRING),  # Table 4
    _paper("ifan_dual", model="ifan_dual"),
    _paper("ifan_16bit", dataset="dpdd/full_16bit"),
    *(_released(n) for n in RELEASED_REBLURRING),
    _paper(  # Table 5
        "ifan_fac",
        overrides={"adaptive_filters": "fac", "filter_size": 11},
        reblurring={},
    ),
    *_components(),
    _synthetic("ifan_compact_synthetic"),
    # The same network without the two tasks, for the curve beside. At 1e-3 its filters
    # grow until, after some 550 steps, N of them overflow.
    _synthetic(
        "ifan_compact_synthetic_alone",
        learning_rate=6e-4,
        **_NO_DISPARITY,
        **_NO_REBLURRING,
    ),
]
