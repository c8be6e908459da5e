"""What a network must offer (`base`), the networks by name, their weights and presets.

Names are imported when first used: presets are listed without Keras.
"""

import lazy_loader

from tf_defocus.models.bambnet import BaMBNet
from tf_defocus.models.dddnet import DDDNet
from tf_defocus.models.deeprft import DeepRFT
from tf_defocus.models.dmenet import DMENet
from tf_defocus.models.dpdnet import DPDNet
from tf_defocus.models.gkmnet import GKMNet
from tf_defocus.models.ifan import IFAN
from tf_defocus.models.k3dn import K3DN
from tf_defocus.models.kpac import KPAC
from tf_defocus.models.mdp import MDP
from tf_defocus.models.nrknet import NRKNet
from tf_defocus.models.rdpd import RDPD

# name -> (class, what differs from its defaults)
MODELS = {
    "dmenet": (DMENet, {}),
    "bambnet": (BaMBNet, {}),
    "dddnet": (DDDNet, {}),
    "deeprft": (DeepRFT, {}),
    "dpdnet_dual": (DPDNet, {"views": 2}),
    "dpdnet_single": (DPDNet, {"views": 1}),
    "gkmnet": (GKMNet, {}),
    "ifan": (IFAN, {}),
    "ifan_compact": (IFAN, {"base_filters": 16}),
    "ifan_dual": (IFAN, {"views": 2}),
    "k3dn_large": (K3DN, {}),
    "k3dn_lightweight": (
        K3DN,
        {
            "base_filters": 32,
            "encoder_residual_units": 2,
            "num_psf_blocks": 4,
            "srp_residual_units": 2,
        },
    ),
    "k3dn_single": (K3DN, {"views": 1}),
    "k3dn_tiny": (
        K3DN,
        {
            "base_filters": 24,
            "encoder_residual_units": 2,
            "num_psf_blocks": 4,
            "srp_residual_units": 1,
        },
    ),
    "kpac_2level": (KPAC, {"levels": 2}),
    "kpac_3level": (KPAC, {"levels": 3}),
    "kpac_3level_dual": (KPAC, {"levels": 3, "views": 2}),
    "mdp": (MDP, {}),
    "nrknet": (NRKNet, {}),
    "rdpd": (RDPD, {}),
}

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
