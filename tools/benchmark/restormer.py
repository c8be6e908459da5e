"""Time of Restormer beside the same network in PyTorch, with the same weights.

    pip install torch
    python tools/benchmark/restormer.py --size 512x512 --threads 2

The PyTorch network, written out below, has the authors' names and so gives its weights
to ours; outputs must agree before anything is timed. The two are called in turns, so
that a busy machine slows both. Prints the median of each and the ratio, ours over
theirs, of elapsed and of processor time: the latter holds on a machine that is shared.
"""

import statistics
import time

import numpy as np
from absl import flags

from tf_defocus import commands

SIZE = flags.DEFINE_string("size", "512x512", "WIDTHxHEIGHT [px], multiples of 8.")
THREADS = flags.DEFINE_integer("threads", 2, "Of both frameworks.", 1)
REPEATS = flags.DEFINE_integer("repeats", 5, "Calls counted.", 1)
BASE_FILTERS = flags.DEFINE_integer("base_filters", 48, "Channels at full size.", 2)
TOLERANCE = 1e-3  # of the outputs, in [0, 1]


def torch_restormer(base_filters):
    """The single-image network in PyTorch, with the authors' tensor names."""
    import torch
    from torch import nn
    from torch.nn import functional

    def conv(inputs, outputs, size=1, groups=1):
        padding = size // 2
        return nn.Conv2d(
            inputs, outputs, size, padding=padding, groups=groups, bias=False
        )

    class Norm(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.body = nn.LayerNorm(channels, eps=1e-5)

        def forward(self, x):
            return self.body(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    class Attention(nn.Module):
        def __init__(self, channels, heads):
            super().__init__()
            self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
            self.qkv = conv(channels, 3 * channels)
            self.qkv_dwconv = conv(3 * channels, 3 * channels, 3, 3 * channels)
            self.project_out = conv(channels, channels)

        def forward(self, x):
            parts = self.qkv_dwconv(self.qkv(x)).chunk(3, dim=1)
            shape = (len(x), len(self.temperature), -1, x.shape[2] * x.shape[3])
            query, key, value = (part.reshape(shape) for part in parts)
            query, key = (functional.normalize(part, dim=-1) for part in (query, key))
            scores = (query @ key.transpose(-2, -1)) * self.temperature
            return self.project_out((scores.softmax(-1) @ value).reshape(x.shape))

    class FeedForward(nn.Module):
        def __init__(self, channels):
            super().__init__()
            hidden = int(channels * 2.66)
            self.project_in = conv(channels, 2 * hidden)
            self.dwconv = conv(2 * hidden, 2 * hidden, 3, 2 * hidden)
            self.project_out = conv(hidden, channels)

        def forward(self, x):
            gate, x = self.dwconv(self.project_in(x)).chunk(2, dim=1)
            return self.project_out(functional.gelu(gate) * x)

    class Block(nn.Module):
        def __init__(self, channels, heads):
            super().__init__()
            self.norm1, self.attn = Norm(channels), Attention(channels, heads)
            self.norm2, self.ffn = Norm(channels), FeedForward(channels)

        def forward(self, x):
            x = x + self.attn(self.norm1(x))
            return x + self.ffn(self.norm2(x))

    def resized(layer, shuffle):
        module = nn.Module()
        module.body = nn.Sequential(layer, shuffle(2))
        module.forward = module.body.forward
        return module

    def blocks(count, channels, heads):
        return nn.Sequential(*(Block(channels, heads) for _ in range(count)))

    class Network(nn.Module):
        def __init__(self, c):
            super().__init__()
            down, up = nn.PixelUnshuffle, nn.PixelShuffle
            self.patch_embed = nn.Module()
            self.patch_embed.proj = conv(3, c, 3)
            self.encoder_level1 = blocks(4, c, 1)
            self.down1_2 = resized(conv(c, c // 2, 3), down)
            self.encoder_level2 = blocks(6, 2 * c, 2)
            self.down2_3 = resized(conv(2 * c, c, 3), down)
            self.encoder_level3 = blocks(6, 4 * c, 4)
            self.down3_4 = resized(conv(4 * c, 2 * c, 3), down)
            self.latent = blocks(8, 8 * c, 8)
            self.up4_3 = resized(conv(8 * c, 16 * c, 3), up)
            self.reduce_chan_level3 = conv(8 * c, 4 * c)
            self.decoder_level3 = blocks(6, 4 * c, 4)
            self.up3_2 = resized(conv(4 * c, 8 * c, 3), up)
            self.reduce_chan_level2 = conv(4 * c, 2 * c)
            self.decoder_level2 = blocks(6, 2 * c, 2)
            self.up2_1 = resized(conv(2 * c, 4 * c, 3), up)
            self.decoder_level1 = blocks(4, 2 * c, 1)
            self.refinement = blocks(4, 2 * c, 1)
            self.output = conv(2 * c, 3, 3)

        def forward(self, image):
            first = self.encoder_level1(self.patch_embed.proj(image))
            second = self.encoder_level2(self.down1_2(first))
            third = self.encoder_level3(self.down2_3(second))
            x = self.up4_3(self.latent(self.down3_4(third)))
            x = self.reduce_chan_level3(torch.cat([x, third], 1))
            x = self.up3_2(self.decoder_level3(x))
            x = self.reduce_chan_level2(torch.cat([x, second], 1))
            x = self.up2_1(self.decoder_level2(x))
            x = self.decoder_level1(torch.cat([x, first], 1))
            return self.output(self.refinement(x)) + image

    return Network(base_filters).eval()


def calls(base_filters, image):
    """Ours and PyTorch's, as functions without arguments, of the same weights."""
    import torch

    from tf_defocus.conversion import load_official
    from tf_defocus.models import create_model

    torch.manual_seed(0)
    theirs = torch_restormer(base_filters)
    ours = create_model("restormer", base_filters=base_filters)
    tensors = {name: value.numpy() for name, value in theirs.state_dict().items()}
    load_official(ours, tensors)
    planar = torch.from_numpy(np.moveaxis(image, -1, 1).copy())

    def run_theirs():
        with torch.inference_mode():
            return np.moveaxis(theirs(planar).numpy(), 1, -1)

    return lambda: ours.predict_on_batch({"blurred": image})["deblurred"], run_theirs


def measure():
    """dict: largest difference, seconds of both, ratios."""
    sides = SIZE.value.split("x")
    if len(sides) != 2 or not all(s.isdigit() and int(s) % 8 == 0 for s in sides):
        raise ValueError(
            f"--size must be WIDTHxHEIGHT, multiples of 8. Received: {SIZE.value!r}"
        )
    width, height = map(int, sides)
    image = np.random.default_rng(0).random((1, height, width, 3), np.float32)
    both = calls(BASE_FILTERS.value, image)
    difference = float(np.abs(np.subtract(*(call() for call in both))).max())
    if difference > TOLERANCE:
        raise ArithmeticError(f"The two networks differ by {difference:.2g}")
    rounds = [[_time(call) for call in both] for _ in range(REPEATS.value)]
    results = {"difference": difference}
    for index, clock in enumerate(("elapsed", "processor")):
        ours, theirs = (
            statistics.median(times[who][index] for times in rounds) for who in (0, 1)
        )
        results |= {f"{clock}_seconds": ours, f"{clock}_seconds_torch": theirs}
        results[f"{clock}_ratio"] = ours / theirs
    return results


def _time(call):
    start, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - start, time.process_time() - processor


def main(_):
    """Measures and prints."""
    import tensorflow as tf
    import torch

    tf.config.threading.set_intra_op_parallelism_threads(THREADS.value)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS.value)
    torch.set_num_threads(THREADS.value)
    for key, value in measure().items():
        print(f"{key}: {value:.4g}")


if __name__ == "__main__":
    commands.run(main)
