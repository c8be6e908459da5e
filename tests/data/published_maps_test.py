"""Float maps: their values and order, and what is refused before it is read."""

import struct
import zlib

import numpy as np
import pytest
from scipy import io as scipy_io

from tf_defocus.data import published_maps
from tf_defocus.data.published_files import DatasetFilesError


@pytest.mark.parametrize(("scale", "dtype"), [(b"-1.0", "<f4"), (b"1", ">f4")])
def test_float_maps_of_both_byte_orders_start_at_the_top(tmp_path, scale, dtype):
    path, values = tmp_path / "a.pfm", np.arange(6.0).reshape(2, 3) - 2.5
    path.write_bytes(
        b"Pf\n3 2\n" + scale + b"\n" + values[::-1].astype(dtype).tobytes()
    )
    np.testing.assert_array_equal(published_maps.read_pfm(path)[..., 0], values)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DatasetFilesError, match=r"a\.pfm.*cut off"):
        published_maps.read_pfm(path)


@pytest.mark.parametrize(
    "content, said",
    [
        (b"Pf\n" + b"9" * 5000 + b" 1\n-1.0\n", "grey PFM"),
        (b"Pf\n1 1\n--..ee\n" + bytes(4), "grey PFM"),
        (b"Pf\n1 1\n-1.0\n\0\0\xc0\x7f", "not finite"),
        (b"Pf\n1 1\n1e-3\n\x7f\x80\0\0", "not finite"),
    ],
)
def test_pfm_of_nonsense_is_refused(tmp_path, content, said):
    (tmp_path / "a.pfm").write_bytes(content)
    with pytest.raises(DatasetFilesError, match=said):
        published_maps.read_pfm(tmp_path / "a.pfm")


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
def test_matlab_matrices_keep_their_values_and_order(tmp_path, compressed, dtype):
    values = np.arange(6).reshape(2, 3).astype(dtype)
    path = tmp_path / "a.mat"
    content = {"blurMap": values, "other": {"cell": [1, "text"]}}
    scipy_io.savemat(path, content, do_compression=compressed)
    received = published_maps.read_mat(path, "blurMap")
    assert received.dtype == np.float32 and received.shape == (2, 3, 1)
    np.testing.assert_array_equal(received[..., 0], values)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"other": np.ones((2, 2))}, "numbers called blurMap.*other"),
        ({"blurMap": "text"}, "numbers called blurMap.*char"),
        ({"blurMap": np.array([[1, "a"]], object)}, "numbers called blurMap.*cell"),
        ({"blurMap": np.ones((2, 2, 2))}, "matrix of finite numbers"),
        ({"blurMap": np.ones((2, 2)) * 1j}, "matrix of finite numbers"),
        ({"blurMap": np.full((2, 2), np.nan)}, "matrix of finite numbers"),
    ],
)
def test_matlab_files_of_something_else_are_named(tmp_path, value, message):
    path = tmp_path / "a.mat"
    scipy_io.savemat(path, value)
    with pytest.raises(DatasetFilesError, match=rf"(?s){message}|a\.mat.*{message}"):
        published_maps.read_mat(path, "blurMap")


def test_damaged_and_newer_matlab_files_are_named(tmp_path):
    path = tmp_path / "a.mat"
    scipy_io.savemat(path, {"blurMap": np.ones((9, 9))}, do_compression=True)
    content = path.read_bytes()
    for damaged in (content[:-8], b"nothing", content[:126] + b"XX" + content[128:]):
        path.write_bytes(damaged)
        with pytest.raises(DatasetFilesError, match=r"a\.mat"):
            published_maps.read_mat(path, "blurMap")
    path.write_bytes(b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(DatasetFilesError, match=r"a\.mat of version 7\.3.*-v7"):
        published_maps.read_mat(path, "blurMap")


def test_what_swells_beyond_the_bound_is_never_decompressed(tmp_path, monkeypatch):
    path = tmp_path / "bomb.mat"
    scipy_io.savemat(path, {"blurMap": np.ones((2, 2))})
    bomb = zlib.compress(bytes(1 << 20))
    element = struct.pack("<II", 15, len(bomb)) + bomb
    path.write_bytes(path.read_bytes()[:128] + element)
    monkeypatch.setattr(published_maps, "_MAX_BYTES", 1 << 16)
    with pytest.raises(DatasetFilesError, match=r"decompressed.*bomb\.mat"):
        published_maps.read_mat(path, "blurMap")
