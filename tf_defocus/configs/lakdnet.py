"""LaKDNet's recipes (Ruan et al., 2023): a training for it, and not its authors'.

    python tools/train.py --recipe lakdnet_small --manual_dir DPDD --output runs/a

Its training was not released. These take that of Restormer, whose frame it shares:
AdamW, growing crops, a cosine from 3e-4 to 1e-6. The absolute error is joined by that
of the Fourier transforms, as its paper is said to do. Published PSNR on the DPDD test
set: 26.15 (small), 26.25 (large), 26.72 and 26.89 dB with the two views.
"""

from tf_defocus.configs import patch_pipelines, restormer


def _like_restormer(model, pipeline=patch_pipelines.RESTORMER):
    return restormer.paper(
        model,
        model,
        pipeline,
        augmentation_options={},
        losses=(("mae", 1.0), ("fourier_parts", 0.1)),
    )


RECIPES = [
    *(_like_restormer(f"lakdnet_{size}") for size in ("small", "large")),
    *(
        _like_restormer(f"lakdnet_{size}_dual", patch_pipelines.RESTORMER_DUAL)
        for size in ("small", "large")
    ),
]
