"""Reduced recordings give back what was recorded, and `assert_agrees` reads them."""

import json
import pathlib
import runpy

import numpy as np
import pytest

from tests import recorded_vectors, testing
from tests.recorded_vectors import ReducedVectors, Samples

FOLDER = testing.ROOT / "tests" / "recorded"
NAMES = sorted(path.name for path in FOLDER.glob("*.npz"))


@pytest.fixture(scope="module")
def reduced(tmp_path_factory):
    """A fabricated recording, whole and reduced: (mapping, `ReducedVectors`)."""
    folder = tmp_path_factory.mktemp("recorded")
    stream = np.random.default_rng(7)
    image = np.rint(stream.random((1, 8, 9, 3)) * 255).astype("float32") / 255
    weights = stream.standard_normal((3, 3, 4, 20)) * 0.3
    bias = stream.uniform(-0.1, 0.1, 20)
    few = stream.standard_normal(3)
    gain = 1 + 0.25 * stream.standard_normal(50)
    arrays = {
        "meta": json.dumps({"seed": 7, "float64_max_abs_diff": {"output": 1e-6}}),
        "in/image": image,
        "w/kernel": weights.astype("float32").astype("float16").astype("float32"),
        "w/bias": bias.astype("float32").astype("float16").astype("float32"),
        "w/few": few.astype("float16").astype("float32"),
        "w/gain": gain.astype("float32").astype("float16").astype("float32"),
        "output": np.random.default_rng(8).random((1, 16, 16, 3), dtype="float32"),
        "mid/x@[:,::3,:,:]": np.ones((1, 2, 2, 2), "float32"),
    }
    arrays["w/kernel"][1, 1, 2, 3] = 1.5  # as where a kernel holds an identity
    path = folder / "small.npz"
    np.savez_compressed(path, **arrays)
    tool = runpy.run_path(str(FOLDER / "reduce.py"))
    tool["reduce"].__globals__["FOLDER"] = folder / "reduced"
    (folder / "reduced").mkdir()
    assert "3 weights kept" in tool["reduce"](path)
    return np.load(path), ReducedVectors(folder / "reduced" / "small.npz")


def test_weights_are_drawn_again_to_the_last_bit(reduced):
    whole, small = reduced
    assert small.files == whole.files
    for key in ("in/image", "w/kernel", "w/bias", "w/few", "w/gain"):
        np.testing.assert_array_equal(small[key], whole[key])
        assert small[key].dtype == whole[key].dtype
    assert json.loads(str(small["meta"])) == json.loads(str(whole["meta"]))


def test_results_are_samples_that_agree_with_the_tensor_and_no_other(reduced):
    whole, small = reduced
    assert isinstance(small["output"], Samples)
    assert len(small["output"].values) > 80
    testing.assert_agrees(whole["output"], small, "output")
    x = np.ones((1, 4, 2, 2), "float32")
    testing.assert_agrees(x, small, "mid/x@[:,::3,:,:]")
    with pytest.raises(AssertionError, match="error"):
        testing.assert_agrees(whole["output"] + 2e-4, small, "output")
    with pytest.raises(AssertionError):
        testing.assert_agrees(whole["output"][:, ::-1], small, "output")
    with pytest.raises(AssertionError):
        testing.assert_agrees(whole["output"][:, :8], small, "output")


def test_another_stream_is_noticed(reduced, monkeypatch):
    _, small = reduced
    monkeypatch.setattr(recorded_vectors, "draw", lambda *_: np.zeros(3, "float32"))
    with pytest.raises(ValueError, match="not drawn again"):
        small["w/bias"]


def test_positions_are_spread_and_few():
    found = recorded_vectors.positions(100_000)
    assert len(found) == recorded_vectors.NUM_SAMPLES
    assert np.diff(found).max() < 3 * 100_000 / len(found)
    np.testing.assert_array_equal(recorded_vectors.positions(5), np.arange(5))


def _assert_same(name):
    whole = np.load(testing.whole_reference(name))
    small = ReducedVectors(FOLDER / name)
    assert small.files == whole.files
    for key in (k for k in whole.files if k != "meta"):
        expected, actual = whole[key], small[key]
        if isinstance(actual, Samples):
            assert actual.shape == expected.shape
            assert actual.largest == pytest.approx(float(np.abs(expected).max()))
            actual, expected = actual.values, actual.of(expected)
        np.testing.assert_array_equal(actual, expected, err_msg=key)


@pytest.mark.parametrize("name", ["metrics.npz", "iniknet.npz", "tfa_0_23.npz"])
def test_small_files_hold_what_was_recorded(name):
    _assert_same(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_file_holds_what_was_recorded(name):
    _assert_same(name)


def test_the_repository_holds_every_file_that_tests_open():
    source = "".join(
        path.read_text()
        for path in pathlib.Path(testing.ROOT / "tests").rglob("*_test.py")
    )
    assert len(NAMES) >= 37
    missing = [name for name in NAMES if name.split("_")[0].split(".")[0] not in source]
    assert not missing
    assert sum(path.stat().st_size for path in FOLDER.glob("*.npz")) < 6e6
