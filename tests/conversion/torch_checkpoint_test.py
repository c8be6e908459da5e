"""Tests of `tf_defocus.conversion.torch_checkpoint`."""

import collections
import os
import pickle
import zipfile

import numpy as np
import pytest

from tests import testing
from tests.torch_archive import Call, pickled, tensor, write_archive
from tf_defocus.conversion.torch_checkpoint import read_torch_checkpoint

FILES = ["torch_zip.pth", "torch_legacy.pth"]


def expected_state():
    """What `tests/goldens/record_torch_checkpoints.py` saved."""
    base = np.arange(24, dtype="float32").reshape(2, 3, 4) / 8
    return {
        "weight": base,
        "transposed": base.transpose(2, 0, 1),
        "tail_of_shared": base[1, 1:],
        "parameter": np.array([0.5, -2.0], "float32"),
        "half": np.array([1.5, 65504.0], "float16"),
        "double": np.array([[1e300]]),
        "steps": np.array(1234567890123),
        "codes": np.array([-128, 127], "int8"),
        "mask": np.array([True, False]),
        "empty": np.zeros((0, 3), "float32"),
    }


@pytest.mark.parametrize("name", FILES)
def test_both_layouts_give_every_tensor_as_saved(name):
    content = read_torch_checkpoint(testing.golden_file(name))
    assert (content["epoch"], content["names"], content["lr"]) == (7, ["a", "b"], 1e-4)
    state, expected = content["state_dict"], expected_state()
    assert list(state) == list(expected)
    for key, array in expected.items():
        assert state[key].dtype == array.dtype, key
        np.testing.assert_array_equal(state[key], array, err_msg=key)


@pytest.mark.parametrize(
    "function, arguments",
    [
        (os.mkdir, ["executed"]),
        (eval, ["__import__('os').mkdir('executed')"]),
        (getattr, [collections.OrderedDict, "fromkeys"]),
        (pickle.loads, [b"N."]),
    ],
)
@pytest.mark.parametrize("layout", ["zip", "legacy"])
def test_a_pickle_that_calls_is_refused_and_not_executed(
    function, arguments, layout, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    evil = pickle.dumps({"weight": Call(function, *arguments)}, protocol=2)
    path = tmp_path / "evil.pth"
    if layout == "zip":
        write_archive(path, evil)
    else:
        path.write_bytes(evil)
    with pytest.raises(ValueError, match=f"names .*{function.__name__}', which no"):
        read_torch_checkpoint(path)
    assert not (tmp_path / "executed").exists()


PID = ("storage", "<f4", "0", "cpu", 6)
DATA = np.arange(6, dtype="<f4").tobytes()


def one_tensor(pid, offset, size, stride):
    return pickled({"weight": tensor(pid, offset, size, stride)})


def test_a_hand_made_archive_is_read(tmp_path):
    description = one_tensor(PID, 1, (2, 2), (3, 1))
    path = write_archive(tmp_path / "a.pth", description, [("0", DATA)])
    weight = read_torch_checkpoint(path)["weight"]
    np.testing.assert_array_equal(weight, [[1, 2], [4, 5]])


@pytest.mark.parametrize(
    "pid, offset, size, stride, message",
    [
        (PID, 1, (2, 3), (3, 1), "leaves its storage"),
        (PID, -1, (2,), (1,), "has no storage"),
        (PID, 5, (2,), (-1,), "no proper shape"),
        (PID, 0, (10**9, 10**9), (0, 0), "repeats its storage"),
        (PID, 0, (2, 2), (1,), "no readable checkpoint"),
        (("storage", "O", "0", "cpu", 6), 0, (2,), (1,), "it refers to"),
        (("module", "<f4", "0", "cpu", 6), 0, (2,), (1,), "it refers to"),
        (("storage", "<f4", "0", "cpu", 7), 0, (2,), (1,), "must hold 28 bytes"),
        (("storage", "<f4", "9", "cpu", 6), 0, (2,), (1,), "data/9"),
    ],
)
def test_tensors_that_leave_their_storage_are_refused(
    pid, offset, size, stride, message, tmp_path
):
    description = one_tensor(pid, offset, size, stride)
    path = write_archive(tmp_path / "a.pth", description, [("0", DATA)])
    with pytest.raises(ValueError, match=message):
        read_torch_checkpoint(path)


def test_a_compressed_storage_is_refused(tmp_path):
    description = one_tensor(PID, 0, (6,), (1,))
    compressed = zipfile.ZIP_DEFLATED
    path = write_archive(tmp_path / "a.pth", description, [("0", DATA)], compressed)
    with pytest.raises(ValueError, match="compressed"):
        read_torch_checkpoint(path)


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_refused(name, tmp_path):
    whole = testing.golden_file(name).read_bytes()
    path = tmp_path / "cut.pth"
    for length in range(0, len(whole) - 1, 61):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="no readable checkpoint"):
            read_torch_checkpoint(path)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pth"):
        read_torch_checkpoint(tmp_path / "none.pth")
