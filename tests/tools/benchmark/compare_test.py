"""PyTorch's twins compute what the networks do; the page tells what was measured."""

import json
import types

import keras
import numpy as np
import pytest

from tests.testing import load_tool
from tf_defocus.models import create_model
from tf_defocus.reports import speed_page

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="measures TensorFlow"
)
SMALL_K3DN = {
    "base_filters": 4,
    "encoder_residual_units": 1,
    "num_psf_blocks": 2,
    "srp_residual_units": 1,
    "window_size": (4, 4),
    "pool_size": (2, 2),
    "pad_scale": (32, 32),
}
NETWORKS = {
    "kpac_3level": {"base_filters": 4},
    "kpac_3level_dual": {"base_filters": 4},
    "ifan": {"base_filters": 4, "num_iterations": 3},
    "gkmnet": {"num_gaussians": 4, "max_kernel_size": 5},
    "k3dn_tiny": SMALL_K3DN,
    "k3dn_large": {**SMALL_K3DN, "variant": "released"},
}
MACHINE = {
    "processor": "one",
    "instructions": ["avx2"],
    "threads": 2,
    "repeats": 3,
    "cores": 2,
    "load_average": 0.5,
    "product_rate": 1e9,
    **dict.fromkeys(("tensorflow", "keras", "onnxruntime", "openvino", "torch"), "1"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_twins_agree(name):
    pytest.importorskip("torch", reason="timed where it is installed")
    tool = load_tool("benchmark.compare")
    network = create_model(name, **NETWORKS[name])
    views = tool.photographs(network, "97x65")
    expected = np.asarray(network(views)["deblurred"])
    actual = tool.prepare_torch("torch", network, "float32", views)()
    limit = tool.TOLERANCE["float32"] * max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(actual, expected, atol=limit)


def case(precision="float32"):
    row = {"seconds": 1.0, "cpu_least": 1.0, "cpu_most": 3.0, "error": 1e-6}
    cpu = {"tensorflow": 2.0, "openvino": 1.5, "torch": 4.0, "torch compiled": 3.0}
    engines = {
        name: {**row, "cpu_seconds": seconds, "memory_mib": 100 * seconds}
        for name, seconds in cpu.items()
    }
    kind = {"name": "kpac_3level", "size": "1280x720", "precision": precision}
    return {**kind, "macs": 1e9, "engines": engines, "left_out": {"onnxruntime": "no"}}


def test_turns_are_told_one_by_one(monkeypatch):
    tool = load_tool("benchmark.compare")
    monkeypatch.setattr(tool, "REPEATS", types.SimpleNamespace(value=3))
    clocks = iter([(1.0, 4.0), (5.0, 6.0), (3.0, 1.0)])
    monkeypatch.setattr(tool, "timed", lambda call: next(clocks))
    turns = list(tool.time_in_turns({"torch": None}))
    assert [turn["torch"]["calls"] for turn in turns] == [1, 2, 3]
    assert turns[0]["torch"]["cpu_seconds"] == 4
    last = turns[2]["torch"]
    assert (last["seconds"], last["cpu_seconds"]) == (3, 4)
    assert (last["cpu_least"], last["cpu_most"]) == (1, 6)


def test_what_differs_is_left_out_with_its_reason():
    tool = load_tool("benchmark.compare")
    image = np.full((1, 2, 2, 3), 0.5)

    def fail():
        raise RuntimeError("no compiler\nand more")

    calls = {"same": lambda: lambda: image, "other": lambda: lambda: image + 0.1}
    kept, errors, left_out = tool.agree({**calls, "none": fail}, image, "float32")
    assert list(kept) == ["same"] and errors == {"same": 0}
    reason = "it differs from TensorFlow by 1.0e-01"
    assert left_out == {"other": reason, "none": "no compiler"}


def test_the_best_are_compared():
    assert speed_page.best(case(), forms=True) == "torch compiled"
    assert speed_page.best(case(), forms=False) == "openvino"


def test_page_has_ratios_limit_and_picture(tmp_path):
    pytest.importorskip("matplotlib", reason="draws with it")
    folder = tmp_path / "speed"
    folder.mkdir()
    report = {"machine": MACHINE, "cases": [case(), case("bfloat16")]}
    (folder / "one.json").write_text(json.dumps(report))
    speed_page.write_page(tmp_path / "speed.md")
    text = (tmp_path / "speed.md").read_text()
    ratios = "| openvino | torch compiled | 0.50 | 0.67 | 0.50 | 1 |"
    assert text.count(ratios) == 2
    assert f"{ratios} 0.50 |" in text  # bfloat16, of PyTorch's float32
    assert "onnxruntime: left out (no)" in text and "speed/one.png" in text
    assert (folder / "one.png").stat().st_size > 1000


def test_a_page_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no measurements"):
        speed_page.write_page(tmp_path / "speed.md")
