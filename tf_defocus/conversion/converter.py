"""An author's checkpoint in, a folder that every tool opens as a preset out.

The tensors pass through one by one: no more than one of them is in memory, and no
network is filled.
"""

import json
import os
import pathlib
import secrets
import shutil

import numpy as np

from tf_defocus import whole_files
from tf_defocus.array_files import npz
from tf_defocus.conversion import assignments_of
from tf_defocus.conversion.author_files import FILES, Checkpoint, official_tensors
from tf_defocus.conversion.identification import what_it_seems
from tf_defocus.markdown_table import markdown_table
from tf_defocus.models import manifest, plans, presets, weights

CARD = "card.md"


class ConversionError(ValueError):
    """A checkpoint cannot be converted: one line with the reason."""


def list_tensors(paths):
    """What checkpoints hold, a line each: name, shape, type.

    Args:
        paths: list of str or path.

    Returns:
        str.

    Raises:
        ConversionError: in one line, if a file cannot be read.
    """
    lines = []
    for checkpoint in _open(paths):
        try:
            found = checkpoint.list_tensors()
        except (ValueError, OSError) as error:
            raise ConversionError(_line(error)) from error
        lines += [f"{_printable(n)} {shape} {d}" for n, (shape, d) in found.items()]
    return "\n".join(lines)


def convert(name, paths, output, words=None):
    """Turns an author's checkpoint into a preset with `variant="released"`.

    Nothing is written unless all of it is, and unless the preset, opened again, holds
    the authors' tensors, bit for bit.

    Args:
        name: str, of `list_models()`.
        paths: list of str or path, the checkpoint; its parts where a network's are
            saved apart.
        output: str or path of a folder, absent or empty.
        words: dict, constructor arguments that differ from the named configuration.

    Returns:
        str, what was written and how it was checked.

    Raises:
        ConversionError: in one line, if a file is damaged, hostile or of another
            network, or if the folder cannot be written.
    """
    output = pathlib.Path(output)
    if output.exists() and not (output.is_dir() and not any(output.iterdir())):
        raise ConversionError(f"{output} exists and is not empty; give another folder")
    overrides = {"variant": "released", **(words or {})}
    checkpoints = _open(paths)
    plan, tensors = _tensors(name, overrides, checkpoints)
    partial = output.with_name(f".{os.getpid()}.{secrets.token_hex(4)}.partial")
    try:
        partial.mkdir(parents=True)
        summary = _write(partial, plan, overrides, checkpoints, tensors)
        os.replace(partial, output)
    except ConversionError:
        raise
    except ValueError as error:  # damage that shows only where numbers are read
        raise ConversionError(_line(error)) from error
    except OSError as error:
        raise ConversionError(f"{output} cannot be written: {_line(error)}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return f"{output}: {summary}"


def parse_word(text):
    """`base_filters=24` -> ("base_filters", 24).

    Raises:
        ConversionError: if it is no word and a JSON value.
    """
    word, equals, value = text.partition("=")
    try:
        return word, json.loads(value)
    except ValueError:
        if word and equals and value.isidentifier():
            return word, value  # a string without its quotes
    raise ConversionError(
        f"expected WORD=JSON, such as base_filters=24. Received: {text}"
    )


def _open(paths):
    try:
        return [Checkpoint(path) for path in paths]
    except OSError as error:
        raise ConversionError(
            f"a checkpoint cannot be opened: {_line(error)}"
        ) from error


def _tensors(name, overrides, checkpoints):
    """A network's plan and its official tensors, or what is wrong in one line."""
    try:
        plans.check_overrides(name, overrides)
        plan = plans.plan_model(name, **overrides)
    except ValueError as error:
        raise ConversionError(_line(error)) from error
    if type(plan) not in FILES:
        raise ConversionError(f"{name} has no official checkpoints")
    try:
        for checkpoint in checkpoints:
            checkpoint.list_tensors()  # whether it is whole and harmless
    except (ValueError, OSError) as error:
        raise ConversionError(_line(error)) from error
    try:
        return plan, official_tensors(checkpoints, plan)
    except ValueError as error:
        seems = what_it_seems(checkpoints, plan)
        raise ConversionError(
            f"{', '.join(str(c.path) for c in checkpoints)} does not fit {name}: "
            f"{seems} ({_line(error)})"
        ) from error


def _write(folder, plan, overrides, checkpoints, tensors):
    """Fills a folder with the preset and returns what was checked."""
    path = folder / presets.RUN_WEIGHTS
    weights.write_arrays(path, _values(plan, tensors))
    row = FILES[type(plan)]
    config = {
        "model": plan.name,
        "overrides": overrides,
        "weights_sha256": manifest.sha256(path),
        "repository": row.repository,
        "licence": row.licence,
        "checkpoints": [
            {"file": pathlib.Path(file).name, "sha256": manifest.sha256(file)}
            for checkpoint in checkpoints
            for file in checkpoint.files
        ],
        "parity": f"{plan.count_params():,} numbers; {_parity(path, plan, tensors)}",
    }
    text = json.dumps(config, indent=2) + "\n"
    whole_files.write_text(folder / presets.RUN_CONFIG, text)
    whole_files.write_text(folder / CARD, _card(type(plan).__name__, config))
    return config["parity"]


def _values(plan, tensors):
    """Yields name and value of every weight of a plan, one after the other."""
    sources = {id(a.variable): a for a in assignments_of(plan)}
    for name, weight in zip(weights.variable_names(plan), plan.weights):
        source = sources[id(weight)]
        value = source.layout(np.asarray(tensors[source.name]))
        yield name, np.ascontiguousarray(value, "float32").reshape(weight.shape)


def _parity(path, plan, tensors):
    """Compares a preset's weights, opened again, with the authors' tensors.

    Raises:
        ConversionError: unless every weight is the same bit for bit.
    """
    weights.check_shapes(plan.name, weights.shapes(plan), path)
    found = npz.open_arrays(path)
    for name, value in _values(plan, tensors):
        if np.asarray(found[name]).tobytes() != value.tobytes():
            raise ConversionError(f"opened again, {name} differs; nothing is kept")
    return "opened again, every weight is the authors' tensor, bit for bit"


def _card(kind, config):
    words = ", ".join(
        f"{word}={value!r}" for word, value in config["overrides"].items()
    )
    rows = [
        ("network", f"{kind}, {words}"),
        ("source", config["repository"]),
        ("licence of that program", config["licence"]),
        ("licence of the weights", "ask the authors before you pass them on"),
        *(
            ("file", f"`{c['file']}`, sha256 {c['sha256']}")
            for c in config["checkpoints"]
        ),
        ("stored", f"float32, sha256 {config['weights_sha256']}"),
        ("parity", config["parity"]),
    ]
    table = markdown_table(["", ""], rows, num_texts=2)
    return f"# {config['model']}, from the authors' weights\n\n{table}"


def _line(error):
    return _printable(" ".join(str(error).split()))


def _printable(text):
    """Names in a file may hold what moves a terminal's cursor."""
    return "".join(c if c.isprintable() else "?" for c in text)
