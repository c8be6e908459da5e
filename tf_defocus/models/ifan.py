"""IFAN: deblurring filters predicted for every pixel, applied to features in turn.

Lee, Son, Rim, Cho, Lee, "Iterative Filter Adaptive Network for Single Image Defocus
Deblurring", CVPR 2021. <https://arxiv.org/abs/2108.13610>

Idea: defocus blur differs from pixel to pixel, so the filters that undo it should too.
A network predicts them; a sequence of small separable ones reaches as far as a large
dense one. Two tasks teach it what blur is: it estimates the disparity between
dual-pixel views, and its filters must also tell how to blur the sharp image again.

Inputs:   blurred      (batch, height, width, 3) float32 in [0, 1]
          left, right  the same, for `views=2`
Outputs:  deblurred    the same shape; not clipped
          disparity    (batch, height/8, width/8, 1) [px of that size], left of right
          filters      only when training: the predicted filters, for the reblurring
Requires: height and width divisible by 8.

Paper -> code
  [IFAN Eq. 1]   layers.ifan_filters.IterativeAdaptiveConvolution,
                 ops.adaptive_convolution.separable_adaptive_convolution
                                                    tests/ops/adaptive_convolution_test.py
  [IFAN Fig. 3]  models.ifan.IFAN                   tests/models/ifan_test.py
  [IFAN Sec. 3]  layers.ifan.DisparityEstimator,
                 models.ifan_reblurring.ReblurringNetwork
                                                    tests/models/ifan_test.py
  [IFAN Tab. 1]  IFAN(use_disparity, adaptive_filters)  tests/models/ifan_test.py
  [IFAN Tab. 5]  IFAN, ReblurringNetwork(adaptive_filters="fac")
                                                    tests/models/ifan_test.py

Differences from the paper
  The last convolution's residual goes through the leaky ReLU before the photograph is
  added, and the reblurring network adds the sharp image to its result and has no last
  activation; so the released code does, the paper does not say.
  `start="identity"` is ours, for short training; the default is the authors' start.
  Table 1's baselines are those of Sec. 4.1, which does not tell how many residual
  blocks stand in the place of the filters: six give 10.59 million parameters with and
  without disparity, printed are 10.58 and 10.59.
Differences from the released weights
  The released code filters twice with the vertical filter; `variant="released"` does.
"""

from typing import Any

import keras
from keras import ops

from tf_defocus.layers.common import convolution_to_image, doubling_convolution
from tf_defocus.layers.ifan import (
    DisparityEstimator,
    FeatureEncoder,
    ResidualGroup,
    ResidualTrunk,
    convolution,
    ifan_initializer,
    leaky_relu,
)
from tf_defocus.layers.ifan_filters import (
    FILTER_GAIN,
    FilterAdaptiveConvolution,
    IterativeAdaptiveConvolution,
)
from tf_defocus.models.base import (
    MonoOrDualNetwork,
    check_arguments,
    check_choice,
)
from tf_defocus.ops.adaptive_convolution import portable
from tf_defocus.ops.tensor import Shape, Tensor

STRIDE = 8  # pixels of the image per pixel of the coarsest features
RECONSTRUCTION_UNITS = 3
# Residual units in the place of the filters, so that the costs compare (Table 1).
BASELINE_UNITS = 6
# Gains of the initial kernels: of most, of the filter predictor's, of those that make a
# disparity or an image. Glorot's, or He's, which rectifiers do not diminish.
STARTS = {"random": (1.0, FILTER_GAIN, 1.0), "identity": (2**0.5, 1.0, 0.0)}


@keras.saving.register_keras_serializable(package="tf_defocus")
class IFAN(MonoOrDualNetwork):
    """Encoder, predicted filters at an eighth of the size, decoder [IFAN Fig. 3].

    Args:
        base_filters: int, channels at full resolution; four times as many at 1/8.
        num_iterations: int, N of Eq. 1: 8, 17, 26, 35 or 44 in the paper.
        filter_size: int, odd, of the predicted filters.
        kernel_size: int, odd, of all convolutions but the disparity's (3x3), the filter
            predictor's last (1x1) and the transposed ones (4x4).
        num_residual_units: int, in each residual group of the filter branch.
        views: 1 (photograph) or 2 (left and right dual-pixel views for the filters).
        use_disparity: bool; False puts convolutions of equal cost in the place of the
            disparity estimator (Table 1), for data without dual-pixel views.
        adaptive_filters: "iac", "fac" (one dense filter, Table 5; give it
            `filter_size=11`) or None, the baseline of Table 1: the filter predictor
            ends with the features' channels, and residual units take the features
            beside what it predicts.
        variant: "paper" or "released" (the authors' checkpoints).
        start: "random", the authors' initial weights, or "identity" for short training:
            kernels that keep the size of what passes through them, adaptive filters
            that leave the features alone, no disparity, and the photograph as output.

    Raises:
        ValueError: if an argument is none of the values above.

    Reference:
        [Lee et al., 2021](https://arxiv.org/abs/2108.13610), Fig. 3.
    """

    dual_view_names = ("blurred", "left", "right")
    works_in_stages = True
    feature_stride = STRIDE  # pixels of the image per one of the coarsest features
    size_multiple = (STRIDE, STRIDE)

    def __init__(
        self,
        base_filters: int = 32,
        num_iterations: int = 17,
        filter_size: int = 3,
        kernel_size: int = 3,
        num_residual_units: int = 2,
        views: int = 1,
        use_disparity: bool = True,
        adaptive_filters: str = "iac",
        variant: str = "paper",
        start: str = "random",
        **kwargs: Any,
    ) -> None:
        super().__init__(views=views, variant=variant, **kwargs)
        check_sizes(num_iterations, filter_size, kernel_size)
        check_choice("adaptive_filters", adaptive_filters, ("iac", "fac", None))
        check_start(start, variant)
        self.base_filters = base_filters
        self.num_iterations = num_iterations
        self.filter_size = filter_size
        self.kernel_size = kernel_size
        self.num_residual_units = num_residual_units
        self.use_disparity = use_disparity
        self.adaptive_filters = adaptive_filters
        self.start = start
        self._add_filter_branch()
        self._add_adaptive_convolution()
        self._add_reconstruction()

    @property
    def halo(self) -> int:
        """Margin [px] that makes `encode` and `decode` exact on a tile's inside."""
        # The quarter-size skip reads 18 kernel radii, its way back to full size 29.
        needed = 47 * (self.kernel_size // 2) + 6
        return -(-needed // STRIDE) * STRIDE

    @property
    def transform_halos(self) -> tuple[int, ...]:
        """How far all between the encoders and the decoder sees [px at 1/8]."""
        kernel, units = self.kernel_size // 2, 4 * self.num_residual_units
        context = (units + 2) * kernel  # conv4_4
        context += (units + 1) * kernel + 2 * self.use_disparity
        context += (units + 1) * kernel  # the filter predictor
        if self.adaptive_filters is None:
            context += (2 * BASELINE_UNITS + 1) * kernel
        else:
            steps = self.num_iterations if self.adaptive_filters == "iac" else 1
            context += steps * (self.filter_size // 2)
        return (context + (2 * RECONSTRUCTION_UNITS + 2) * kernel,)

    @property
    def receptive_field(self) -> int:
        """Extent of the pixels an output pixel depends on [px], or a little more."""
        kernel = self.kernel_size // 2
        encoder, decoder = 38 * kernel, 14 + 29 * kernel
        return 2 * (encoder + STRIDE * self.transform_halos[0] + decoder) + 1

    def call(
        self, inputs: dict[str, Tensor], training: bool | None = None
    ) -> dict[str, Tensor]:
        """Deblurs; see the module's docstring for inputs and outputs."""
        stages = self.feature_encoder(ops.convert_to_tensor(inputs["blurred"]))
        encoded = self._encode_for_filters(inputs)
        features, extras = self._transform(stages[-1], encoded, bool(training))
        return {"deblurred": self._decode(inputs, stages, features), **extras}

    def encode(self, inputs: dict[str, Tensor]) -> Tensor:
        """The coarsest features of the image or of a tile, of both encoders."""
        stages = self.feature_encoder(ops.convert_to_tensor(inputs["blurred"]))
        encoded = self._encode_for_filters(inputs)
        return ops.concatenate([stages[-1], encoded], axis=-1)

    def transform(self, features: Tensor) -> Tensor:
        """Filtered features; `features` are those of the whole image."""
        blurred, encoded = ops.split(features, 2, axis=-1)
        return self._transform(blurred, encoded, False)[0]

    def transform_step(self, index: int, features: Tensor) -> Tensor:
        """`transform` on a strip of rows, its only step."""
        del index
        return self.transform(features)

    def decode(self, inputs: dict[str, Tensor], features: Tensor) -> dict[str, Tensor]:
        """The deblurred image or tile from its transformed features."""
        stages = self.feature_encoder(ops.convert_to_tensor(inputs["blurred"]))
        return {"deblurred": self._decode(inputs, stages, features)}

    def estimate_disparity(self, inputs: dict[str, Tensor]) -> Tensor:
        """Disparity of what the filter encoder sees [IFAN Sec. 3].

        Args:
            inputs: dict; with `views=1` the right view as "blurred", when training for
                disparity; with `views=2` "left" and "right".

        Returns:
            (batch, height/8, width/8, 1) [px of that size]: how far right of the left
            view's pixel the right view shows the same.
        """
        return self.disparity_estimator(self._encode_for_filters(inputs))

    def _add_filter_branch(self):
        base, size, units = self.base_filters, self.kernel_size, self.num_residual_units
        width, (gain, _, last_gain) = 4 * base, STARTS[self.start]
        self.feature_encoder = FeatureEncoder(base, size, gain, name="feature_encoder")
        self.filter_encoder = FeatureEncoder(base, size, gain, name="filter_encoder")
        if self.use_disparity:
            self.disparity_estimator = DisparityEstimator(
                width, units, size, gain, last_gain, name="disparity_estimator"
            )
            self.disparity_features = convolution(
                width, 3, gain=gain, name="disparity_features"
            )
        else:
            # Its last layer has the features' channels, and one as the disparity has.
            self.substitute = keras.Sequential(
                [
                    ResidualTrunk(
                        width, (2 * units - 1,), size, gain=gain, name="trunk"
                    ),
                    convolution(width + 1, size, gain=gain, name="conv1"),
                    convolution(width, size, gain=gain, name="conv2"),
                ],
                name="disparity_substitute",
            )
        self.context = ResidualTrunk(
            width, (units, units), size, closing=True, gain=gain, name="context"
        )

    def _add_adaptive_convolution(self):
        width, units = 4 * self.base_filters, self.num_residual_units
        gain, predictor_gain, _ = STARTS[self.start]
        self.filter_trunk = ResidualTrunk(
            width,
            (units, units),
            self.kernel_size,
            gain=predictor_gain,
            name="filter_trunk",
        )
        if self.adaptive_filters == "iac":
            self.adaptive_convolution = IterativeAdaptiveConvolution(
                self.num_iterations,
                self.filter_size,
                reuse_vertical=self.variant == "released",
                identity_start=self.start == "identity",
                name="adaptive_convolution",
            )
        elif self.adaptive_filters == "fac":
            self.adaptive_convolution = FilterAdaptiveConvolution(
                self.filter_size, name="adaptive_convolution"
            )
        else:  # [IFAN Tab. 1], the baseline of Sec. 4.1
            self.predicted_features = convolution(
                width,
                1,
                activation=None,
                gain=predictor_gain,
                name="predicted_features",
            )
            self.filter_substitute = ResidualTrunk(
                width,
                (BASELINE_UNITS,),
                self.kernel_size,
                gain=gain,
                name="filter_substitute",
            )

    def _add_reconstruction(self):
        base, size = self.base_filters, self.kernel_size
        gain, _, last_gain = STARTS[self.start]
        self.reconstruction = ResidualTrunk(
            4 * base,
            (RECONSTRUCTION_UNITS,),
            size,
            closing=True,
            gain=gain,
            name="reconstruction",
        )
        self.upsampling = [
            (
                _deconvolution(width, gain, name=f"upsample{level}"),
                ResidualGroup(width, 1, size, gain, name=f"refine{level}_1"),
                ResidualGroup(width, 1, size, gain, name=f"refine{level}_2"),
            )
            for level, width in zip((3, 2, 1), (4 * base, 2 * base, base))
        ]
        self.residual = convolution(3, size, gain=last_gain, name="residual")

    def _encode_for_filters(self, inputs):
        names = ("blurred",) if self.views == 1 else ("right", "left")
        images = [ops.convert_to_tensor(inputs[name]) for name in names]
        return self.filter_encoder(ops.concatenate(images, axis=-1))[-1]

    def _transform(self, features, encoded, return_filters):
        parts, extras = [encoded], {}
        if self.use_disparity:
            extras["disparity"] = self.disparity_estimator(encoded)
            parts.append(self.disparity_features(extras["disparity"]))
        else:
            parts.append(self.substitute(encoded))
        context = self.filter_trunk(self.context(ops.concatenate(parts, axis=-1)))
        if self.adaptive_filters is None:
            predicted = self.predicted_features(context)
            both = ops.concatenate([features, predicted], axis=-1)
            features = self.filter_substitute(both)
        else:
            features = self.adaptive_convolution(
                features, context, return_filters=return_filters
            )
            if return_filters:
                features, extras["filters"] = features
        return self.reconstruction(features), extras

    def _decode(self, inputs, stages, features):
        for (upsample, *refine), skip in zip(self.upsampling, stages[-2::-1]):
            features = upsample(features) + skip
            for group in refine:
                features = group(features)
        blurred = ops.convert_to_tensor(inputs["blurred"])
        residual = convolution_to_image(self.residual, features)
        return blurred + ops.cast(residual, "float32")

    def build(self, input_shape: Shape | None = None) -> None:
        """Creates every weight; sizes stay dynamic."""
        with portable():  # tracing needs no compiled kernel
            super().build(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
            "num_iterations": self.num_iterations,
            "filter_size": self.filter_size,
            "kernel_size": self.kernel_size,
            "num_residual_units": self.num_residual_units,
            "use_disparity": self.use_disparity,
            "adaptive_filters": self.adaptive_filters,
            "start": self.start,
        }


def check_sizes(num_iterations, filter_size, kernel_size):
    """Refuses what neither the network nor the one that reblurs can be made of."""
    check_arguments(
        ("num_iterations", num_iterations, num_iterations >= 1, "at least 1"),
        ("filter_size", filter_size, filter_size % 2 == 1 <= filter_size, "odd"),
        ("kernel_size", kernel_size, kernel_size % 2 == 1 <= kernel_size, "odd"),
    )


def check_start(start, variant):
    """Refuses a start that is unknown, or of no use to the authors' weights."""
    check_choice("start", start, tuple(STARTS))
    if start == "identity" and variant == "released":
        raise ValueError(
            "start='identity' is for training variant='paper'; the released form is "
            "for the authors' checkpoints. Received: variant='released'"
        )


def _deconvolution(filters, gain, name):
    return doubling_convolution(
        filters,
        activation=leaky_relu,
        kernel_initializer=ifan_initializer(gain),
        name=name,
    )
