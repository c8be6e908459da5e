"""The table of exports names every network, and tells what is refused."""

import json

import pytest

pytest.importorskip("tensorflow", reason="exports need TensorFlow")

from tests.testing import load_tool
from tf_defocus.models.named import MODELS

tool = load_tool("benchmark.exports")


def test_every_network_that_restores_is_converted():
    converted = {MODELS[name][0] for name in tool.SMALL}
    assert converted == {network for network, _ in MODELS.values()} - {"DMENet"}


def test_the_page_has_a_row_per_network_and_certificate(tmp_path):
    found = [
        {"size": [1, 1], "batch": 1, "max_difference": d, "psnr_to_restorer": 90 - d}
        for d in (3e-6, 1e-6)
    ]
    certificate = {
        "format": "onnx",
        "precision": "int8",
        "parity": {"found": found},
        "quality": {"psnr_cost": 0.25},
        "cost": {"seconds": 0.5, "peak_process_mib": 300.4},
        "bytes": 2_500_000,
    }
    results = {
        "network-srn-onnx": {"max_difference": 2e-7},
        "network-srn-litert": {"error": "LiteRT cannot hold srn: no FFT"},
        "network-srn-openvino": {"max_difference": 0.5},
        "preset-small-onnx-int8": certificate,
    }
    for name, result in results.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
    page = tool.page(tmp_path)
    assert "| `srn` | 2e-07 | differs by 5e-01 | refused |" in page
    row = "| `small` | onnx | int8 | 3.0e-06 | 90.0 | 0.250 | 2.5 | 0.500 | 300 |"
    assert row in page
    assert "- srn, litert: LiteRT cannot hold srn: no FFT" in page


def test_a_network_is_compared_and_a_refusal_is_one_line(monkeypatch):
    monkeypatch.setitem(tool.SMALL, "kpac_2level", {"base_filters": 4})
    assert tool.convert("kpac_2level", "litert")["max_difference"] < 1e-5

    def refuse(*arguments):
        raise ValueError("no such operation\nand more")

    monkeypatch.setattr("tf_defocus.export.write_onnx", refuse)
    assert tool.convert("kpac_2level", "onnx") == {"error": "no such operation"}
