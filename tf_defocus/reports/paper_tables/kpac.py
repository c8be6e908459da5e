"""Result tables of KPAC (Son et al., ICCV 2021) and its supplement.

The SSIM is not that of the other papers: 0.812 for the input where they print 0.725.
Tables 1 to 3 are trained with the mean absolute error alone; Tables 6 and 7 list
layers, not results.
"""

from tf_defocus.reports.paper_tables import INPUT, PaperRow, PaperTable

_SCORES = ("psnr", "ssim", "lpips", "parameters_m")
_ASSIGNED = ("psnr",)  # check marks lost; assigned by the parameter counts


def _noise_table(percent, without, augmented):
    return PaperTable(
        paper="kpac",
        number=8,
        title=f"Noise of {percent} % of the range",
        dataset="dpdd",
        columns=("psnr",),
        rows=(
            PaperRow("KPAC without noise augmentation", (without,)),
            PaperRow("KPAC with noise augmentation, 0 to 3 %", (augmented,)),
        ),
        compares="methods",
        noise_sigma=round(2.55 * percent, 2),
    )


TABLES = (
    PaperTable(
        paper="kpac",
        number=1,
        title="Weight sharing",
        dataset="dpdd",
        columns=("psnr", "parameters_m"),
        rows=(
            PaperRow("without sharing", (24.78, 2.50)),
            PaperRow("with sharing", (25.21, 1.58)),
        ),
    ),
    PaperTable(
        paper="kpac",
        number=2,
        title="Components",
        dataset="dpdd",
        columns=("psnr", "parameters_m"),
        rows=(
            PaperRow("residual blocks", (24.59, 2.26)),
            PaperRow("atrous convolutions", (24.74, 1.33)),
            PaperRow("shape attention", (24.98, 1.33), inferred=_ASSIGNED),
            PaperRow("scale attention", (25.03, 1.58), inferred=_ASSIGNED),
            PaperRow("scale and shape attention", (25.21, 1.58)),
        ),
    ),
    PaperTable(
        paper="kpac",
        number=3,
        title="Number of blocks",
        dataset="dpdd",
        columns=("psnr", "ssim", "parameters_m"),
        rows=(
            PaperRow(INPUT, (23.92, 0.812, None)),
            PaperRow("1 block", (24.82, 0.836, 1.05)),
            PaperRow("2 blocks", (25.21, 0.842, 1.58)),
            PaperRow("3 blocks", (25.25, 0.842, 2.11)),
            PaperRow("4 blocks", (25.14, 0.841, 2.64)),
        ),
    ),
    PaperTable(
        paper="kpac",
        number=4,
        title="Methods",
        dataset="dpdd",
        columns=_SCORES,
        rows=(
            PaperRow("JNB", (23.70, 0.799, 0.442, None)),
            PaperRow("EBDB", (23.96, 0.819, 0.402, None)),
            PaperRow("DMENet", (23.92, 0.808, 0.410, 26.94)),
            PaperRow("DPDNet single", (24.42, 0.827, 0.277, 32.25)),
            PaperRow("DPDNet dual", (25.12, 0.850, 0.223, 32.25)),
            PaperRow("KPAC 2-level", (25.24, 0.845, 0.229, 1.58)),
            PaperRow("KPAC 3-level", (25.24, 0.842, 0.225, 2.06)),
        ),
        compares="methods",
        note="trained with mean absolute error and perceptual loss",
    ),
    PaperTable(
        paper="kpac",
        number=5,
        title="Cost at 1280x720, Titan Xp",
        dataset="dpdd",
        columns=("flops_g", "seconds", "parameters_m"),
        rows=(
            PaperRow("DPDNet single", (1980.0, 0.17, 32.25)),
            PaperRow("DPDNet dual", (1983.0, 0.17, 32.25)),
            PaperRow("KPAC 2-level", (358.0, 0.09, 1.58)),
            PaperRow("KPAC 3-level", (197.0, 0.07, 2.06)),
        ),
    ),
    _noise_table(1, 25.13, 25.06),
    _noise_table(3, 24.76, 25.01),
    _noise_table(5, 24.23, 24.85),
    PaperTable(
        paper="kpac",
        number=9,
        title="Dual-pixel input",
        dataset="dpdd",
        columns=_SCORES,
        rows=(
            PaperRow("DPDNet single", (24.42, 0.827, 0.277, 32.25)),
            PaperRow("DPDNet dual", (25.12, 0.850, 0.223, 32.25)),
            PaperRow("KPAC 3-level", (25.24, 0.842, 0.225, 2.06)),
            PaperRow("KPAC 3-level dual", (25.86, 0.859, 0.185, 2.06)),
        ),
        compares="methods",
    ),
)
