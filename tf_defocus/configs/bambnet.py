"""BaMBNet's recipe (Liang et al., JAS 2022), as its released options have it.

    python tools/train.py --recipe bambnet_paper --manual_dir DPDD \\
        --set 'blur_radius_weights="blur_radius.npz"'

100 epochs of absolute error on whole 512x512 patches of DPDD in 16 bits, batch 2, no
augmentation; Adam at 2e-4, halved every 30 epochs. The masks that part the branches
fade in the first 20,000 steps; they come from a `BlurRadiusNetwork`, whose weights the
recipe is given and without which it trains all branches on all pixels. That network the
authors trained for 7 epochs in batches of 4 by Adam at 2e-5, on 1000 times
`ops.view_reblurring.view_disagreement`, with 1e-5 times `total_variation` from step
3000 on. Papers that compare with it print PSNR 26.40 on the DPDD test set.
"""

from tf_defocus.configs.recipe import Recipe

EPOCH = 3500  # steps: 7000 patches in batches of 2

RECIPES = [
    Recipe(
        name="bambnet_paper",
        model="bambnet",
        dataset="dpdd/patches_512_16bit",
        crop_size=512,
        batch_size=2,
        num_steps=100 * EPOCH,
        learning_rate=2e-4,
        decay="step",
        decay_boundaries=tuple(epochs * EPOCH for epochs in (30, 60, 90)),
        decay_factor=0.5,
        losses=(("mae", 1.0),),
    ),
]
