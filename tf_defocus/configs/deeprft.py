"""DeepRFT's recipe (Mao et al., AAAI 2023), as its released code has it.

    python tools/train.py --recipe deeprft_paper --manual_dir DPDD --output runs/a

3000 epochs of 512x512 crops, batch 16; Adam at 2e-4, by a cosine to 1e-6. Three losses,
summed over three scales. Epochs and batch are the code's defaults: those of the DPDD
result, PSNR 25.71, were not released. Left out are the rate's first three epochs, in
which it rises from zero, and the saturation of every third pair, changed by a fifth at
most; the authors' flips and turns leave two crops in nine alone, here it is one in
eight.
"""

from tf_defocus.configs.recipe import Recipe

EPOCH = 21  # steps: 350 scenes in batches of 16, the last, incomplete one dropped

RECIPES = [
    Recipe(
        name="deeprft_paper",
        model="deeprft",
        dataset="dpdd/full_8bit",
        crop_size=512,
        batch_size=16,
        num_steps=3000 * EPOCH,
        learning_rate=2e-4,
        final_learning_rate=1e-6,
        decay="cosine",
        losses=(("charbonnier", 1.0), ("edge", 0.05), ("fourier", 0.01)),
        scale_weights=(1.0, 1.0, 1.0),
        target_pyramid="binomial",
        augmentation="restormer",
    ),
]
