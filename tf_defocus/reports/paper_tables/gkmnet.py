"""Result tables of GKMNet (Quan et al., NeurIPS 2021).

Its paper prints no row of the unprocessed input. Rows of models retrained with noise
("+", the lower halves of Tables 2 and 3) are not legible in our source but for three
cells, which stand in the notes. Costs are counted at 1680x1120.
"""

from tf_defocus.reports.paper_tables import PaperRow, PaperTable

_SCORES = ("psnr", "ssim", "lpips")
_COSTS = ("parameters_m", "flops_g", "size_mb")
_TIMES = ("cpu_seconds",)  # columns shuffled in the source; assigned by reasoning
_SHUFFLED = ("size_mb", "cpu_seconds")


def _noise_table(number, dataset, sigma, methods, cells, note=""):
    return PaperTable(
        paper="gkmnet",
        number=number,
        title=f"Noise of sigma {sigma:g}",
        dataset=dataset,
        columns=_SCORES,
        rows=tuple(PaperRow(*row) for row in zip(methods, cells)),
        compares="methods",
        noise_sigma=sigma,
        note=note,
    )


_ON_DPDD = ("DPDNet dual", "SRN", "AttNet", "GKMNet")
_ON_RTF = ("DPDNet single", "SRN", "AttNet", "GKMNet")

TABLES = (
    PaperTable(
        paper="gkmnet",
        number=1,
        title="Methods",
        dataset="dpdd",
        columns=(*_SCORES, *_COSTS, "cpu_seconds", "seconds"),
        rows=(
            PaperRow("JNB", (23.84, 0.715, 0.315, *[None] * 3, 843.1, None), _TIMES),
            PaperRow("EBDB", (23.45, 0.683, 0.336, *[None] * 3, 929.7, None), _TIMES),
            PaperRow(
                "DMENet", (23.41, 0.714, 0.349, 26.94, None, None, 613.7, None), _TIMES
            ),
            PaperRow(
                "DPDNet single",
                (24.34, 0.747, 0.277, 32.25, 4042.5, 355.3, 56.6, 0.41),
                _TIMES,
            ),
            PaperRow(
                "DPDNet dual",
                (25.12, 0.786, 0.223, 32.25, 4048.6, 355.3, 56.6, 0.41),
                _TIMES,
            ),
            PaperRow(
                "SRN",
                (24.61, 0.612, 0.265, 10.25, 3117.6, 32.0, 58.3, 0.032),
                _SHUFFLED,
            ),
            PaperRow(
                "AttNet",
                (25.22, 0.781, 0.219, 6.91, 3450.4, 39.5, 62.8, 0.041),
                _SHUFFLED,
            ),
            PaperRow(
                "GKMNet", (25.47, 0.789, 0.219, 1.41, 603.5, 5.7, 43.9, 0.040), _TIMES
            ),
        ),
        compares="methods",
        note="JNB, EBDB, DMENet quoted from the DPDNet paper; seconds on GTX 1080 Ti",
    ),
    _noise_table(
        2,
        "dpdd",
        1.0,
        _ON_DPDD,
        (
            (25.08, 0.788, 0.220),
            (24.58, 0.692, 0.315),
            (25.18, 0.783, 0.221),
            (25.43, 0.784, 0.225),
        ),
        note="SRN retrained with noise: PSNR 24.61, LPIPS 0.316",
    ),
    _noise_table(
        2,
        "dpdd",
        3.0,
        _ON_DPDD,
        (
            (24.73, 0.746, 0.248),
            (24.48, 0.668, 0.366),
            (24.77, 0.749, 0.261),
            (25.02, 0.758, 0.246),
        ),
    ),
    _noise_table(
        2,
        "dpdd",
        5.0,
        _ON_DPDD,
        (
            (24.07, 0.665, 0.441),
            (24.30, 0.628, 0.411),
            (24.36, 0.660, 0.347),
            (24.61, 0.712, 0.299),
        ),
    ),
    _noise_table(
        3,
        "rtf",
        0.0,
        _ON_RTF,
        (
            (23.61, 0.597, 0.296),
            (23.71, 0.617, 0.324),
            (25.45, 0.802, 0.219),
            (25.72, 0.811, 0.211),
        ),
        note=(
            "models trained on DPDD; retrained with noise: SRN PSNR 23.70, LPIPS "
            "0.325, AttNet PSNR 25.40"
        ),
    ),
    _noise_table(
        3,
        "rtf",
        1.0,
        _ON_RTF,
        (
            (23.58, 0.592, 0.332),
            (23.68, 0.611, 0.311),
            (24.99, 0.797, 0.243),
            (25.56, 0.798, 0.207),
        ),
    ),
    _noise_table(
        3,
        "rtf",
        2.55,
        _ON_RTF,
        (
            (23.44, 0.576, 0.344),
            (23.50, 0.591, 0.276),
            (23.83, 0.727, 0.257),
            (25.01, 0.761, 0.205),
        ),
    ),
    PaperTable(
        paper="gkmnet",
        number=4,
        title="Baselines",
        dataset="dpdd",
        columns=(*_SCORES, *_COSTS, "seconds"),
        rows=(
            PaperRow("SRAM", (21.98, 0.724, 0.251, 1.41, 606.1, 5.30, 0.040)),
            PaperRow("GKMNet(1)", (23.63, 0.723, 0.248, 1.41, 459.7, 5.70, 0.036)),
            PaperRow("no ConvLSTM", (25.00, 0.774, 0.231, 1.11, 418.7, 4.33, 0.036)),
            PaperRow(
                "learned kernels, random start",
                (25.35, 0.787, 0.223, 1.41, 603.5, 5.70, 0.040),
            ),
            PaperRow(
                "learned kernels, Gaussian start",
                (25.49, 0.790, 0.217, 1.41, 603.5, 5.70, 0.040),
            ),
            PaperRow(
                "GKMNet",
                (25.46, 0.789, 0.219, 1.41, 603.5, 5.70, 0.040),
                note="PSNR 25.47 in Tables 1 and 5",
            ),
        ),
    ),
    PaperTable(
        paper="gkmnet",
        number=5,
        title="Scales S and iterations R",
        dataset="dpdd",
        columns=(*_SCORES, *_COSTS, "seconds"),
        rows=(
            PaperRow(
                "S=1, R=3",
                (25.11, 0.773, 0.237, 1.41, 1384.2, 5.7, 0.069),
                note="1.41 M contradicts the rows below, where weights are not shared",
            ),
            PaperRow("S=2, R=3", (25.13, 0.789, 0.205, 4.22, 1730.3, 17.1, 0.122)),
            PaperRow("S=3, R=2", (25.53, 0.773, 0.201, 2.81, 1211.2, 11.3, 0.081)),
            PaperRow("S=3, R=1", (25.47, 0.789, 0.219, 1.41, 603.5, 5.7, 0.04)),
        ),
    ),
)
