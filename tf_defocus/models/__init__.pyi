from . import base, hub, manifest, named, plans, presets, weights
from .bambnet import BaMBNet, BlurRadiusNetwork
from .base import RestorationNetwork
from .dddnet import DDDNet
from .deeprft import DeepRFT
from .dmenet import DMENet
from .dmenet_domains import BinaryNetwork, FeatureDiscriminator
from .dpdnet import DPDNet
from .drbnet import DRBNet
from .gkmnet import GKMNet
from .hub import download_preset, upload_preset, write_preset
from .ifan import IFAN
from .ifan_reblurring import ReblurringNetwork
from .iniknet import INIKNet
from .k3dn import K3DN
from .kpac import KPAC
from .lakdnet import LaKDNet
from .manifest import PresetError, checkpoints_folder, list_presets, verify_preset
from .mdp import MDP
from .named import create_model, list_models
from .nrknet import NRKNet
from .presets import load_preset, load_run, save_preset
from .rdpd import RDPD
from .restormer import Restormer
from .srn import SRN

__all__ = [
    "IFAN",
    "K3DN",
    "KPAC",
    "MDP",
    "RDPD",
    "SRN",
    "BaMBNet",
    "BinaryNetwork",
    "BlurRadiusNetwork",
    "DDDNet",
    "DMENet",
    "DPDNet",
    "DRBNet",
    "DeepRFT",
    "FeatureDiscriminator",
    "GKMNet",
    "INIKNet",
    "LaKDNet",
    "NRKNet",
    "PresetError",
    "ReblurringNetwork",
    "RestorationNetwork",
    "Restormer",
    "base",
    "checkpoints_folder",
    "create_model",
    "download_preset",
    "hub",
    "list_models",
    "list_presets",
    "load_preset",
    "load_run",
    "manifest",
    "named",
    "plans",
    "presets",
    "save_preset",
    "upload_preset",
    "verify_preset",
    "weights",
    "write_preset",
]
