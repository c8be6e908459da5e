"""DPDNet's recipes (Abuolaim and Brown, ECCV 2020), and one for rendered defocus.

    python tools/train.py --recipe dpdnet_dual_paper --manual_dir DPDD --output runs/a

200 epochs of squared error on 7000 patches of 512x512 in 16 bits, batch 5, no
augmentation; the rate, 2e-5, is halved every 60 epochs. Papers that compare with it
print PSNR 25.12 to 25.23 (dual) and 24.03 to 24.42 (single) for the DPDD test set. The
authors keep the weights of the least training loss, this loop the last; colours are
red, green, blue here, the reverse there.
"""

from tf_defocus.configs.recipe import Recipe

EPOCH = 1400  # steps: 350 scenes of 20 patches, in batches of 5


def _paper(model, **changes):
    return Recipe(
        name=f"{model}_paper",
        model=model,
        dataset="dpdd/patches_512_16bit",
        crop_size=512,
        batch_size=5,
        num_steps=200 * EPOCH,
        learning_rate=2e-5,
        decay="step",
        decay_boundaries=tuple(epochs * EPOCH for epochs in (60, 120, 180)),
        decay_factor=0.5,
        epsilon=1e-7,
        losses=(("mse", 1.0),),
    ).replace(**changes)


def _synthetic(model):
    """An hour on two CPU cores, at an eighth of the width: 0.5 M parameters.

    Not the paper's: so short a run takes a higher rate that decays to zero and the
    absolute error; flips, colours, exposure and noise widen the small set.
    """
    return Recipe(
        name=f"{model}_synthetic",
        model=model,
        overrides={"base_filters": 8},
        dataset="synthetic_dp/photos",
        crop_size=128,
        batch_size=8,
        num_steps=12_000,
        learning_rate=5e-4,
        final_learning_rate=1e-6,
        decay="cosine",
        ema_decay=0.998,
        losses=(("mae", 1.0),),
        flip_probability=0.5,
        color_permutation=True,
        gain_range=(0.8, 1.2),
        noise_range=(-0.01, 0.025),
        precision="mixed_bfloat16",
    )


RECIPES = [
    *(_paper(model) for model in ("dpdnet_dual", "dpdnet_single")),
    # The later papers train it on 8 bits: [IFAN Tab. 2].
    _paper(
        "dpdnet_single",
        name="dpdnet_single_8bit",
        dataset="dpdd/patches_512_8bit",
    ),
    *(_synthetic(model) for model in ("dpdnet_dual", "dpdnet_single")),
]
