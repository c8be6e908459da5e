"""What the trainings on rendered defocus share, an hour or some on two CPU cores.

No paper's: so short a run takes a rate that decays to zero, weights averaged over some
500 steps, and half precision; flips, colours, exposure and noise widen the small set of
photographs. Three examples in ten stay without noise, lest a network smooth what is
sharp.
"""

# fields of a `Recipe`
SYNTHETIC = {
    "dataset": "synthetic_dp/photos",
    "crop_size": 128,
    "final_learning_rate": 1e-6,
    "decay": "cosine",
    "ema_decay": 0.998,
    "losses": (("mae", 1.0),),
    "flip_probability": 0.5,
    "color_permutation": True,
    "gain_range": (0.8, 1.2),
    "noise_range": (-0.01, 0.025),
    "precision": "mixed_bfloat16",
}
