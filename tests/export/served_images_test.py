"""Files as a served graph sees them: upright, bounded, and none at all."""

import io

import numpy as np
import PIL.Image
import pytest

tf = pytest.importorskip("tensorflow", reason="served graphs need TensorFlow")

from tf_defocus.export import graph_memory, served_images  # noqa: E402
from tf_defocus.export.saved_model import RestorationGraph  # noqa: E402
from tf_defocus.images.files import read_image  # noqa: E402
from tf_defocus.models import create_model  # noqa: E402
from tf_defocus.restoration.restorer import Restorer  # noqa: E402

COMMENT = b"\xff\xfe\x00\x06ABCD"  # a segment before the EXIF one


def encoded(pixels, kind, orientation, little_endian=True):
    exif = PIL.Image.Exif()
    exif.endian = "<" if little_endian else ">"
    exif[0x010F], exif[0x0112] = "Kamera", orientation
    stream = io.BytesIO()
    options = {"quality": 95} if kind == "JPEG" else {}
    PIL.Image.fromarray(pixels).save(stream, kind, exif=exif, **options)
    data = stream.getvalue()
    return data[:2] + COMMENT + data[2:] if kind == "JPEG" else data


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_files_are_upright_as_the_reader_shows_them(rng, tmp_path, kind, orientation):
    smooth = np.kron(rng.integers(0, 256, (3, 4, 3)), np.ones((8, 8, 1)))
    data = encoded(smooth.astype(np.uint8), kind, orientation, orientation % 2)
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(data)
    expected = read_image(path).pixels
    assert int(served_images.read_orientation(data)) == orientation
    decoded = served_images.decode_images([data], 10**6)[0].numpy()
    np.testing.assert_allclose(decoded * 255, expected, atol=1.01)


@pytest.mark.parametrize("cut", [4, 12, 20, 30, 40, 60])
def test_a_damaged_exif_counts_as_upright_or_as_it_says(rng, cut):
    pixels = rng.integers(0, 256, (8, 8, 3)).astype(np.uint8)
    data = encoded(pixels, "JPEG", 6)
    found = int(served_images.read_orientation(data[:cut] + bytes(4)))
    assert found in (1, 6)


def test_the_pixels_of_all_files_together_are_bounded():
    pixels = np.zeros((10, 10, 3), np.uint8)
    data = encoded(pixels, "PNG", 1)
    assert served_images.decode_images([data] * 3, 300).shape == (3, 10, 10, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="megapixels in all"):
        served_images.decode_images([data] * 4, 399)


@pytest.fixture(scope="module")
def graph():
    """A small network as a graph that takes 2,000 pixels."""
    return RestorationGraph(create_model("kpac_2level", base_filters=3), limit=2000)


def test_an_empty_batch_is_answered_with_an_empty_batch(graph):
    floats = graph.restore_floats({"blurred": tf.zeros((0, 9, 7, 3))})["deblurred"]
    assert floats.shape == (0, 9, 7, 3)
    levels = graph.restore_levels({"blurred": tf.zeros((0, 9, 7, 3), tf.uint8)})
    assert levels["deblurred"].shape == (0, 9, 7, 3)
    files = graph.restore_encoded({"blurred": tf.zeros((0,), tf.string)})
    assert files["deblurred"].shape == (0, 0, 0, 3)
    assert files["encoded_bytes"].shape == (0,)


def test_arrays_of_too_many_pixels_are_refused(graph):
    assert graph.restore_floats({"blurred": tf.zeros((2, 25, 40, 3))})
    with pytest.raises(tf.errors.InvalidArgumentError, match="megapixels in all"):
        graph.restore_floats({"blurred": tf.zeros((3, 25, 40, 3))})


def test_memory_grows_with_the_width_of_the_network():
    narrow = graph_memory.bytes_per_pixel(create_model("kpac_2level", base_filters=6))
    wide = graph_memory.bytes_per_pixel(create_model("kpac_2level", base_filters=12))
    # at full size, two maps of base_filters float32 channels and the image, at least
    assert narrow >= graph_memory.SAFETY * (2 * 6 + 3) * 4
    assert 1.5 < wide / narrow < 2.5
    model = create_model("kpac_2level", base_filters=6)
    assert graph_memory.max_pixels(model, 2) == int(2 * 2**30 / narrow)


def test_the_restorer_has_no_such_limit(rng):
    model = create_model("kpac_2level", base_filters=3)
    image = rng.random((50, 50, 3), dtype=np.float32)
    assert Restorer(model).restore(blurred=image).shape == (50, 50, 3)
