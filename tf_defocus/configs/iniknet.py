"""INIKNet's recipe (Quan et al., ICCV 2023), as its released code has it.

    python tools/train.py --recipe iniknet_paper --manual_dir DPDD --output runs/a

5000 epochs of 256x256 crops, batch 4, in all eight orientations; Adam at 2e-4, halved
at epochs 1200, 2400 and 3600. Squared error and a tenth of the absolute difference of
the spectra, at three scales. Left out are a tenth of LPIPS and of the absolute
difference of VGG-19 features, which the code adds.
"""

from tf_defocus.configs.recipe import Recipe

EPOCH = 88  # steps: 350 scenes in batches of 4, the last of two

RECIPES = [
    Recipe(
        name="iniknet_paper",
        model="iniknet",
        dataset="dpdd/full_8bit",
        crop_size=256,
        batch_size=4,
        num_steps=5000 * EPOCH,
        learning_rate=2e-4,
        decay="step",
        decay_boundaries=tuple(epochs * EPOCH for epochs in (1200, 2400, 3600)),
        decay_factor=0.5,
        losses=(("mse", 1.0), ("fourier_parts", 0.1)),
        scale_weights=(1.0, 1.0, 1.0),
        target_pyramid="bilinear",
        augmentation="restormer",
    ),
]
