"""`tf-defocus export`: writes a preset for another runtime."""

from tf_defocus import commands
from tf_defocus.cli.arguments import fail, path

FORMATS = ("savedmodel", "onnx", "openvino", "litert")
PRECISIONS = ("float32", "float16", "bfloat16", "int8")


def add_export(subparsers):
    """Adds `tf-defocus export` and its options."""
    text = "write a preset for another runtime, with a certificate"
    export = subparsers.add_parser("export", help=text)
    add = export.add_argument
    add("-n", "--preset", required=True, help="preset, or folder with weights")
    text = "file to write, with the format's ending; of a SavedModel the folder"
    add("-o", "--output", type=path, required=True, help=text)
    add("--format", choices=FORMATS, default=FORMATS[0])
    add("--precision", choices=PRECISIONS, default=PRECISIONS[0])
    add("--signature", choices=("float32", "uint8"), default="float32")
    text = "folder of photographs that int8 reads its ranges from [rendered scenes]"
    add("--calibration", type=path, help=text)
    text = "of the largest image that is compared, and of a call of a SavedModel"
    add("--max-megapixels", type=float, metavar="N", help=text)
    add("--overwrite", action="store_true", help="replace an earlier export")
    export.set_defaults(run=export_preset)


def export_preset(options):
    """`tf-defocus export`: writes a file or folder, or says why not."""
    commands.require_backend()
    try:
        from tf_defocus.export import exporting

        certificate = exporting.export_preset(
            options.preset,
            options.output,
            options.format,
            options.precision,
            options.signature,
            options.calibration,
            options.overwrite,
            options.max_megapixels,
        )
    except (ValueError, ArithmeticError, OSError, ImportError) as error:
        return fail(commands.explain(error))
    print(exporting.describe(certificate))
    print(f"written: {options.output}")
    return 0
