"""Restoration keeps size, depth and identity; tiles leave no seam."""

import numpy as np
import pytest
from keras import layers, ops

from tf_defocus.models import create_model
from tf_defocus.models.base import RestorationNetwork
from tf_defocus.models.gkmnet import GKMNet
from tf_defocus.models.k3dn import K3DN
from tf_defocus.restoration import restorer as restorer_module
from tf_defocus.restoration.restorer import Restorer

ONE_STEP_8BIT = 1 / 255


class Identity(RestorationNetwork):
    """Returns the centre view as it is."""

    view_names = ("blurred",)
    size_multiple = (8, 8)
    receptive_field = 1

    def call(self, inputs):
        return {"deblurred": inputs["blurred"] * 1.0}


class Convolutions(RestorationNetwork):
    """Two zero-padded convolutions of 5x5 and 3x3, one dilated: it sees 13 pixels."""

    view_names = ("blurred",)
    size_multiple = (4, 8)
    receptive_field = 13

    def __init__(self):
        super().__init__()
        self.first = layers.Conv2D(
            4, 5, padding="same", dilation_rate=2, use_bias=True, activation="tanh"
        )
        self.second = layers.Conv2D(3, 5, padding="same", bias_initializer="ones")

    def call(self, inputs):
        features = self.second(self.first(inputs["blurred"]))
        return {"deblurred": ops.sigmoid(features)}


class MeanOfViews(Identity):
    """Averages the three views."""

    view_names = ("blurred", "left", "right")

    def call(self, inputs):
        return {"deblurred": sum(inputs[name] for name in self.view_names) / 3}


class Pooled(Identity):
    """Adds a tenth of the mean of what it sees: no tile is exact."""

    exact_tiling = False

    def call(self, inputs):
        blurred = inputs["blurred"]
        mean = ops.mean(blurred, axis=(1, 2), keepdims=True)
        return {"deblurred": 0.9 * blurred + 0.1 * mean}


def photograph(rng, height, width, dtype="float32"):
    values = rng.random((height, width, 3), dtype=np.float32)
    if dtype == "float32":
        return values
    return np.rint(values * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("size", [(1, 1), (31, 47), (8, 16)])
@pytest.mark.parametrize("tile", [None, 0, 16])
def test_identity_returns_the_photograph_bit_for_bit(rng, dtype, size, tile):
    image = photograph(rng, *size, dtype)
    restored = Restorer(Identity(), tile=tile).restore(blurred=image)
    assert restored.dtype == dtype
    np.testing.assert_array_equal(restored, image)


def test_every_uint16_value_survives():
    values = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, axis=2)
    restored = Restorer(Identity()).restore(blurred=values)
    np.testing.assert_array_equal(restored, values)


@pytest.mark.parametrize("size", [(61, 67), (64, 64), (97, 20)])
def test_tiles_equal_the_whole_photograph_borders_included(rng, size):
    model = Convolutions()
    image = photograph(rng, *size)
    whole = Restorer(model, tile=0).restore(blurred=image)
    tiled = Restorer(model, tile=32).restore(blurred=image)
    np.testing.assert_allclose(tiled, whole, atol=1e-5)


def test_half_the_halo_would_leave_seams(rng):
    model = Convolutions()
    image = photograph(rng, 64, 64)
    whole = Restorer(model, tile=0).restore(blurred=image)
    model.receptive_field = 0
    tiled = Restorer(model, tile=16).restore(blurred=image)
    assert np.abs(tiled - whole).max() > 0.001


def test_large_photographs_are_tiled_without_being_asked(rng, monkeypatch):
    monkeypatch.setattr(restorer_module, "WHOLE_PIXELS", 1000)
    monkeypatch.setattr(restorer_module, "TILE", 32)
    steps = []
    image = photograph(rng, 64, 70, "uint8")
    restorer = Restorer(Convolutions())
    restorer.restore(blurred=image, on_progress=lambda *step: steps.append(step))
    assert len(steps) > 4
    assert steps[-1] == (len(steps), len(steps))


@pytest.mark.parametrize(("height", "width"), [(1120, 1680), (1152, 1792)])
@pytest.mark.parametrize("network", [GKMNet, K3DN])
def test_the_papers_test_sizes_are_restored_whole(network, height, width):
    tiles, _ = Restorer(network()).plan(height, width)
    assert len(tiles) == 1


def test_all_views_reach_the_network(rng):
    views = {name: photograph(rng, 9, 11) for name in MeanOfViews.view_names}
    restored = Restorer(MeanOfViews(), tile=8).restore(**views)
    np.testing.assert_allclose(restored, sum(views.values()) / 3, atol=1e-6)


def test_inexact_tiles_are_blended_without_a_step():
    ramp = np.linspace(0, 1, 1024, dtype=np.float32)
    image = np.broadcast_to(ramp[None, :, None], (32, 1024, 3)).copy()
    restored = Restorer(Pooled(), tile=512).restore(blurred=image)
    steps = np.diff(restored[0, :, 0])
    assert steps.max() < 2 * ramp[1]
    assert steps.min() > 0


class LeftMostly(Identity):
    """Three quarters of the left view and a quarter of the right."""

    view_names = ("left", "right")

    def call(self, inputs):
        return {"deblurred": 0.75 * inputs["left"] + 0.25 * inputs["right"]}


@pytest.mark.parametrize("tile", [0, 40])
def test_an_ensemble_is_the_mean_of_four_orientations(rng, tile):
    model = Convolutions()
    image = photograph(rng, 50, 62)
    single = Restorer(model, tile=tile)
    parts = [
        single.restore(blurred=np.ascontiguousarray(image[::down, ::across]))
        for down in (1, -1)
        for across in (1, -1)
    ]
    down = [parts[0], parts[1][:, ::-1], parts[2][::-1], parts[3][::-1, ::-1]]
    steps = []
    averaged = Restorer(model, tile=tile, ensemble=True).restore(
        blurred=image, on_progress=lambda *step: steps.append(step)
    )
    np.testing.assert_allclose(averaged, np.mean(down, axis=0), atol=1e-6)
    assert np.abs(averaged - parts[0]).max() > 1e-3
    assert len(steps) % 4 == 0
    assert [done for done, _ in steps] == list(range(1, len(steps) + 1))
    assert {total for _, total in steps} == {len(steps)}


def test_mirrored_across_left_and_right_views_change_places(rng):
    """Two of the four orientations see the right view as the left one."""
    views = {name: photograph(rng, 16, 24) for name in LeftMostly.view_names}
    averaged = Restorer(LeftMostly(), ensemble=True).restore(**views)
    np.testing.assert_allclose(averaged, sum(views.values()) / 2, atol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_an_ensemble_is_rounded_once(rng, dtype):
    image = photograph(rng, 9, 13, dtype)
    restored = Restorer(Identity(), ensemble=True).restore(blurred=image)
    assert restored.dtype == image.dtype
    np.testing.assert_array_equal(restored, image)


def test_batch_statistics_normalise_by_the_photograph(rng):
    """Off by default; on, the output is the network's with the option."""
    model = create_model("gkmnet", num_gaussians=3, max_kernel_size=5, num_scales=1)
    blurred = photograph(rng, 24, 40)
    whole = {"blurred": blurred[None]}
    running = Restorer(model, margin=0).restore(blurred=blurred)
    by_batch = Restorer(model, batch_statistics=True, margin=0).restore(blurred=blurred)
    for restored, options in ((running, {}), (by_batch, {"batch_statistics": True})):
        expected = model(whole, **options)["deblurred"][0]
        np.testing.assert_allclose(restored, np.clip(expected, 0, 1), atol=1e-5)
    assert np.abs(by_batch - running).max() > 1e-3
    moving = [w for w in model.non_trainable_weights if "moving_mean" in w.path]
    assert moving and all(not np.asarray(w).any() for w in moving)  # nothing updated


def test_batch_statistics_of_another_network_are_refused():
    with pytest.raises(ValueError, match="needs a network that offers them"):
        Restorer(create_model("kpac_2level", base_filters=3), batch_statistics=True)


def test_output_is_clipped_and_rounded(monkeypatch):
    class Bright(Identity):
        def call(self, inputs):
            return {"deblurred": inputs["blurred"] * 2 - 0.5}

    image = np.array([[[0, 128, 255]]], np.uint8)
    restored = Restorer(Bright()).restore(blurred=image)
    # 128 / 255 * 2 - 0.5 = 0.50392 = 128.5 steps
    np.testing.assert_array_equal(restored[0, 0, [0, 2]], [0, 255])
    assert restored[0, 0, 1] in (128, 129)


def test_not_finite_output_is_refused():
    class Broken(Identity):
        def call(self, inputs):
            return {"deblurred": inputs["blurred"] / 0.0}

    with pytest.raises(ArithmeticError, match="not finite"):
        Restorer(Broken()).restore(blurred=np.ones((8, 8, 3), np.uint8))


@pytest.mark.parametrize(
    "views, message",
    [
        ({}, "Expected the views blurred, left, right. Received: none"),
        ({"blurred": (8, 8, 3)}, "Received: blurred$"),
        ({"blurred": (8, 8, 3), "left": (8, 8, 3), "right": (8, 9, 3)}, "be alike"),
        ({"blurred": (8, 8), "left": (8, 8), "right": (8, 8)}, r"\(height, width, 3\)"),
    ],
)
def test_wrong_views_are_refused(views, message):
    arrays = {name: np.zeros(shape, np.uint8) for name, shape in views.items()}
    with pytest.raises(ValueError, match=message):
        Restorer(MeanOfViews()).restore(**arrays)


def test_wrong_dtype_is_refused():
    with pytest.raises(ValueError, match="Received: dtype=float64"):
        Restorer(Identity()).restore(blurred=np.zeros((8, 8, 3)))


def test_tile_smaller_than_the_halo_is_refused(rng):
    with pytest.raises(ValueError, match="Tiles must be larger than 16"):
        Restorer(Convolutions(), tile=8).restore(blurred=photograph(rng, 64, 64))


@pytest.mark.parametrize(
    "name", ["tensor", "big_endian", "pillow", "reversed", "float"]
)
def test_other_holders_of_pixels_are_taken(rng, name):
    import PIL.Image
    from keras import ops

    image = photograph(rng, 9, 11, "uint8")
    if name == "float":
        image = image.astype("float32") / 255
    given = {
        "tensor": lambda: ops.convert_to_tensor(image),
        "big_endian": lambda: image.astype(">u2") * 257,
        "pillow": lambda: PIL.Image.fromarray(image),
        "reversed": lambda: image[::-1, ::-1],
        "float": lambda: image.astype(">f4"),
    }[name]()
    restored = Restorer(Identity()).restore(blurred=given)
    expected = image.astype("uint16") * 257 if name == "big_endian" else image
    expected = image[::-1, ::-1] if name == "reversed" else expected
    np.testing.assert_array_equal(restored, expected)
    assert restored.dtype.isnative


def test_channels_first_is_refused_before_anything_is_computed(monkeypatch):
    monkeypatch.setattr("keras.config.image_data_format", lambda: "channels_first")
    with pytest.raises(ValueError, match="set it to channels_last"):
        create_model("kpac_3level", base_filters=3)


class Unreadable:
    """A tensor on another device, say."""

    def __array__(self, *_, **__):
        raise TypeError("can't convert cuda:0 device type tensor")


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: "photo.png", "Received: a path; read it with images.read_image"),
        (lambda: Unreadable(), "Received: Unreadable; can't convert cuda"),
        (lambda: np.zeros((1, 8, 8, 3), "uint8"), "one photograph of the batch"),
        (lambda: np.zeros((3, 8, 8), "uint8"), "move the channels last"),
        (lambda: np.zeros((8, 8, 4), "uint8"), "take the alpha channel off"),
        (lambda: np.full((8, 8, 3), 200, "float32"), "up to 200; .*divide by 255"),
        (lambda: np.full((8, 8, 3), 6e4, "float32"), "divide by 65535"),
        (lambda: np.full((8, 8, 3), -1, "float32"), "down to -1"),
        (lambda: np.full((8, 8, 3), np.nan, "float32"), "input blurred .*not finite"),
        (lambda: np.full((8, 8, 3), np.inf, "float32"), "input blurred .*not finite"),
    ],
)
def test_inputs_outside_the_contract_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        Restorer(Identity()).restore(blurred=make())


def test_pictures_that_are_not_rgb_say_how_to_become_so():
    import PIL.Image

    for mode in ("L", "P", "CMYK", "RGBA"):
        with pytest.raises(ValueError, match=rf"mode {mode}; .convert"):
            Restorer(Identity()).restore(blurred=PIL.Image.new(mode, (8, 8)))


@pytest.mark.parametrize("protect_sharp", [False, True])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_batch_equals_one_after_another(rng, dtype, protect_sharp):
    restorer = Restorer(Convolutions(), protect_sharp=protect_sharp)
    batch = [{"blurred": photograph(rng, 19, 26, dtype)} for _ in range(3)]
    calls, run = [], restorer.engine
    restorer.engine = lambda *a, **k: calls.append(k["inputs"]) or run(*a, **k)
    together = restorer.restore_batch(batch, strength=0.5)
    assert [inputs["blurred"].shape[0] for inputs in calls[:1]] == [3]
    for views, restored in zip(batch, together):
        expected = restorer.restore(**views, strength=0.5)
        assert restored.dtype == dtype and restored.shape == (19, 26, 3)
        difference = np.abs(restored.astype(float) - expected)
        assert difference.max() <= (1e-6 if dtype == "float32" else 1)
    assert len(calls) == 1 + len(batch)


@pytest.mark.parametrize(
    "options", [{"ensemble": True}, {"tile": 32}, {"scales": (1, 2)}]
)
def test_what_needs_several_calls_is_restored_one_after_another(rng, options):
    restorer = Restorer(Convolutions(), **options)
    batch = [{"blurred": photograph(rng, 40, 40)} for _ in range(2)]
    for views, restored in zip(batch, restorer.restore_batch(batch)):
        np.testing.assert_array_equal(restored, restorer.restore(**views))


def test_a_batch_of_several_sizes_is_refused(rng):
    batch = [{"blurred": photograph(rng, 8, width)} for width in (8, 9)]
    with pytest.raises(ValueError, match=r"one size\. Received: .*8, 9, 3"):
        Restorer(Identity()).restore_batch(batch)
