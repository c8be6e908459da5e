"""Presets in the formats of other runtimes, each file with its certificate."""

import contextlib
import datetime
import importlib.metadata
import json
import math
import os
import pathlib
import tempfile
from typing import Any

from tf_defocus.export import (
    litert_graph,
    onnx_graph,
    openvino_graph,
    saved_model,
)
from tf_defocus.export.certificate import certify, least_pixels
from tf_defocus.export.examples import calibration_views
from tf_defocus.export.graph_memory import max_pixels
from tf_defocus.export.portable_graph import OUTPUT
from tf_defocus.models.base import check_restores
from tf_defocus.models.precision import copy_in
from tf_defocus.models.presets import load_preset
from tf_defocus.restoration.restorer import Restorer

# format -> (ending of its file, precisions)
FORMATS = {
    "savedmodel": ("", ("float32", "float16", "bfloat16")),
    "onnx": (".onnx", ("float32", "float16", "int8")),
    "openvino": (".xml", ("float32", "float16", "bfloat16", "int8")),
    "litert": (".tflite", ("float32", "float16", "int8")),
}
SIGNATURES = ("float32", "uint8")
CERTIFICATE = "certificate.json"
CERTIFIED_GIBIBYTES = 0.5  # that the largest image which is compared may take
PACKAGES = (
    "tf-defocus",
    "tensorflow",
    "keras",
    "numpy",
    "tf2onnx",
    "onnx",
    "onnxruntime",
    "openvino",
)
_WRITERS = {
    "onnx": onnx_graph.write_onnx,
    "openvino": openvino_graph.write_openvino,
    "litert": litert_graph.write_litert,
}
# Of these formats a graph's own layers compute in 16 bits.
COMPUTED = {"savedmodel": ("float16", "bfloat16"), "onnx": ("float16",)}


def export_preset(
    preset: str | os.PathLike,
    output: str | os.PathLike,
    format: str = "savedmodel",
    precision: str = "float32",
    signature: str = "float32",
    calibration: str | os.PathLike | None = None,
    overwrite: bool = False,
    max_megapixels: float | None = None,
) -> dict[str, Any]:
    """Writes a preset for another runtime, once it agrees with the `Restorer`.

    Args:
        preset: name or folder, of `presets.load_preset`.
        output: str or path of the file, with the format's ending; of a SavedModel the
            folder. Folders above it are made.
        format: "savedmodel", "onnx", "openvino" or "litert".
        precision: "float32", "float16", "bfloat16" or "int8", as far as the format has
            them (`FORMATS`). OpenVINO's bfloat16 is a way to run a float32 file.
        signature: "float32" or "uint8", dtype of the images; a SavedModel has both.
        calibration: folder of photographs that int8 reads its ranges from; None for
            rendered scenes.
        overwrite: bool; True replaces what an earlier export wrote.
        max_megapixels: float, the most of the largest image that is compared, and of
            one call of a SavedModel; None for what fits half a GiB, and 4 GiB.

    Returns:
        dict, the certificate; it stands in `certificate.json` of a SavedModel's folder
        and in FILE.certificate.json beside any other file.

    Raises:
        ValueError: if format, precision, signature and output do not go together, or if
            the network needs an operation that the format does not have.
        FileExistsError: if the output exists and is not to be replaced.
        ArithmeticError: if the file and the `Restorer` differ; nothing is written.
    """
    output = pathlib.Path(output).absolute()
    _check(output, format, precision, signature, overwrite)
    network = load_preset(preset)
    check_restores(network)
    restorer = Restorer(network, tile=0)
    limit = max_pixels(network, CERTIFIED_GIBIBYTES)
    if max_megapixels:
        _check_pixels(1e6 * max_megapixels, least_pixels(network.size_multiple))
        limit = min(limit, int(1e6 * max_megapixels))
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".") as scratch:
        written = pathlib.Path(scratch) / output.name
        stored = network
        if precision in COMPUTED.get(format, ()):
            stored = copy_in(network, precision)
        if format == "savedmodel":
            name = pathlib.Path(preset).name
            saved_model.export_saved_model(
                stored, written, name, max_megapixels=max_megapixels
            )
        else:
            views = (
                calibration_views(network.view_names, calibration)
                if precision == "int8"
                else ()
            )
            _write(format, stored, written, precision, signature, views)
        certificate = {
            "preset": os.fspath(preset),
            "format": format,
            "precision": precision,
            "signature": signature,
            "inputs": list(network.view_names),
            "output": OUTPUT,
            "weights_sha256": saved_model.weights_digest(network),
            **certify(written, restorer, precision, signature, limit),
            "largest_image": f"what takes {CERTIFIED_GIBIBYTES} GiB, or less if asked",
            "versions": _versions(),
            "exported": datetime.datetime.now(datetime.timezone.utc).isoformat(),
        }
        _place(written, output, json.dumps(certificate, indent=2) + "\n", scratch)
    return certificate


def _write(format, *arguments):
    """Calls the format's writer; its refusal also tells what to do."""
    try:
        _WRITERS[format](*arguments)
    except ValueError as error:
        raise ValueError(
            f"{error}; a SavedModel holds every network, and "
            "tools/benchmark/exports.py tells what other formats hold"
        ) from error


def describe(certificate: dict[str, Any]) -> str:
    """The lines that tell what a certificate says."""
    found = certificate["parity"]["found"]
    worst = max(found, key=lambda each: each["max_difference"])
    quality, cost = certificate["quality"], certificate["cost"]
    height, width = cost["size"]
    return (
        f"{certificate['format']}, {certificate['precision']}, images "
        f"{certificate['signature']}: {', '.join(certificate['inputs'])}\n"
        f"parity with the Restorer at {len(found)} sizes and batches: largest "
        f"difference {worst['max_difference']:.1e} ({worst['size'][0]}x"
        f"{worst['size'][1]} px, batch {worst['batch']})\n"
        f"PSNR on {quality['examples']}: {quality['psnr_file']:.2f} dB, "
        f"{quality['psnr_cost']:.3f} dB below the Restorer\n"
        f"{width}x{height} px: {cost['seconds']:.3f} s, process of "
        f"{cost['peak_process_mib']:.0f} MiB"
    )


def certificate_path(output: str | os.PathLike) -> pathlib.Path:
    """Where the certificate of an exported file is."""
    output = pathlib.Path(output)
    if output.suffix in {ending for ending, _ in FORMATS.values()} - {""}:
        return output.with_name(f"{output.name}.{CERTIFICATE}")
    return output / CERTIFICATE


def _check(output, format, precision, signature, overwrite):
    if format not in FORMATS:
        raise ValueError(f"Expected a format of {tuple(FORMATS)}. Received: {format}")
    ending, precisions = FORMATS[format]
    if precision not in precisions:
        raise ValueError(
            f"{format} is exported in {', '.join(precisions)}. Received: {precision}"
        )
    if signature not in SIGNATURES or (signature != "float32" and not ending):
        raise ValueError(
            f"signature must be one of {SIGNATURES}, and is left out for a SavedModel, "
            f"which has both. Received: {signature}"
        )
    if ending and output.suffix != ending:
        raise ValueError(f"The file must end with {ending}. Received: {output}")
    if output.exists() and not overwrite:
        raise FileExistsError(f"{output} exists; name another, or give --overwrite")
    if output.exists() and not certificate_path(output).is_file():
        raise FileExistsError(f"{output} has no certificate, so it stays; name another")


def _check_pixels(given, least):
    if given < least:
        raise ValueError(
            f"max_megapixels must be at least {math.ceil(least / 1e4) / 100}: so much "
            f"is compared of this network. Received: {given / 1e6:g}"
        )


def _place(written, output, certificate, scratch):
    """Gives what was written its name, the certificate first."""
    beside = certificate_path(written)
    beside.write_text(certificate)
    if written.is_dir():
        if output.exists():
            os.rename(output, pathlib.Path(scratch) / "previous")
        os.rename(written, output)
        return
    os.replace(beside, certificate_path(output))
    if written.with_suffix(".bin").is_file():
        os.replace(written.with_suffix(".bin"), output.with_suffix(".bin"))
    os.replace(written, output)


def _versions():
    """dict, package -> version, of those that are installed."""
    versions = {}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions
