"""The command `tf-defocus`: restore photographs, list presets, check the machine.

Exit codes: 0 all is well, 1 something failed (one line each on the error output), 2 the
command line is wrong. Heavy imports wait until a command needs them, so that help and
mistakes are answered at once.
"""

import argparse
import contextlib
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys

from tf_defocus import __version__, commands

DEFAULT_PRESET = "kpac_3level"
EXTENSIONS = {"auto": None, "png": ".png", "tif": ".tif", "jpg": ".jpg"}
SCALES = ("auto", "1", "1,2", "1,2,4", "1,2,4,8")
PACKAGES = ("keras", "tensorflow", "jax", "numpy", "opencv-python-headless", "Pillow")


def main(arguments=None):
    """Runs the command line and returns its exit code.

    Args:
        arguments: list of str, or None for those of the process.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except commands.BackendError as error:
        return _fail(error)
    except KeyboardInterrupt:
        print(
            "tf-defocus: interrupted; files written so far are whole", file=sys.stderr
        )
        return 130


def _parser():
    parser = argparse.ArgumentParser(
        prog="tf-defocus", description="Removes defocus blur from photographs."
    )
    version = f"tf-defocus {__version__}"
    parser.add_argument("--version", action="version", version=version)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_deblur(subparsers)
    _add_convert(subparsers)
    models = subparsers.add_parser("models", help="list networks and presets")
    models.set_defaults(run=list_models)
    doctor = subparsers.add_parser("doctor", help="check versions, devices and presets")
    doctor.set_defaults(run=diagnose)
    return parser


def _add_deblur(subparsers):
    deblur = subparsers.add_parser("deblur", help="restore a photograph or a folder")
    add = deblur.add_argument
    path = _path
    help_text = "photographs or folders"
    add("-i", "--input", type=path, required=True, nargs="+", help=help_text)
    add("-o", "--output", type=path, required=True, help="folder, or file for one file")
    add("-n", "--preset", default=DEFAULT_PRESET, help="preset, or folder with weights")
    add("-t", "--tile", type=_tile, help="longest tile side [px]; 0 never tiles")
    add("--left", type=path, help="left dual-pixel view of the one photograph")
    add("--right", type=path, help="right dual-pixel view")
    help_text = "restore in four orientations and average: better, four times the time"
    add("--ensemble", action="store_true", help=help_text)
    help_text = "tell whether left and right seem exchanged"
    add("--check-views", action="store_true", help=help_text)
    _add_control(deblur)
    help_text = "added to the names of the outputs"
    add("--suffix", type=_suffix, default="", help=help_text)
    add("--ext", choices=sorted(EXTENSIONS), default="auto", help="output format")
    add("-r", "--recursive", action="store_true", help="search folders in the folder")
    add("-q", "--quiet", action="store_true", help="no progress bar")
    existing = deblur.add_mutually_exclusive_group()
    for choice, text in (("overwrite", "replace"), ("skip-existing", "keep")):
        existing.add_argument(
            f"--{choice}", action="store_true", help=f"{text} outputs that exist"
        )
    deblur.set_defaults(run=deblur_photographs)


def _add_control(deblur):
    """How much is restored, where, at which sizes and how it is computed."""
    add = deblur.add_argument_group("control").add_argument
    help_text = (
        "sizes to restore at: 1 is full size, 2 half, ...; wide blur is restored in a "
        "smaller copy and blended in, for a third more time [auto: 1,2,4,8]"
    )
    add("--scales", choices=SCALES, default="auto", help=help_text)
    help_text = "leave what is in focus exactly as it is [yes]"
    protect = {"action": argparse.BooleanOptionalAction, "default": True}
    add("--protect-sharp", **protect, help=help_text)
    help_text = "how much of the restoration to apply, 0 (none) to 1 (all) [1]"
    add("--strength", type=_share, default=1.0, metavar="0..1", help=help_text)
    help_text = "picture as large as the photograph: restore where it is white only"
    add("--mask", type=_path, metavar="FILE", help=help_text)
    help_text = (
        "write how wide the blur is: FILE.png, 16-bit grey, value / 256 = px, and the "
        "same in colours beside it; a folder for several photographs"
    )
    add("--defocus-map", type=_path, metavar="FILE", help=help_text)
    help_text = (
        "bfloat16 is up to twice as fast on processors made for it, and less exact"
    )
    choices = ("float32", "bfloat16")
    add("--precision", choices=choices, default="float32", help=help_text)
    help_text = "where to compute: cpu, gpu, or one of several such as gpu:1 [auto]"
    add("--device", type=_device, default="auto", help=help_text)


def _add_convert(subparsers):
    text = "turn an author's checkpoint into a preset"
    convert = subparsers.add_parser("convert", help=text)
    add = convert.add_argument
    add("--model", help="name of a network, of `tf-defocus models`")
    add("--checkpoint", nargs="+", required=True, help="file, or files of its parts")
    add("--output", type=_path, help="folder to write")
    text = "word=value in JSON, of the network's constructor"
    add("--set", nargs="+", action="extend", default=[], metavar="WORD=JSON", help=text)
    add("--list", action="store_true", help="show what the files hold, write nothing")
    convert.set_defaults(run=convert_checkpoint)


def _tile(text):
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("must be 0 or a number of pixels")
    return int(text)


def _share(text):
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("must be a number from 0 to 1")
    return value


def _device(text):
    kind, colon, number = text.lower().partition(":")
    if kind not in ("auto", "cpu", "gpu") or (colon and not number.isdecimal()):
        raise argparse.ArgumentTypeError("must be auto, cpu, gpu or such as gpu:1")
    return f"{kind}:{number or 0}" if kind != "auto" else None


def _path(text):
    if not text.strip():
        raise argparse.ArgumentTypeError("is empty; give a file or a folder")
    return pathlib.Path(text)


def _suffix(text):
    if "/" in text or os.sep in text:
        raise argparse.ArgumentTypeError("must not hold a slash; folders go to -o")
    return text


def deblur_photographs(options):
    """`tf-defocus deblur`: restores every photograph it can; returns the exit code."""
    from tf_defocus.restoration.photo_jobs import (
        BatchError,
        Naming,
        check_sources,
        find_jobs,
    )

    naming = Naming(options.output, options.suffix, EXTENSIONS[options.ext])
    one_view = (options.left, options.right, options.mask)
    try:
        check_sources(options.input, options.output, *one_view)
        with _on_device(options.device):
            restorer = _load_restorer(options)
            if options.check_views and "left" not in restorer.view_names:
                problem = "--check-views needs a preset for left and right views"
                raise BatchError(problem)
            jobs, left_out = find_jobs(
                options.input,
                restorer.view_names,
                naming,
                options.left,
                options.right,
                options.recursive,
            )
            control = _control(options, len(jobs))
            return _run_batch(jobs, left_out, restorer, options, control)
    except BatchError as error:
        return _fail(error, code=2)
    except ValueError as error:  # no backend; a preset damaged or that makes no image
        return _fail(error)


def _on_device(name):
    """Keras' scope of a device that exists, or of none in particular."""
    if not name:
        return contextlib.nullcontext()
    commands.require_backend()
    import keras

    found = [device.lower() for device in keras.distribution.list_devices()]
    if name not in found:
        raise commands.BackendError(
            f"--device {name} is not there; found: {', '.join(found)}"
        )
    return keras.device(name)


def _control(options, count):
    from tf_defocus.restoration.photo_control import PhotoControl
    from tf_defocus.restoration.photo_jobs import BatchError

    target = options.defocus_map
    if target and count > 1 and target.suffix.lower() == ".png":
        raise BatchError(
            f"--defocus-map {target} is one file for several photographs; give a folder"
        )
    return PhotoControl(options.strength, options.mask, target, options.output)


def _load_restorer(options):
    commands.require_backend()
    from tf_defocus.restoration.restorer import Restorer

    scales = options.scales
    return Restorer.from_preset(
        options.preset,
        precision=options.precision,
        tile=options.tile,
        ensemble=options.ensemble,
        scales=scales if scales == "auto" else tuple(map(int, scales.split(","))),
        protect_sharp=options.protect_sharp,
    )


def _run_batch(jobs, left_out, restorer, options, control):
    from tqdm import tqdm

    from tf_defocus.restoration.photo_jobs import remove_abandoned

    remove_abandoned(jobs)
    counts = {"restored": 0, "skipped": 0, "failed": 0}
    layout = "{l_bar}{bar}| {n:.1f}/{total} [{elapsed}<{remaining}]"
    bar = tqdm(
        total=len(jobs), disable=options.quiet, bar_format=layout, file=sys.stderr
    )
    with bar:
        for number, job in enumerate(jobs):
            outcome, lines = _run_one(job, restorer, options, control, bar, number)
            counts[outcome] += 1
            for line in lines:
                bar.write(line, file=sys.stderr)
            bar.update(number + 1 - bar.n)
    print("; left out: ".join(filter(None, map(_counted, (counts, left_out)))))
    return 1 if counts["failed"] else 0


def _counted(counts):
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


def _run_one(job, restorer, options, control, bar, number):
    """What became of a job, and the lines to say about it."""
    from tf_defocus.images.refusals import shown
    from tf_defocus.restoration.photo_jobs import describe_failure, run_job

    exists = os.path.lexists(job.output) and not job.problem
    if exists and options.skip_existing:
        return "skipped", ()
    if exists and not options.overwrite:
        remedy = "add --overwrite or --skip-existing"
        return "failed", (f"{job.name}: {shown(job.output)} exists already; {remedy}",)

    def show(done, total):
        bar.update(number + done / total - bar.n)

    try:
        notes = run_job(job, restorer, show, options.check_views, control)
    except Exception as error:  # the other photographs are still to be done
        return "failed", (describe_failure(job, error),)
    return "restored", tuple(f"{job.name}: {note}" for note in notes)


def convert_checkpoint(options):
    """`tf-defocus convert`: writes a preset, or lists what a checkpoint holds."""
    commands.require_backend()
    from tf_defocus.conversion import converter

    try:
        if options.list:
            print(converter.list_tensors(options.checkpoint))
            return 0
        if not (options.model and options.output):
            return _fail("convert needs --model and --output, or --list", code=2)
        words = dict(map(converter.parse_word, options.set))
        paths, output = options.checkpoint, options.output
        print(converter.convert(options.model, paths, output, words))
    except converter.ConversionError as error:
        return _fail(error)
    return 0


def list_models(_):
    """`tf-defocus models`: prints the networks and the presets, without Keras."""
    from tf_defocus.models import manifest, named

    try:
        folder = manifest.checkpoints_folder()
        entries = manifest.list_presets(folder)
    except manifest.PresetError as error:
        return _fail(error)
    print("networks:")
    for name in named.list_models():
        print(f"  {name}")
    print(f"presets in {folder}:")
    for name, entry in entries.items():
        print(f"  {name}: {entry.get('description', 'no description')}")
        for key, value in _details(folder, entry).items():
            print(f"    {key + ':':8} {value}")
    return 0


def _details(folder, entry):
    """What a photographer asks of a preset, from its entry in the manifest."""
    path = folder / str(entry.get("file"))
    size = f"{path.stat().st_size / 1e6:.1f} MB" if path.is_file() else "missing"
    return {
        "inputs": ", ".join(map(str, entry.get("inputs", ["not said"]))),
        "size": size,
        "licence": entry.get("licence", "not said"),
        "card": folder / str(entry.get("card")),
    }


def diagnose(_):
    """`tf-defocus doctor`: prints what there is; returns 1 if something is missing."""
    print(f"tf_defocus {__version__}, Python {platform.python_version()}")
    for package in PACKAGES:
        print(f"  {package}: {_version(package)}")
    commands.require_backend()
    import keras

    devices = keras.distribution.list_devices()
    print(f"backend {keras.backend.backend()}, devices: {', '.join(devices)}")
    found = any(kind in d.lower() for d in devices for kind in ("gpu", "cuda", "tpu"))
    for line in _graphics_cards(found):
        print(f"  {line}")
    print(f"native adaptive convolution: {_native_operation(keras)}")
    return _verify_presets()


def _verify_presets():
    from tf_defocus.models import manifest

    try:
        folder = manifest.checkpoints_folder()
        names = manifest.list_presets(folder)
    except manifest.PresetError as error:
        return _fail(error)
    if not names:
        return _fail(f"{folder} holds no preset; install tf_defocus again")
    damaged = 0
    for name in names:
        try:
            manifest.verify_preset(name, folder)
            print(f"preset {name}: sha256 is right")
        except manifest.PresetError as error:
            damaged = _fail(f"preset {name}: {error}")
    return damaged


def _graphics_cards(found):
    """What driver and packages say of GPUs; `found` says whether Keras uses one."""
    if not found:
        yield "no GPU found: a 24-megapixel photograph takes minutes"
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version"]
    try:
        done = subprocess.run(
            [*query, "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=60,
        )
    except (OSError, subprocess.TimeoutExpired):
        return  # no driver of NVIDIA's
    for line in done.stdout.splitlines():
        yield f"card, memory, driver: {line.strip()}"
    if done.stdout and not found:
        yield 'the backend does not use this card: pip install "tf-defocus[gpu]"'
    for package in ("nvidia-cudnn-cu12", "nvidia-cudnn-cu13"):
        if _version(package) != "not installed":
            yield f"cuDNN: {package} {_version(package)}"


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _native_operation(keras):
    if keras.backend.backend() != "tensorflow":
        return "not used on this backend"
    from tf_defocus.ops import adaptive_convolution_native as native

    try:
        native.load()
    except native.NativeKernelError as error:
        return f"not available, the portable one is used ({error})"
    gpu = native.toolchain().gpu
    return "built and loaded, for processor and GPU" if gpu else "built and loaded"


def _fail(message, code=1):
    print(f"tf-defocus: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
