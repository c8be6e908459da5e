"""How each paper gets its training patches: fields of a `Recipe`, by paper.

    recipe.replace(**patch_pipelines.IFAN)

makes any network's recipe train on that paper's data, crops and augmentation. What the
chains do is in `tf_defocus/data/augmentations.py`, what the sets hold in
`datasets/README.md`. The published 8-bit numbers read 16-bit files as `>> 8`: `*_8bit`.
"""

# Abuolaim and Brown, ECCV 2020: patches cut beforehand, 20 per scene, used whole.
DPDNET = {
    "dataset": "dpdd/patches_512_16bit",
    "crop_size": 512,
    "batch_size": 5,
}

# Lee et al., CVPR 2021: full images. The crop is the paper's; the released configs of
# 26, 35 and 44 iterations have 512, 576 and 704.
IFAN = {
    "dataset": "dpdd/full_8bit",
    "crop_size": 256,
    "batch_size": 8,
    "augmentation": "ifan",
}
IFAN_CROP_SIZES = {8: 256, 17: 256, 26: 512, 35: 576, 44: 704}
# The same without the slips of the released code.
IFAN_MENDED = {**IFAN, "augmentation_options": {"quirks": False}}

# Son et al., ICCV 2021: crops, no more.
KPAC = {
    "dataset": "dpdd/full_8bit",
    "crop_size": 512,
    "batch_size": 4,
}

# Quan et al., NeurIPS 2021: crops; the code of February 2022 flips and turns as well.
GKMNET = {
    "dataset": "dpdd/full_8bit",
    "crop_size": 256,
    "batch_size": 4,
    "augmentation": "gkmnet",
}
GKMNET_LATER = {**GKMNET, "augmentation_options": {"flips_and_rotations": True}}

# Zamir et al., CVPR 2022: DPDNet's patches, 8 bits for single photographs and 16 for
# views. Crops grow and batches shrink as the training goes on; these fields are of the
# first stage, RESTORMER_CROPS is the `crop_schedule` of all.
RESTORMER = {
    "dataset": "dpdd/patches_512_8bit",
    "crop_size": 128,
    "batch_size": 64,
    "augmentation": "restormer",
}
RESTORMER_DUAL = {
    **RESTORMER,
    "dataset": "dpdd/patches_512_16bit",
    "augmentation_options": {"as_published": True},
}
# (steps, crop_size [px], batch_size over the paper's eight devices)
RESTORMER_STAGES = (
    (92_000, 128, 64),
    (64_000, 160, 40),
    (48_000, 192, 32),
    (36_000, 256, 16),
    (36_000, 320, 8),
    (24_000, 384, 8),
)
# (first step, crop_size, batch_size)
RESTORMER_CROPS = tuple(
    (sum(steps for steps, _, _ in RESTORMER_STAGES[:stage]), size, batch_size)
    for stage, (_, size, batch_size) in enumerate(RESTORMER_STAGES)
)

PIPELINES = {
    "dpdnet": DPDNET,
    "gkmnet": GKMNET,
    "gkmnet_later": GKMNET_LATER,
    "ifan": IFAN,
    "ifan_mended": IFAN_MENDED,
    "kpac": KPAC,
    "restormer": RESTORMER,
    "restormer_dual": RESTORMER_DUAL,
}
