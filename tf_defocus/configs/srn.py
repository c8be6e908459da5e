"""SRN's recipe (Tao et al., CVPR 2018), as its released code has it, on DPDD.

    python tools/train.py --recipe srn_paper --manual_dir DPDD --output runs/a

4000 epochs of 256x256 crops, batch 16, no augmentation; Adam at 1e-4, which falls to
zero as the remaining share of the steps to the power 0.3; the squared errors of the
three scales are summed, each against every second pixel of the finer one's target.
GKMNet's authors say only that they retrained it on their data: PSNR 24.61.
"""

from tf_defocus.configs.recipe import Recipe

EPOCH = 21  # steps: 350 scenes in batches of 16, the last, incomplete one dropped


def _paper(name, **changes):
    return Recipe(
        name=name,
        model="srn",
        dataset="dpdd/full_8bit",
        crop_size=256,
        batch_size=16,
        num_steps=4000 * EPOCH,
        learning_rate=1e-4,
        decay="linear",
        decay_power=0.3,
        losses=(("mse", 1.0),),
        scale_weights=(1.0, 1.0, 1.0),
        target_pyramid="every_second_pixel",
    ).replace(**changes)


RECIPES = [
    _paper("srn_paper"),
    _paper("srn_color", overrides={"recurrent": False}),
]
