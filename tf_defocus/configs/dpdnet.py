"""DPDNet's recipes (Abuolaim and Brown, ECCV 2020), and one for rendered defocus.

    python tools/train.py --recipe dpdnet_dual_paper --manual_dir DPDD --output runs/a

200 epochs of squared error on 7000 patches of 512x512 in 16 bits, batch 5, no
augmentation; the rate, 2e-5, is halved every 60 epochs. Papers that compare with it
print PSNR 25.12 to 25.23 (dual) and 24.03 to 24.42 (single) for the DPDD test set. The
authors keep the weights of the least training loss, this loop the last; colours are
red, green, blue here, the reverse there.
"""

from tf_defocus.configs.recipe import Recipe
from tf_defocus.configs.short_runs import SYNTHETIC

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
    """A short run at an eighth of the width: 0.5 M parameters."""
    return Recipe(
        name=f"{model}_synthetic",
        model=model,
        overrides={"base_filters": 8},
        **SYNTHETIC,
        batch_size=8,
        num_steps=12_000,
        learning_rate=5e-4,
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
