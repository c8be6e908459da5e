"""`tf-defocus app`: a page in the browser for people who do not type.

The page is served to this computer alone, works without a network, and removes what it
stored when a tab is closed and when it ends.
"""

import contextlib
import os
import signal
import sys
import threading

from tf_defocus.cli import arguments
from tf_defocus.cli.arguments import fail
from tf_defocus.cli.deblur import DEFAULT_PRESET, ENGINES

HOST = "127.0.0.1"
MAX_MEGAPIXELS = "100"


def add_app(subparsers):
    """Adds `tf-defocus app` and its options."""
    text = "open a page in the browser that restores photographs"
    app = subparsers.add_parser("app", help=text)
    add = app.add_argument
    add("-n", "--preset", default=DEFAULT_PRESET, help="preset chosen at first")
    add("--port", type=int, default=7860, help="of 127.0.0.1; 0 takes any [7860]")
    add("--no-browser", action="store_true", help="only print the page's address")
    text = "largest file that is taken; pixels: 100 million, or as many million as "
    text += "TF_DEFOCUS_MAX_MEGAPIXELS says [1000]"
    add("--max-megabytes", type=int, default=1000, metavar="MB", help=text)
    text = "where photographs lie while a tab is open [the system's temporary folder]"
    add("--folder", type=arguments.path, help=text)
    add("-t", "--tile", type=arguments.tile, help="as of deblur")
    choices = ("float32", "bfloat16")
    add("--precision", choices=choices, default="float32", help="as of deblur")
    add("--engine", choices=ENGINES, default="tensorflow", help="as of deblur")
    add("--device", default="auto", help="as of deblur")
    app.set_defaults(run=run_app)


def run_app(options):
    """`tf-defocus app`: serves the page until it is interrupted."""
    from tf_defocus.images import bounds
    from tf_defocus.images.refusals import ImageFileError

    os.environ.setdefault(bounds.MAX_MEGAPIXELS_VARIABLE, MAX_MEGAPIXELS)
    try:
        bounds.max_megapixels()
        import gradio  # noqa: F401
    except ImageFileError as error:
        return fail(error)
    except ImportError:
        return fail('the page needs gradio; pip install "tf-defocus[app]"')
    from tf_defocus.cli.app.serving import serve

    try:
        with _asked_to_end() as end, serve(options, HOST) as address:
            print(f"{address}  (Ctrl-C ends it)", flush=True)
            end.wait()
    except OSError as error:
        return fail(f"{error.strerror or error}; see --port and --folder")
    print("tf-defocus: the page is closed, its files are removed", file=sys.stderr)
    return 0


@contextlib.contextmanager
def _asked_to_end():
    """An event that the first SIGINT or SIGTERM sets, while the block runs."""
    end, before = threading.Event(), {}
    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, lambda *_: end.set())
    try:
        yield end
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
