"""`tf-defocus deblur`: restores photographs."""

import argparse
import contextlib
import os
import sys
import warnings

from tf_defocus import commands
from tf_defocus.cli import arguments
from tf_defocus.cli.arguments import fail

DEFAULT_PRESET = "kpac_3level_free"  # may be used for anything
FORMATS = ("png", "tif", "jpg", "webp", "avif", "heic", "bmp")
EXTENSIONS = {"auto": None, **{name: f".{name}" for name in FORMATS}}
ENGINES = ("auto", "tensorflow", "native", "onnxruntime", "openvino")
SCALES = ("auto", "1", "1,2", "1,2,4", "1,2,4,8")


def add_deblur(subparsers):
    """Adds `tf-defocus deblur` and its options."""
    deblur = subparsers.add_parser("deblur", help="restore a photograph or a folder")
    add = deblur.add_argument
    path = arguments.path
    help_text = "photographs or folders"
    add("-i", "--input", type=path, required=True, nargs="+", help=help_text)
    add("-o", "--output", type=path, required=True, help="folder, or file for one file")
    add("-n", "--preset", default=DEFAULT_PRESET, help="preset, or folder with weights")
    add(
        "-t",
        "--tile",
        type=arguments.tile,
        help="longest tile side [px]; 0 never tiles",
    )
    add("--left", type=path, help="left dual-pixel view of the one photograph")
    add("--right", type=path, help="right dual-pixel view")
    help_text = "restore in four orientations and average: better, four times the time"
    add("--ensemble", action="store_true", help=help_text)
    help_text = "tell whether left and right seem exchanged"
    add("--check-views", action="store_true", help=help_text)
    _add_control(deblur)
    help_text = "added to the names of the outputs"
    add("--suffix", type=arguments.suffix, default="", help=help_text)
    help_text = "output format [as the input's; tif for raw files]"
    add("--ext", choices=EXTENSIONS, default="auto", help=help_text)
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
        "smaller copy and blended in, for a third more time [auto: by the size of the "
        "photograph, 1,2,4,8 from 4800 px; give 1,2,4,8 for a crop of such a one]"
    )
    add("--scales", choices=SCALES, default="auto", help=help_text)
    help_text = "leave what is in focus exactly as it is [yes]"
    protect = {"action": argparse.BooleanOptionalAction, "default": True}
    add("--protect-sharp", **protect, help=help_text)
    help_text = "how much of the restoration to apply, 0 (none) to 1 (all) [1]"
    add("--strength", type=arguments.share, default=1.0, metavar="0..1", help=help_text)
    help_text = "picture as large as the photograph: restore where it is white only"
    add("--mask", type=arguments.path, metavar="FILE", help=help_text)
    help_text = (
        "write how wide the blur is: FILE.png, 16-bit grey, value / 256 = px, and the "
        "same in colours beside it; a folder for several photographs"
    )
    add("--defocus-map", type=arguments.path, metavar="FILE", help=help_text)
    help_text = (
        "bfloat16 is up to twice as fast on processors made for it, and less exact"
    )
    choices = ("float32", "bfloat16")
    add("--precision", choices=choices, default="float32", help=help_text)
    help_text = (
        "what computes on processors: native is TensorFlow with faster convolutions, "
        "compiled at first use; onnxruntime and openvino need an extra of their names; "
        "auto takes the fastest that is installed, measured once per machine"
    )
    add("--engine", choices=ENGINES, default="tensorflow", help=help_text)
    help_text = "where to compute: cpu, gpu, or one of several such as gpu:1 [auto]"
    add("--device", type=arguments.device, default="auto", help=help_text)


def deblur_photographs(options):
    """`tf-defocus deblur`: restores every photograph it can; returns the exit code."""
    from tf_defocus.restoration.photo_jobs import BatchError, check_sources

    one_view = (options.left, options.right, options.mask)
    try:
        check_sources(options.input, options.output, *one_view)
        with on_device(options.device):
            restorer = load_restorer(options)
            if options.check_views and "left" not in restorer.view_names:
                problem = "--check-views needs a preset for left and right views"
                raise BatchError(problem)
            jobs, left_out = jobs_of(options, restorer)
            control = control_of(options, len(jobs))
            return run_batch(jobs, left_out, restorer, options, control)
    except BatchError as error:
        return fail(error, code=2)
    except ValueError as error:  # no backend; a preset damaged or that makes no image
        return fail(error)


def jobs_of(options, restorer):
    """What is to be restored, and a count of what is not, as `find_jobs` gives it."""
    from tf_defocus.restoration.photo_jobs import Naming, find_jobs

    naming = Naming(options.output, options.suffix, EXTENSIONS[options.ext])
    views = (options.left, options.right)
    names = restorer.view_names
    return find_jobs(options.input, names, naming, *views, options.recursive)


def on_device(name):
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


def control_of(options, count):
    """The `PhotoControl` of a command for so many photographs."""
    from tf_defocus.restoration.photo_control import PhotoControl
    from tf_defocus.restoration.photo_jobs import BatchError

    target = options.defocus_map
    if target and count > 1 and target.suffix.lower() == ".png":
        raise BatchError(
            f"--defocus-map {target} is one file for several photographs; give a folder"
        )
    return PhotoControl(options.strength, options.mask, target, options.output)


def load_restorer(options):
    """The `Restorer` that the options name."""
    commands.require_backend()
    from tf_defocus.restoration.restorer import Restorer

    if (options.device or "").startswith("gpu") and options.engine in ENGINES[2:]:
        raise ValueError(f"--engine {options.engine} computes on the processor only")
    scales = options.scales
    return Restorer.from_preset(
        options.preset,
        precision=options.precision,
        tile=options.tile,
        ensemble=options.ensemble,
        scales=scales if scales == "auto" else tuple(map(int, scales.split(","))),
        protect_sharp=options.protect_sharp,
        engine=options.engine,
    )


def run_batch(jobs, left_out, restorer, options, control):
    """Restores one photograph after another, says how it went; returns the exit code.

    `options` has `quiet`, `skip_existing`, `overwrite` and `check_views`.
    """
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
    from tf_defocus.restoration.failures import describe_failure
    from tf_defocus.restoration.photo_jobs import run_job

    exists = os.path.lexists(job.output) and not job.problem
    if exists and options.skip_existing:
        return "skipped", ()
    if exists and not options.overwrite:
        remedy = "add --overwrite or --skip-existing"
        return "failed", (f"{job.name}: {shown(job.output)} exists already; {remedy}",)

    def show(done, total):
        bar.update(number + done / total - bar.n)

    try:
        with warnings.catch_warnings(record=True) as told:
            notes = run_job(job, restorer, show, options.check_views, control)
    except Exception as error:  # the other photographs are still to be done
        return "failed", (describe_failure(job, error),)
    notes = [*notes, *(warning.message for warning in told)]
    return "restored", tuple(f"{job.name}: {note}" for note in notes)
