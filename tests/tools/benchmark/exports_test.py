"""The table of exports names every network, and tells what is refused."""

import json
import types
import warnings

import pytest

pytest.importorskip("tensorflow", reason="exports need TensorFlow")

from tests.testing import load_tool
from tf_defocus.models.named import MODELS, network_class
from tf_defocus.restoration.engines import EngineWarning

tool = load_tool("benchmark.exports")


def kind(name):
    """What makes another graph, however small: not widths and counts."""
    network, options = MODELS[name]
    return network, options.get("views"), options.get("levels")


def test_every_network_that_restores_is_converted():
    kinds = {kind(name) for name in MODELS} - {("DMENet", None, None)}
    assert {kind(name) for name in tool.SMALL} == kinds


@pytest.mark.parametrize("name", tool.SMALL)
def test_the_arguments_that_make_a_network_small_are_its_own(name):
    options = {**MODELS[name][1], **tool.SMALL[name]}
    assert network_class(name)(**options).view_names


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
        "machine": {"load_average": 2.3},
        "bytes": 2_500_000,
    }
    results = {
        "network-srn-onnx": {"max_difference": 2e-7, "changed": 0.125},
        "network-srn-litert": {"error": "LiteRT cannot hold srn: no FFT"},
        "network-srn-openvino": {"max_difference": 0.5},
        "preset-small-onnx-int8": certificate,
        "engine-small-native-tiles": {"levels": 1, "changed": 44},
        "engine-small-openvino-tiles": {"error": "small cannot be converted"},
    }
    for name, result in results.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(result))
    page = tool.page(tmp_path)
    assert "| `srn` | 2e-07 | differs by 5e-01 | refused | 0.12 |" in page
    row = "| `small` | onnx | int8 | 3.0e-06 | 90.0 | 0.250 | 2.5 | 0.500 | 300 | 2 |"
    assert row in page
    assert "- srn, litert: LiteRT cannot hold srn: no FFT" in page
    assert "| `small` | tiles | 1 |  | refused | 44 |" in page
    assert "- small, openvino tiles: small cannot be converted" in page


def test_results_of_older_weights_are_left_out(tmp_path, monkeypatch):
    presets = {"small": {"sha256": "new"}, "k3dn_tiny": {"sha256": "its"}}
    monkeypatch.setattr("tf_defocus.models.manifest.list_presets", lambda: presets)
    for name, weights in (
        ("engine-small-native-whole", "old"),
        ("engine-small-openvino-whole", "new"),
        ("network-k3dn_tiny-onnx", None),
    ):
        (tmp_path / f"{name}.json").write_text(json.dumps({"weights": weights}))
    kept = tool.kept_results(tmp_path)
    assert set(kept) == {"engine-small-openvino-whole", "network-k3dn_tiny-onnx"}


def test_a_network_is_compared_and_a_refusal_is_one_line(monkeypatch):
    monkeypatch.setitem(tool.SMALL, "kpac_2level", {"base_filters": 4})
    found = tool.convert("kpac_2level", "litert")
    assert found["max_difference"] < 1e-5 and 1e-2 < found["changed"] < 1

    def refuse(*arguments):
        raise ValueError("no such operation\nand more")

    monkeypatch.setattr("tf_defocus.export.write_onnx", refuse)
    assert tool.convert("kpac_2level", "onnx") == {"error": "no such operation"}


def test_engines_are_compared_in_levels_whole_in_tiles_and_over_scales(monkeypatch):
    class Restorer:
        def __init__(self, network, engine="tensorflow", **options):
            self.engine = engine
            given.append(options)

        def restore(self, blurred):
            sizes.append(blurred.shape[:2])
            if self.engine == "openvino":
                warnings.warn("no such operation", EngineWarning, stacklevel=1)
            return blurred // 2 + (self.engine == "native")

    preset, given, sizes = types.SimpleNamespace(view_names=("blurred",)), [], []
    monkeypatch.setattr("tf_defocus.models.presets.load_preset", lambda name: preset)
    monkeypatch.setattr("tf_defocus.restoration.restorer.Restorer", Restorer)
    monkeypatch.setitem(tool.WAYS, "tiles", ((40, 50), {"tile": 32}))
    for way, size in (("whole", (157, 203)), ("tiles", (40, 50))):
        found = tool.compare_engine("small", "native", way)
        assert found["levels"] == 1 and found["changed"] > 30
        refused = tool.compare_engine("small", "openvino", way)
        assert refused == {"error": "no such operation"}
        assert sizes == 3 * [size]  # TensorFlow's once for both
        sizes.clear()
    assert given == 3 * [{}] + 3 * [{"tile": 32}]
