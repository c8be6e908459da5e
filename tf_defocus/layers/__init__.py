"""The novel blocks of the networks, as Keras layers."""

from tf_defocus.layers.bambnet import (
    AttentionGroup,
    BlurBranch,
    ChannelAttentionBlock,
    PooledChannelAttention,
)
from tf_defocus.layers.common import UnbiasedBatchNormalization
from tf_defocus.layers.dddnet import BlurEstimator, PairFeatures
from tf_defocus.layers.dddnet_patches import (
    PatchDecoder,
    PatchEncoder,
    ResidualPair,
    UnlikeChannelAttention,
)
from tf_defocus.layers.deeprft import OverparameterizedConvolution, ResidualFourierBlock
from tf_defocus.layers.dmenet import (
    AuxiliaryHead,
    NormalizedConvolution,
    RefinementBlock,
    SymmetricConvolution,
)
from tf_defocus.layers.drbnet import DynamicResidualBlock, ResidualUnit
from tf_defocus.layers.gkmnet import GaussianConvolution, WeightedSummation
from tf_defocus.layers.gkmnet_attention import (
    AttentionPredictionUnit,
    ConvLSTMCell,
    ResidualAttentionBlock,
    ScaleRecurrentAttention,
)
from tf_defocus.layers.gkmnet_gates import AttentionGate, TripletAttention
from tf_defocus.layers.ifan import (
    DisparityEstimator,
    FeatureEncoder,
    ResidualGroup,
    ResidualTrunk,
)
from tf_defocus.layers.ifan_filters import (
    FilterAdaptiveConvolution,
    IterativeAdaptiveConvolution,
)
from tf_defocus.layers.iniknet import (
    BidirectionalScales,
    ReflectedUNet,
    ScaleCell,
)
from tf_defocus.layers.iniknet_kernels import ImplicitKernel, ImplicitKernelSum
from tf_defocus.layers.k3dn import (
    KernelQuery,
    PSFBlock,
    ResidualUnits,
    SharpRegionPreservation,
)
from tf_defocus.layers.k3dn_disparity import (
    SingleImageDisparity,
    StereoDisparity,
    WindowVectors,
)
from tf_defocus.layers.k3dn_invertible import (
    InvertibleDepthwiseConvolution,
    InvertiblePointwiseConvolution,
)
from tf_defocus.layers.k3dn_mixture import (
    KernelWeights,
    MixturePSFBlock,
    SharpRegionRefinement,
)
from tf_defocus.layers.k3dn_stereo import NormalisedConvolution, StereoFeatures
from tf_defocus.layers.kpac import (
    KernelSharingAtrousConvolution,
    KPACBlock,
    ScaleAttention,
    ShapeAttention,
)
from tf_defocus.layers.kpac_residual import ResidualBlock
from tf_defocus.layers.lakdnet import LargeKernelBlock, LargeKernelMixer
from tf_defocus.layers.mdp import EarlyDecoder, LateDecoder
from tf_defocus.layers.nrknet import (
    MixedBlur,
    MixingPrediction,
    RecursiveKernels,
    ReflectedConvolution,
    ReflectedResidualUnits,
)
from tf_defocus.layers.rdpd import FrameLSTM
from tf_defocus.layers.restormer import (
    ChannelNormalization,
    Doubling,
    GatedFeedForward,
    Halving,
    TransformerBlock,
)
from tf_defocus.layers.restormer_attention import ChannelAttention, LocalProjection
from tf_defocus.layers.shared_batches import BatchDropout
from tf_defocus.layers.srn import LargeResidualBlock, ScaleMemory, ScaleNetwork

__all__ = [
    "AttentionGate",
    "AttentionGroup",
    "AttentionPredictionUnit",
    "AuxiliaryHead",
    "BatchDropout",
    "BidirectionalScales",
    "BlurBranch",
    "BlurEstimator",
    "ChannelAttention",
    "ChannelAttentionBlock",
    "ChannelNormalization",
    "ConvLSTMCell",
    "DisparityEstimator",
    "Doubling",
    "DynamicResidualBlock",
    "EarlyDecoder",
    "FeatureEncoder",
    "FilterAdaptiveConvolution",
    "FrameLSTM",
    "GatedFeedForward",
    "GaussianConvolution",
    "Halving",
    "ImplicitKernel",
    "ImplicitKernelSum",
    "InvertibleDepthwiseConvolution",
    "InvertiblePointwiseConvolution",
    "IterativeAdaptiveConvolution",
    "KPACBlock",
    "KernelQuery",
    "KernelSharingAtrousConvolution",
    "KernelWeights",
    "LargeKernelBlock",
    "LargeKernelMixer",
    "LargeResidualBlock",
    "LateDecoder",
    "LocalProjection",
    "MixedBlur",
    "MixingPrediction",
    "MixturePSFBlock",
    "NormalisedConvolution",
    "NormalizedConvolution",
    "OverparameterizedConvolution",
    "PSFBlock",
    "PairFeatures",
    "PatchDecoder",
    "PatchEncoder",
    "PooledChannelAttention",
    "RecursiveKernels",
    "RefinementBlock",
    "ReflectedConvolution",
    "ReflectedResidualUnits",
    "ReflectedUNet",
    "ResidualAttentionBlock",
    "ResidualBlock",
    "ResidualFourierBlock",
    "ResidualGroup",
    "ResidualPair",
    "ResidualTrunk",
    "ResidualUnit",
    "ResidualUnits",
    "ScaleAttention",
    "ScaleCell",
    "ScaleMemory",
    "ScaleNetwork",
    "ScaleRecurrentAttention",
    "ShapeAttention",
    "SharpRegionPreservation",
    "SharpRegionRefinement",
    "SingleImageDisparity",
    "StereoDisparity",
    "StereoFeatures",
    "SymmetricConvolution",
    "TransformerBlock",
    "TripletAttention",
    "UnbiasedBatchNormalization",
    "UnlikeChannelAttention",
    "WeightedSummation",
    "WindowVectors",
]
