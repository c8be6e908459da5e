"""Result tables of K3DN (Yang et al., CVPR 2023).

RMSE_rel is 10^(-PSNR / 20) of the mean PSNR, on nearly all rows to the last digit. The
asterisk of RDPD and DRBNet says: trained with more data.
"""

from tf_defocus.reports.paper_tables import INPUT, PaperRow, PaperTable

_SCORES = ("psnr", "ssim", "rmse_rel", "mae")

TABLES = (
    PaperTable(
        paper="k3dn",
        number=1,
        title="Methods",
        dataset="dpdd",
        columns=(*_SCORES, "parameters_m", "flops_g"),
        rows=(
            PaperRow(INPUT, (23.89, 0.725, 6.39, 0.471, None, None)),
            PaperRow(
                "EBDB",
                (23.69, 0.707, 6.54, 0.471, None, None),
                note="PSNR and SSIM of IFAN's row JNB: probably the wrong name",
            ),
            PaperRow("DMENet", (23.90, 0.720, 6.38, 0.470, 26.71, 4787.0)),
            PaperRow("DPDNet", (25.13, 0.787, 5.54, 0.401, 31.03, 3150.0)),
            PaperRow("KPAC", (25.22, 0.774, 5.48, 0.400, 1.58, 349.0)),
            PaperRow("RDPD*", (25.39, 0.772, 5.38, 0.400, 24.28, 901.0)),
            PaperRow("DDDNet", (25.41, 0.786, 5.36, 0.385, 6.40, 1661.0)),
            PaperRow("DRBNet*", (25.73, 0.791, 5.17, 0.393, 11.69, 1273.0)),
            PaperRow("DeepRFT", (25.71, 0.801, 5.18, 0.389, 9.60, 3682.0)),
            PaperRow("IFAN dual", (25.99, 0.804, 5.01, 0.373, 10.48, 794.0)),
            PaperRow(
                "BAMBNet",
                (26.40, 0.821, 4.79, 0.450, 4.50, 1804.0),
                note="MAE higher than that of worse methods: doubtful",
            ),
            PaperRow("Restormer", (26.66, 0.833, 4.65, 0.350, 26.13, 4458.0)),
            PaperRow("K3DN tiny", (26.74, 0.825, 4.60, 0.351, 3.00, 571.0)),
            PaperRow("K3DN lightweight", (26.84, 0.829, 4.55, 0.349, 5.00, 1033.0)),
            PaperRow("K3DN large", (27.06, 0.835, 4.44, 0.341, 15.90, 3352.0)),
        ),
        compares="methods",
        note="mixes 8-bit and 16-bit results; K3DN's costs are counted at 1792x1152",
    ),
    PaperTable(
        paper="k3dn",
        number=2,
        title="Methods",
        dataset="ddd_syn",
        columns=_SCORES,
        rows=(
            PaperRow(INPUT, (31.06, 0.895, 2.80, 0.165)),
            PaperRow("EBDB", (26.48, 0.683, 4.74, 0.363)),
            PaperRow("DMENet", (30.14, 0.939, 3.11, 0.177)),
            PaperRow("DPDNet", (31.45, 0.926, 2.68, 0.160)),
            PaperRow("RDPD*", (32.42, 0.912, 2.39, 0.155)),
            PaperRow("DDDNet", (33.21, 0.956, 2.17, 0.094)),
            PaperRow("DeepRFT", (36.53, 0.952, 1.49, 0.096)),
            PaperRow("IFAN", (34.18, 0.929, 1.95, 0.124)),
            PaperRow("BAMBNet", (35.90, 0.954, 1.60, 0.117)),
            PaperRow("Restormer", (36.44, 0.957, 1.50, 0.104)),
            PaperRow("K3DN tiny", (36.18, 0.953, 1.55, 0.113)),
            PaperRow("K3DN lightweight", (37.50, 0.960, 1.33, 0.083)),
            PaperRow("K3DN large", (38.23, 0.965, 1.23, 0.076)),
        ),
        compares="methods",
    ),
    PaperTable(
        paper="k3dn",
        number=3,
        title="Methods",
        dataset="rdpd",
        columns=_SCORES,
        rows=(
            PaperRow(INPUT, (25.32, 0.679, 5.42, 0.313)),
            PaperRow("EBDB", (24.23, 0.637, 6.14, 0.357)),
            PaperRow("DMENet", (25.17, 0.731, 5.51, 0.319)),
            PaperRow("DPDNet", (29.84, 0.828, 3.22, 0.250)),
            PaperRow("RDPD*", (31.09, 0.861, 2.79, 0.160)),
            PaperRow("DDDNet", (30.14, 0.840, 3.11, 0.231)),
            PaperRow("DeepRFT", (31.71, 0.879, 2.60, 0.162)),
            PaperRow("IFAN", (31.12, 0.865, 2.78, 0.181)),
            PaperRow("BAMBNet", (31.78, 0.867, 2.58, 0.169)),
            PaperRow("Restormer", (32.27, 0.871, 2.43, 0.164)),
            PaperRow("K3DN tiny", (31.82, 0.887, 2.56, 0.168)),
            PaperRow("K3DN lightweight", (32.22, 0.894, 2.45, 0.151)),
            PaperRow("K3DN large", (32.84, 0.905, 2.28, 0.142)),
        ),
        compares="methods",
    ),
    PaperTable(
        paper="k3dn",
        number=4,
        title="Modules of K3DN lightweight",
        dataset="dpdd",
        columns=("psnr", "ssim"),
        rows=(
            PaperRow("PSF, SRP, reblurring", (26.84, 0.829)),
            PaperRow("PSF, SRP", (26.80, 0.828)),
            PaperRow("PSF, reblurring", (26.76, 0.826)),
            PaperRow("SRP", (26.69, 0.825)),
            PaperRow("PSF", (26.68, 0.823)),
        ),
    ),
    PaperTable(
        paper="k3dn",
        number=5,
        title="Size N of the kernel set",
        dataset="dpdd",
        columns=("psnr", "ssim"),
        rows=(
            PaperRow("N=64", (26.71, 0.822)),
            PaperRow("N=96", (26.76, 0.823)),
            PaperRow("N=128", (26.84, 0.829)),
            PaperRow("N=160", (26.85, 0.829)),
            PaperRow("N=192", (26.87, 0.830)),
        ),
        note="N is four times the width in the released code; how it varied is unknown",
    ),
)
