"""Result tables of IFAN (Lee et al., CVPR 2021).

The published checkpoints, hence all these numbers, belong to the released code, which
applies one kernel twice (`variant="released"`). Costs are counted at 1280x720.
"""

from tf_defocus.reports.paper_tables import INPUT, PaperRow, PaperTable

_SCORES = ("psnr", "ssim", "mae", "lpips")
_COSTS = ("parameters_m", "macs_g")
_MERGED = ("macs_g",)  # cells spanning two rows

TABLES = (
    PaperTable(
        paper="ifan",
        number=1,
        title="Components: filters (FP, IAC), disparity (DME), reblurring (RBN)",
        dataset="dpdd",
        columns=_SCORES + _COSTS,
        rows=(
            PaperRow("none", (24.88, 0.753, 0.416, 0.289, 10.59, 364.3)),
            PaperRow("DME", (24.97, 0.761, 0.412, 0.280, 10.58, 364.3), _MERGED),
            PaperRow("FP+IAC", (25.07, 0.765, 0.406, 0.271, 10.48, 362.9)),
            PaperRow("FP+IAC, DME", (25.18, 0.780, 0.403, 0.233, 10.48, 362.9)),
            PaperRow("FP+IAC, RBN", (25.28, 0.780, 0.400, 0.245, 10.48, 362.9)),
            PaperRow("FP+IAC, DME, RBN", (25.37, 0.789, 0.394, 0.217, 10.48, 362.9)),
        ),
    ),
    PaperTable(
        paper="ifan",
        number=2,
        title="Methods",
        dataset="dpdd",
        columns=(*_SCORES, *_COSTS, "seconds"),
        rows=(
            PaperRow(INPUT, (23.89, 0.725, 0.471, 0.349, None, None, None)),
            PaperRow("JNB", (23.69, 0.707, 0.480, 0.442, None, None, 105.8)),
            PaperRow("EBDB", (23.94, 0.723, 0.468, 0.402, None, None, 96.58)),
            PaperRow("DMENet", (23.90, 0.720, 0.470, 0.410, 26.94, 1172.5, 77.70)),
            PaperRow(
                "DPDNet single", (24.03, 0.735, 0.461, 0.279, 35.25, 989.8, 0.462)
            ),
            PaperRow("DPDNet dual", (25.23, 0.787, 0.401, 0.224, 35.25, 991.4, 0.474)),
            PaperRow("IFAN", (25.37, 0.789, 0.394, 0.217, 10.48, 362.9, 0.014)),
        ),
        compares="methods",
        note="DPDNet single retrained by IFAN's authors on 8 bit; seconds on RTX 3090",
    ),
    PaperTable(
        paper="ifan",
        number=3,
        title="Methods",
        dataset="realdof",
        columns=_SCORES,
        rows=(
            PaperRow(INPUT, (22.33, 0.633, 0.513, 0.524)),
            PaperRow("JNB", (22.36, 0.635, 0.511, 0.601)),
            PaperRow("EBDB", (22.38, 0.638, 0.509, 0.594)),
            PaperRow("DMENet", (22.41, 0.639, 0.508, 0.597)),
            PaperRow("DPDNet single", (22.67, 0.666, 0.506, 0.420)),
            PaperRow("IFAN", (24.71, 0.748, 0.407, 0.306)),
        ),
        compares="methods",
    ),
    PaperTable(
        paper="ifan",
        number=4,
        title="Iterations N (receptive field [px])",
        dataset="dpdd",
        columns=_SCORES + _COSTS,
        rows=(
            PaperRow("8 (17)", (25.19, 0.777, 0.404, 0.246, 9.44, 347.9)),
            PaperRow("17 (35)", (25.37, 0.789, 0.394, 0.217, 10.48, 362.9)),
            PaperRow("26 (53)", (25.39, 0.788, 0.393, 0.215, 11.52, 377.9)),
            PaperRow("35 (71)", (25.42, 0.789, 0.391, 0.213, 12.56, 392.8)),
            PaperRow("44 (89)", (25.45, 0.792, 0.389, 0.206, 13.60, 407.8)),
        ),
    ),
    PaperTable(
        paper="ifan",
        number=5,
        title="Adaptive convolution: one large filter or iterated small ones",
        dataset="dpdd",
        columns=_SCORES + _COSTS,
        rows=(
            PaperRow("FAC, k=11", (25.18, 0.778, 0.406, 0.249, 10.51, 363.4)),
            PaperRow("IAC", (25.37, 0.789, 0.394, 0.217, 10.48, 362.9)),
        ),
    ),
)
