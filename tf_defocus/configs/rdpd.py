"""RDPD's recipe (Abuolaim et al., ICCV 2021), for the real half of its data.

    python tools/train.py --recipe rdpd_paper --manual_dir DPDD --output runs/a

140 epochs of squared error; Adam at 5e-5, halved every 40 epochs. The authors of RDPD+
take steps on eight 512x512 patches of a photograph of DPDD and on two clips of four
rendered frames in turn; here are the former, of eight photographs, and one frame never
meets the recurrent kernel. Their choice of the sharpest patches is left out. They keep
the weights of the least training loss, this loop the last. PSNR 25.39 on the DPDD test
set with both halves.
"""

from tf_defocus.configs.recipe import Recipe

EPOCH = 350  # steps on photographs; as many on clips are between them

RECIPES = [
    Recipe(
        name="rdpd_paper",
        model="rdpd",
        dataset="dpdd/full_8bit",
        crop_size=512,
        batch_size=8,
        num_steps=140 * EPOCH,
        learning_rate=5e-5,
        decay="step",
        decay_boundaries=tuple(epoch * EPOCH for epoch in (40, 80, 120)),
        decay_factor=0.5,
        epsilon=1e-7,
        losses=(("mse", 1.0),),
    ),
]
