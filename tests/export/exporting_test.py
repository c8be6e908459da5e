"""An export is certified or it is not there."""

import json
import shutil

import numpy as np
import pytest

from tests.testing import run_tool
from tf_defocus import cli
from tf_defocus.images.files import Image, write_image
from tf_defocus.models import create_model, presets

pytest.importorskip("tensorflow", reason="exports need TensorFlow")
pytest.importorskip("onnxruntime", reason="reads the ONNX files")

from tf_defocus.export import certificate, exporting
from tf_defocus.export.examples import calibration_views

SMALL = ("--max_megapixels", "0.01")
NARROW = {"base_filters": 3, "num_blocks": 1, "dilation_rates": (1, 2)}


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """A network that does something, of two levels and three filters."""
    folder = tmp_path_factory.mktemp("preset")
    model = create_model("kpac_2level", **NARROW)
    for weight in model.trainable_weights:
        if len(weight.shape) > 1:
            weight.assign(2 * weight)
    presets.save_preset(model, folder, "small", NARROW)
    return folder


@pytest.fixture(scope="module")
def exported(preset, tmp_path_factory):
    """The ONNX file that the command writes."""
    path = tmp_path_factory.mktemp("onnx") / "new" / "small.onnx"
    words = ("--preset", preset, "--format", "onnx", "--output", path, *SMALL)
    assert run_tool("export", *words) in (None, 0)
    return path


def test_certificate_tells_sizes_batches_hashes_and_cost(exported):
    text = (exported.parent / "small.onnx.certificate.json").read_text()
    known = json.loads(text)
    sizes = [(*case["size"], case["batch"]) for case in known["parity"]["found"]]
    assert sizes[:4] == [(61, 53, 1), (47, 47, 1), (72, 40, 1), (1, 1, 1)]
    assert sizes[5:] == [(61, 53, 3), (47, 47, 3), (72, 40, 3), (1, 1, 3)]
    height, width, _ = sizes[4]
    assert 9000 < height * width <= 10000 < 3 * height * width
    assert max(case["max_difference"] for case in known["parity"]["found"]) <= 1e-5
    assert abs(known["quality"]["psnr_cost"]) < 1e-3
    assert known["cost"]["seconds"] > 0 and known["cost"]["peak_process_mib"] > 10
    assert len(known["files"]["small.onnx"]) == 64
    assert {"tf-defocus", "tensorflow", "tf2onnx"} <= set(known["versions"])
    assert len(list(exported.parent.iterdir())) == 2


def test_an_export_that_differs_leaves_nothing_and_says_where(
    exported, tmp_path, monkeypatch, capsys
):
    def write_other(network, path, *options):
        shutil.copy(exported, path)

    other = create_model("kpac_2level", **NARROW)
    presets.save_preset(other, tmp_path / "other", "other", NARROW)
    monkeypatch.setitem(exporting._WRITERS, "onnx", write_other)
    folder = tmp_path / "new"
    words = ["-n", tmp_path / "other", "-o", folder / "a.onnx", "--format", "onnx"]
    words += ["--max-megapixels", "0.01"]
    assert cli.main(["export", *map(str, words)]) == 1
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert "differs from the Restorer at 61x53 px, batch 1" in line
    assert "nothing was written" in line
    assert not list(folder.iterdir())


def test_what_a_format_cannot_hold_is_refused_in_one_line(
    preset, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(
        "tf_defocus.restoration.engines.error_functions.without_complement",
        with_an_inverse,
    )
    words = ["-n", str(preset), "-o", str(tmp_path / "a.onnx"), "--format", "onnx"]
    assert cli.main(["export", *words]) == 1
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert (
        "ONNX cannot hold kpac_2level: ONNX has no Erfinv; a SavedModel holds" in line
    )
    assert not list(tmp_path.iterdir())


def with_an_inverse(graph):
    """The graph with an operation at its end that ONNX does not have."""
    (last,) = (node for node in graph.node if node.name == "deblurred")
    last.op = "Erfinv"
    return graph


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"format": "coreml"}, "Expected a format of"),
        ({"format": "onnx"}, "must end with .onnx"),
        ({"format": "litert", "precision": "bfloat16"}, "float32, float16, int8"),
        ({"precision": "int8"}, "savedmodel is exported in float32"),
        ({"signature": "uint8"}, "left out for a SavedModel"),
    ],
)
def test_what_does_not_go_together_is_refused(preset, tmp_path, words, message):
    with pytest.raises(ValueError, match=message):
        exporting.export_preset(preset, tmp_path / "served", **words)
    assert not list(tmp_path.iterdir())


def test_calls_smaller_than_what_is_compared_are_refused(preset, tmp_path):
    assert certificate.least_pixels((8, 8)) == 3 * 61 * 53
    assert certificate.least_pixels((128, 128)) == 3 * 127 * 127
    with pytest.raises(ValueError, match=r"at least 0\.01: .* Received: 0\.005"):
        exporting.export_preset(preset, tmp_path / "served", max_megapixels=0.005)
    assert not list(tmp_path.iterdir())


def test_a_file_without_certificate_is_not_replaced(preset, tmp_path):
    (tmp_path / "mine.onnx").write_bytes(b"mine")
    for words in ({}, {"overwrite": True}):
        with pytest.raises(FileExistsError):
            exporting.export_preset(preset, tmp_path / "mine.onnx", "onnx", **words)
    assert (tmp_path / "mine.onnx").read_bytes() == b"mine"


def test_integers_are_calibrated_on_a_folder_and_cost_little(preset, tmp_path, rng):
    folder = tmp_path / "photographs"
    folder.mkdir()
    for i in range(2):
        pixels = rng.integers(0, 256, (40, 150 + i, 3), dtype=np.uint8)
        write_image(folder / f"{i}.png", Image(pixels))
    views = calibration_views(("blurred",), folder)
    assert [each["blurred"].shape for each in views] == [(1, 40, 128, 3)] * 2
    known = exporting.export_preset(
        preset,
        tmp_path / "small.onnx",
        "onnx",
        "int8",
        calibration=folder,
        max_megapixels=0.01,
    )
    found = known["parity"]["found"]
    assert min(case["psnr_to_restorer"] for case in found) >= 25
    # It is another computation, not the float network under another name
    assert max(case["max_difference"] for case in found) > 1e-4


def test_differences_are_held_to_what_the_precision_allows():
    case = certificate._Case(None, None, "float32", "float32", picture={})
    with pytest.raises(ArithmeticError, match=r"at 1x2 px .* 2.0e-05 .*\(0, 0, 1, 0\)"):
        difference = np.zeros((1, 1, 2, 3))
        difference[0, 0, 1, 0] = 2e-5
        case._check(difference, 90.0, "1x2 px")
    case.precision = "float16"
    case._check(difference, 50.5, "1x2 px")
    with pytest.raises(ArithmeticError, match=r"PSNR 49\.0 dB"):
        case._check(difference, 49.0, "1x2 px")


def test_float16_files_compute_in_float16_at_every_size(preset, tmp_path):
    import onnx

    path = tmp_path / "half.onnx"
    known = exporting.export_preset(
        preset, path, "onnx", "float16", max_megapixels=0.01
    )
    found = known["parity"]["found"]
    assert 1e-6 < max(case["max_difference"] for case in found) < 1e-2
    assert known["cost"]["peak_process_mib"] < 400  # not that of this process
    halves = [t for t in onnx.load(path).graph.initializer if t.data_type == 10]
    assert sum(len(t.dims) == 4 for t in halves) > 5  # kernels
