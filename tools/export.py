"""Exports a preset for another runtime; the same as `tf-defocus export`.

    python tools/export.py --preset kpac_3level --output served/kpac_3level/1
    python tools/export.py --preset kpac_3level --format onnx --output kpac.onnx
    python tools/export.py --preset kpac_3level --format openvino --precision int8 \
        --calibration photographs --output kpac.xml

What was compared with the `Restorer` and measured stands in a certificate beside the
file; where they differ, nothing is written. What the signatures of a SavedModel take is
told at the top of `tf_defocus/export/saved_model.py`.
"""

from absl import flags

from tf_defocus import commands

_PRESET = flags.DEFINE_string("preset", None, "Name, or folder of a run.")
_OUTPUT = flags.DEFINE_string("output", None, "File to write; or folder, a SavedModel.")
_FORMAT = flags.DEFINE_string("format", "savedmodel", "Or onnx, openvino, litert.")
_PRECISION = flags.DEFINE_string("precision", "float32", "Or float16, bfloat16, int8.")
_SIGNATURE = flags.DEFINE_string("signature", "float32", "Or uint8: of the images.")
_CALIBRATION = flags.DEFINE_string(
    "calibration", None, "Folder of photographs for int8 [rendered scenes]."
)
_MAX_MEGAPIXELS = flags.DEFINE_float(
    "max_megapixels",
    None,
    "Of the largest image compared [what fits 0.5 GiB], and of a call of a SavedModel "
    "[what fits 4 GiB].",
    0.01,
)
_OVERWRITE = flags.DEFINE_bool("overwrite", False, "Replace an earlier export.")


def main(_):
    """Exports and prints what the certificate says."""
    from tf_defocus.export.exporting import describe, export_preset

    certificate = export_preset(
        _PRESET.value,
        _OUTPUT.value,
        _FORMAT.value,
        _PRECISION.value,
        _SIGNATURE.value,
        _CALIBRATION.value,
        _OVERWRITE.value,
        _MAX_MEGAPIXELS.value,
    )
    print(describe(certificate))
    print(f"written: {_OUTPUT.value}")


if __name__ == "__main__":
    flags.mark_flags_as_required(["preset", "output"])
    commands.run(main)
