"""MDP's recipes (Abuolaim, Afifi and Brown, WACV 2022), and one for rendered defocus.

    python tools/train.py --recipe mdp_views_paper --manual_dir DLDP \\
        --train_split "test[:95%]" --validation_split "test[95%:]"
    python tools/train.py --recipe mdp_paper --manual_dir DPDD

First the views alone, 60 epochs on dual-pixel photographs that have no sharp twin (the
folder's `target` is then the photograph itself), the sharp image's decoders frozen;
then everything, 80 epochs on DPDD. Squared errors of the image, of the views, of their
mean and of their difference; the rate is halved every 8 epochs. A step of the authors
holds eight 512x512 patches of one photograph, here of eight. They keep the weights of
the least training loss, this loop the last.
"""

from tf_defocus.configs.recipe import Recipe
from tf_defocus.configs.short_runs import SYNTHETIC

EPOCH = 350  # steps: one per scene of DPDD
# How many photographs the first phase's set holds is in no file: as many, here.
VIEWS_EPOCH = 350


def _paper(name, epochs, epoch, views, **changes):
    return Recipe(
        name=name,
        model="mdp",
        crop_size=512,
        batch_size=8,
        num_steps=epochs * epoch,
        decay="step",
        decay_boundaries=tuple(n * epoch for n in range(8, epochs, 8)),
        decay_factor=0.5,
        epsilon=1e-7,
        losses=(("mse", 1.0),),
        tasks=(("views", views), ("mean_view", 0.2), ("view_difference", 0.2)),
    ).replace(**changes)


RECIPES = [
    _paper(
        "mdp_views_paper",
        epochs=60,
        epoch=VIEWS_EPOCH,
        views=1.0,
        dataset="dp_folder",
        learning_rate=3e-4,
        frozen=("early_deblurred", "late_deblurred"),
    ),
    _paper(
        "mdp_paper",
        epochs=80,
        epoch=EPOCH,
        views=0.2,
        dataset="dpdd/full_16bit",
        learning_rate=6e-4,
        initial_run="mdp_views_paper",
    ),
    # A short run at an eighth of the width: 0.7 M parameters.
    Recipe(
        name="mdp_synthetic",
        model="mdp",
        overrides={"base_filters": 8},
        **SYNTHETIC,
        batch_size=8,
        num_steps=12_000,
        learning_rate=5e-4,
        tasks=(("views", 0.2), ("mean_view", 0.2), ("view_difference", 0.2)),
    ),
]
