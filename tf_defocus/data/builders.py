"""The TFDS builders of this project, loaded by path, and their examples.

Builders live in `datasets/`, whose name is that of a well-known package.
"""

import importlib.util
import os
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import Any

from absl import logging

BUILDERS = pathlib.Path(__file__).resolve().parent.parent.parent / "datasets"
# feature that is false -> features that are then one black pixel
_HELD_WHERE = {
    "has_views": ("left", "right"),
    "has_sharp": ("sharp",),
    "has_depth": ("depth",),
    "has_blur_map": ("blur_map",),
}


def load_builder(dataset: str, data_dir: str | os.PathLike | None = None) -> Any:
    """A TFDS builder of this project.

    Args:
        dataset: str, `name` or `name/config`.
        data_dir: where prepared data are kept; TFDS' default if None.

    Returns:
        A `tfds.core.DatasetBuilder`.

    Raises:
        ValueError: if `datasets/` has no such builder.
    """
    name, _, config = dataset.partition("/")
    path = BUILDERS / name / f"{name}_dataset_builder.py"
    if not path.exists():
        known = sorted(p.parent.name for p in BUILDERS.glob("*/*_builder.py"))
        raise ValueError(
            f"Unknown dataset. Expected one of {known} (in {BUILDERS}). "
            f"Received: {dataset!r}"
        )
    if path.stem not in sys.modules:  # TFDS registers a builder's class once
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # the builder's worker processes look it up
        spec.loader.exec_module(module)
    module = sys.modules[path.stem]
    return module.Builder(config=config or None, data_dir=data_dir)


def load_examples(
    dataset: str,
    split: str,
    data_dir: str | os.PathLike | None = None,
    manual_dir: str | os.PathLike | None = None,
) -> Iterator[dict[str, Any]]:
    """Prepares a dataset if need be and yields its examples.

    Args:
        dataset: str, `name/config`, or the folder of one that is prepared, on a disk
            or in a bucket.
        split: str, a TFDS split such as `validation` or `train[:10]`.
        data_dir: where prepared data are kept.
        manual_dir: folder of files that the user fetched, for datasets that need it.

    Yields:
        dict of NumPy values as in the builder's features, without the single black
        pixels that stand for what an example lacks (`has_views` and the like).

    Raises:
        ValueError: if the dataset has no such split.
    """
    builder = prepare(dataset, split, data_dir, manual_dir)
    yield from read_examples(builder, split)


def prepare(dataset, split, data_dir=None, manual_dir=None):
    """A builder whose data are prepared; arguments and errors as `load_examples`."""
    import tensorflow_datasets as tfds

    if is_prepared_folder(dataset):
        builder = tfds.builder_from_directory(dataset)
    else:
        builder = load_builder(dataset, data_dir)
        _tell_of_older(builder)
        download = tfds.download.DownloadConfig(manual_dir=manual_dir)
        builder.download_and_prepare(download_config=download)
    if re.split(r"\W", split)[0] not in builder.info.splits:
        raise ValueError(
            f"{dataset} has the splits {sorted(builder.info.splits)}; name one of "
            f"them, or a part of one such as 'train[:90%]'. Received: {split!r}"
        )
    return builder


def is_prepared_folder(dataset):
    """Whether a dataset is named by the folder that holds it, prepared."""
    return "://" in dataset or os.path.isfile(f"{dataset}/dataset_info.json")


def _tell_of_older(builder):
    """Says why a set that an earlier version prepared is made again."""
    if builder.data_path.exists():
        return
    version = str(builder.version)
    for info in builder.data_path.parent.glob("*/dataset_info.json"):
        logging.warning(
            "%s is of an earlier version and is not read; version %s is made beside "
            "it: %s You may remove the older folder.",
            *(info.parent, version, builder.release_notes[version]),
        )


def read_examples(builder, split):
    """Yields the examples of a prepared builder, as `load_examples` does."""
    import tensorflow_datasets as tfds

    for example in tfds.as_numpy(builder.as_dataset(split=split)):
        absent = {
            feature
            for flag, features in _HELD_WHERE.items()
            for feature in features
            if not example.get(flag, True)
        }
        yield {k: value for k, value in example.items() if k not in absent}
