"""NRKNet's recipes (Quan et al., CVPR 2023), after its released code.

    python tools/train.py --recipe nrknet_paper --manual_dir DPDD --output runs/a

5000 epochs of 256x256 crops, flipped and turned, batch 4; Adam at 1e-4, at half of that
from epoch 2000, a quarter from 3001 and a tenth from 4001. The sums of the three series
weigh 0.25, 0.5 and 0.75 from coarse to fine, the output 1; each by its squared error
and the absolute parts of its Fourier transform, from epoch 1000 on in turns of a
hundred by SSIM instead. PSNR 26.11 on the DPDD test set, normalised by the statistics
of the test image.

The paper's reblurring error is computed by the code, weighted as the series are, and
then left out of the sum: `nrknet_released` leaves it out too. The code also returns to
its best weights at epochs 2000, 3000 and 4000; this loop goes on.
"""

from tf_defocus.configs import patch_pipelines
from tf_defocus.configs.recipe import Recipe

EPOCH = 87  # steps: 350 scenes in batches of 4, the last, incomplete one dropped
_ERRORS = (("mse", 1.0), ("fourier_parts", 0.1))
_SSIM = (("ssim", 1.0),)
_SCALES = (("_quarter", 0.25), ("_half", 0.5), ("", 0.75))
_SERIES = tuple((f"series{name}", weight) for name, weight in _SCALES)
_REBLURRING = tuple(
    (f"reblurring{name}", weight, (("mse", 1.0),)) for name, weight in _SCALES
)


def _turns():
    """(first step, losses): of every 200 epochs from 1000 on, the last 99 by SSIM."""
    turns = [(0, _ERRORS)]
    for start in range(1000, 5000, 200):
        turns += [(start + 101, _SSIM), (start + 200, _ERRORS)]
    return tuple((epoch * EPOCH, losses) for epoch, losses in turns[:-1])


def _paper(name, tasks):
    return Recipe(
        name=name,
        model="nrknet",
        **patch_pipelines.GKMNET_LATER,
        num_steps=5000 * EPOCH,
        learning_rate=1e-4,
        decay="step",
        decay_boundaries=tuple(epoch * EPOCH for epoch in (2000, 3001, 4001)),
        decay_factor=(0.5, 0.25, 0.1),
        loss_schedule=_turns(),
        tasks=tasks,
    )


RECIPES = [
    _paper("nrknet_paper", (*_SERIES, *_REBLURRING)),
    _paper("nrknet_released", _SERIES),
]
