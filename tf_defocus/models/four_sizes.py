"""The frame that Restormer made and LaKDNet took over: blocks at four sizes."""

from keras import ops

from tf_defocus.layers.restormer import Doubling, Halving
from tf_defocus.layers.restormer_attention import pointwise_convolution
from tf_defocus.models.base import MonoOrDualNetwork, check_arguments

LEVELS = 4  # resolutions it works at, each half the one before


class FourSizesNetwork(MonoOrDualNetwork):
    """Blocks on the way down, and on the way up after a skip from the same size.

    A derived class makes the blocks of a size in `_blocks(level, count, name)`.

    Args:
        base_filters: int, even, channels at full size; doubled at every halving.
        num_blocks: four int, blocks at each size.
        expansion_factor: float, hidden channels of the feed-forward networks per
            channel.
        **kwargs: of `MonoOrDualNetwork`.

    Raises:
        ValueError: if an argument is none of the values above.
    """

    exact_tiling = False
    size_multiple = (2 ** (LEVELS - 1), 2 ** (LEVELS - 1))

    def __init__(self, base_filters, num_blocks, expansion_factor, **kwargs):
        super().__init__(**kwargs)
        even = base_filters >= 2 and base_filters % 2 == 0
        counts = len(num_blocks) == LEVELS and min(num_blocks) >= 0
        hidden = base_filters * expansion_factor >= 1
        check_arguments(
            ("base_filters", base_filters, even, "even and at least 2"),
            ("num_blocks", num_blocks, counts, "four numbers, none below 0"),
            ("expansion_factor", expansion_factor, hidden, "1 / base_filters at least"),
        )
        self.base_filters = base_filters
        self.num_blocks = tuple(num_blocks)
        self.expansion_factor = expansion_factor

    def call(self, inputs, training=None):
        return {"deblurred": self.stages(inputs, training=training)["output"]}

    def _add_levels(self, use_bias):
        base = self.base_filters
        self.encoder = [
            self._blocks(level, count, f"encoder{level}")
            for level, count in enumerate(self.num_blocks, start=1)
        ]
        self.halvings = [Halving(name=f"halving{level}") for level in (1, 2, 3)]
        self.doublings = [Doubling(name=f"doubling{level}") for level in (1, 2, 3)]
        # At full size the channels stay doubled.
        self.reductions = [
            pointwise_convolution(width, width // 2, use_bias, name=f"reduction{level}")
            for level, width in ((2, 4 * base), (3, 8 * base))
        ]
        self.decoder = [
            self._blocks(level, count, f"decoder{level}")
            for level, count in enumerate(self.num_blocks[:-1], start=1)
        ]

    def _encode(self, stages, features, training):
        """Adds `enc1` to `enc3`, `latent` and what lies between; returns `latent`."""
        for level, blocks in enumerate(self.encoder, start=1):
            if level > 1:
                features = self.halvings[level - 2](features)
                stages[f"down{level - 1}_{level}"] = features
            for block in blocks:
                features = block(features, training=training)
            stages[f"enc{level}" if level < LEVELS else "latent"] = features
        return features

    def _decode(self, stages, features, training):
        """Adds `dec3` to `dec1` and what lies between; returns `dec1`."""
        for level in range(LEVELS - 1, 0, -1):
            features = stages[f"up{level + 1}_{level}"] = self.doublings[level - 1](
                features
            )
            features = ops.concatenate([features, stages[f"enc{level}"]], axis=-1)
            if level > 1:
                features = self.reductions[level - 2](features)
                stages[f"reduce{level}"] = features
            for block in self.decoder[level - 1]:
                features = block(features, training=training)
            stages[f"dec{level}"] = features
        return features

    def get_config(self):
        return {
            **super().get_config(),
            "base_filters": self.base_filters,
            "num_blocks": self.num_blocks,
            "expansion_factor": self.expansion_factor,
        }
