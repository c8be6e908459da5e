"""The command `tf-defocus`: restores photographs, shows a page, checks the machine.

Exit codes: 0 all is well, 1 something failed (one line each on the error output), 2 the
command line is wrong. Heavy imports wait until a command needs them, so that help and
mistakes are answered at once.
"""

import argparse
import sys
from collections.abc import Sequence

from tf_defocus import __version__, commands
from tf_defocus.cli.app import add_app
from tf_defocus.cli.arguments import fail
from tf_defocus.cli.convert import add_convert
from tf_defocus.cli.deblur import add_deblur
from tf_defocus.cli.doctor import diagnose
from tf_defocus.cli.export import add_export
from tf_defocus.cli.models import list_models


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and returns its exit code.

    Args:
        arguments: list of str, or None for those of the process.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except commands.BackendError as error:
        return fail(error)
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
    add_deblur(subparsers)
    add_app(subparsers)
    add_convert(subparsers)
    add_export(subparsers)
    models = subparsers.add_parser("models", help="list networks and presets")
    models.set_defaults(run=list_models)
    doctor = subparsers.add_parser("doctor", help="check versions, devices and presets")
    doctor.set_defaults(run=diagnose)
    return parser
