"""An author's checkpoint in, a folder that every tool opens as a preset out."""

import gc
import hashlib
import json
import os
import pathlib
import secrets
import shutil

import keras
import numpy as np

from tf_defocus import whole_files
from tf_defocus.conversion import load_official
from tf_defocus.conversion.author_files import FILES, Checkpoint, official_tensors
from tf_defocus.conversion.identification import what_it_seems
from tf_defocus.models import manifest, plans, presets, weights
from tf_defocus.models.named import create_model

CARD = "card.md"
_SIDES = (64, 96)  # of the image that both models are compared on, at least


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

    Nothing is written unless all of it is, and unless the preset, opened again, gives
    what the authors' tensors gave, bit for bit.

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
    tensors = _tensors(name, overrides, checkpoints)
    partial = output.with_name(f".{os.getpid()}.{secrets.token_hex(4)}.partial")
    try:
        partial.mkdir(parents=True)
        summary = _write(partial, name, overrides, checkpoints, tensors)
        os.replace(partial, output)
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
    """The official tensors, or what is wrong with them in one line."""
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
        tensors = official_tensors(checkpoints, plan)
        for checkpoint in checkpoints:
            checkpoint.forget()
        return tensors
    except ValueError as error:
        seems = what_it_seems(checkpoints, plan)
        raise ConversionError(
            f"{', '.join(str(c.path) for c in checkpoints)} does not fit {name}: "
            f"{seems} ({_line(error)})"
        ) from error


def _write(folder, name, overrides, checkpoints, tensors):
    """Fills a folder with the preset and returns what was checked."""
    model = create_model(name, **overrides)
    load_official(model, tensors)
    tensors.clear()  # as large as the model, as is whatever else is let go here
    path = folder / presets.RUN_WEIGHTS
    weights.save_weights(model, path, dtype="float32")
    expected = _fingerprints(model)
    row, kind, count = FILES[type(model)], type(model).__name__, model.count_params()
    del model
    gc.collect()
    config = {
        "model": name,
        "overrides": overrides,
        "weights_sha256": manifest.sha256(path),
        "repository": row.repository,
        "licence": row.licence,
        "checkpoints": [
            {"file": pathlib.Path(c.path).name, "sha256": manifest.sha256(c.path)}
            for c in checkpoints
        ],
    }
    _write_json(folder / presets.RUN_CONFIG, config)
    config["parity"] = f"{count:,} numbers; {_parity(folder, expected)}"
    _write_json(folder / presets.RUN_CONFIG, config)
    whole_files.write_text(folder / CARD, _card(kind, config))
    return config["parity"]


def _write_json(path, content):
    whole_files.write_text(path, json.dumps(content, indent=2) + "\n")


def _parity(folder, expected):
    """Compares the preset, opened again, with the model that it was made of.

    Raises:
        ConversionError: unless every weight and every output is the same bit for bit.
    """
    found = _fingerprints(presets.load_preset(folder))
    changed = [name for name in expected if found.get(name) != expected[name]]
    if changed:
        raise ConversionError(
            f"opened again, {changed[0]} is not the same; nothing is kept"
        )
    outputs = [key for kind, key in expected if kind == "output"]
    return (
        f"opened again, every weight and {', '.join(outputs)} of a test image are "
        "those of the authors' tensors, bit for bit"
    )


def _fingerprints(model):
    """Hashes of all that a model holds and gives, for comparison bit for bit."""
    sides = [-(-side // m) * m for side, m in zip(_SIDES, model.size_multiple)]
    random = np.random.default_rng(0)
    images = {
        view: random.random((1, *sides, 3), "float32") for view in model.view_names
    }
    named = zip(weights.variable_names(model), model.weights)
    content = [(("weight", name), weight) for name, weight in named]
    content += [(("output", key), value) for key, value in model(images).items()]
    return {key: hashlib.sha256(_bytes(value)).digest() for key, value in content}


def _bytes(tensor):
    return keras.ops.convert_to_numpy(tensor).tobytes()


def _card(kind, config):
    files = "\n".join(
        f"| file | `{c['file']}`, sha256 {c['sha256']} |" for c in config["checkpoints"]
    )
    words = ", ".join(
        f"{word}={value!r}" for word, value in config["overrides"].items()
    )
    return f"""# {config["model"]}, from the authors' weights

| | |
|---|---|
| network | {kind}, {words} |
| source | {config["repository"]} |
| licence of that program | {config["licence"]} |
| licence of the weights | ask the authors before you pass them on |
{files}
| stored | float32, sha256 {config["weights_sha256"]} |
| parity | {config["parity"]} |
"""


def _line(error):
    return _printable(" ".join(str(error).split()))


def _printable(text):
    """Names in a file may hold what moves a terminal's cursor."""
    return "".join(c if c.isprintable() else "?" for c in text)
