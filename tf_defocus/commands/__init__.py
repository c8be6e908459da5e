"""What the command and every tool do alike.

They keep TensorFlow's own lines off the screen, say a fault of what they were given in
one line, and stand on pages of results so that the reader can give them again.
"""

import functools
import importlib.util
import os
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from absl import app, flags

from tf_defocus.commands import quiet_tensorflow  # noqa: F401

flags.disclaim_key_flags()  # --help shows them as the tool's own
BACKENDS = ("tensorflow", "jax")
# module that may be missing -> the extra of this package that installs it
EXTRAS = {
    **dict.fromkeys(("grpc", "kserve", "orjson", "tensorflow_serving"), "serving"),
    "apache_beam": "beam",
    "etils": "data",
    "huggingface_hub": "hub",
    "importlib_resources": "data",
    "jax": "jax",
    "matplotlib": "figures",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "openvino": "openvino",
    "tensorboard": "train",
    "tensorflow": "tensorflow",
    "tensorflow_datasets": "data",
    "tf2onnx": "onnx",
}


class BackendError(ValueError):
    """Keras has nothing to compute with: one line with the remedy."""


def run(main: Callable) -> None:
    """Runs a tool, `main(arguments)`, with absl's flags.

    What is wrong with that which the tool was given is one line on the error output,
    and exit code 1. Any other exception is a fault of ours and keeps its traceback.

    Args:
        main: function of the list of arguments that are no flags.

    Raises:
        SystemExit: always, as `absl.app.run` does.
    """
    app.run(functools.partial(_in_one_line, main))


def _in_one_line(main, arguments):
    try:
        return main(arguments)
    except (ValueError, ArithmeticError, OSError, ImportError) as error:
        sys.exit(f"{pathlib.Path(sys.argv[0]).stem}: {explain(error)}")
    except KeyboardInterrupt:
        print("interrupted; files written so far are whole", file=sys.stderr)
        sys.exit(130)


def explain(error: BaseException) -> str:
    """An exception in one line; of a missing package, with what installs it.

    Args:
        error: the exception.

    Returns:
        str without line breaks.
    """
    package = _missing_package(error)
    if package in BACKENDS and importlib.util.find_spec(package) is None:
        try:
            require_backend()
        except BackendError as missing:
            return str(missing)
    if package in EXTRAS:
        return f'needs {package}; pip install "tf-defocus[{EXTRAS[package]}]"'
    return " ".join(str(error).split())


def _missing_package(error):
    """The package of an extra that an ImportError wants, or None."""
    name = getattr(error, "name", None) if isinstance(error, ImportError) else None
    package = (name or "").split(".")[0]
    return package if package in EXTRAS else None


def _say_what_is_missing(kind, error, traceback):
    """The same where a tool imports at its top, before `run` is there to catch it."""
    if _missing_package(error):
        print(f"{pathlib.Path(sys.argv[0]).stem}: {explain(error)}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, traceback)


sys.excepthook = _say_what_is_missing


def require_backend() -> None:
    """Imports Keras if it has a backend that this package runs on.

    Raises:
        BackendError: if it has none.
    """
    installed = [name for name in BACKENDS if importlib.util.find_spec(name)]
    if not installed:
        raise BackendError(
            'needs TensorFlow or JAX; pip install "tf-defocus[tensorflow]", or '
            '"tf-defocus[jax]" and set KERAS_BACKEND=jax'
        )
    wanted = os.environ.get("KERAS_BACKEND")
    if wanted is None and installed == ["jax"]:
        raise BackendError("TensorFlow is not installed, JAX is; set KERAS_BACKEND=jax")
    if wanted not in (None, *installed):
        extra = wanted if wanted in BACKENDS else installed[0]
        remedy = f'pip install "tf-defocus[{extra}]" and set KERAS_BACKEND={extra}'
        raise BackendError(f"KERAS_BACKEND={wanted} does not work here; {remedy}")
    import keras

    if keras.backend.backend() not in BACKENDS:  # as ~/.keras/keras.json says
        raise BackendError(
            f"Keras runs on {keras.backend.backend()}; set KERAS_BACKEND={installed[0]}"
        )


def leave_if_stopped(run: Any) -> None:
    """Exits as shells do after a signal, if one stopped a training; says so.

    Args:
        run: what `training` returns: `stopped_by` (a signal or None) and `step`.

    Raises:
        SystemExit: if a signal stopped it.
    """
    if run.stopped_by is not None:
        print(
            f"{pathlib.Path(sys.argv[0]).stem}: {run.stopped_by.name} after step "
            f"{run.step}; the same command goes on from there",
            file=sys.stderr,
        )
        sys.exit(128 + run.stopped_by)


def define_set_flags() -> tuple[flags.FlagHolder, ...]:
    """Defines the flags that say which pairs a tool scores.

    Returns:
        tuple of the flags, in the order in which `evaluation.examples.read_set` takes
        their values: folder, arrays, dataset, split, data_dir, manual_dir.
    """
    return (
        flags.DEFINE_string(
            "folder",
            None,
            "Folder of <scene>/{combined,left,right,target}.png or the reverse.",
        ),
        flags.DEFINE_string(
            "arrays", None, "Decoded arrays instead, as tools/train.py makes them."
        ),
        flags.DEFINE_string("dataset", None, "TFDS dataset instead, name/config."),
        flags.DEFINE_string("split", "test", "Split of --dataset."),
        flags.DEFINE_string("data_dir", None, "Where prepared datasets are kept."),
        flags.DEFINE_string("manual_dir", None, "Files that you fetched yourself."),
    )


def shown_command(
    arguments: Sequence[str], placeholders: Mapping[str, str] | None = None
) -> str:
    """A command line without its author's folders.

    Args:
        arguments: list of str, such as `sys.argv`: the tool, then its options as
            `--name=value`, `--name value` or `--switch`.
        placeholders: dict, name of an option -> what stands in place of its value.

    Returns:
        str, one option per line, each but the last continued by a backslash. Other
        absolute paths are cut to their last part.
    """
    tool, *rest = arguments
    parts = pathlib.Path(tool).parts
    place = parts[parts.index("tools") :] if "tools" in parts else parts[-1:]
    lines = [f"python {pathlib.PurePosixPath(*place)}"]
    for argument in rest:
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            lines.append(f"--{name}")
            value = value if equals else None
        else:
            name, value = lines[-1].removeprefix("--"), argument
        if value is not None:
            lines[-1] += " " + _shown(name, value, placeholders or {})
    return " \\\n    ".join(lines)


def _shown(name, value, placeholders):
    if name in placeholders:
        return placeholders[name]
    parts = [
        pathlib.Path(part).name if part.startswith("/") else part
        for part in value.split(",")
    ]
    text = ",".join(parts)
    return f'"{text}"' if " " in text else text
