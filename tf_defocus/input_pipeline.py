"""From TFDS to decoded arrays on disk, which `batches.py` crops and augments.

PNG cannot be decoded in part and 16-bit PNG decodes slowly, so every example is decoded
once. Builders live in `datasets/` and are loaded by path: the folder's name is that of
a well-known package.
"""

import contextlib
import importlib.util
import json
import os
import pathlib
import re
import shutil
import sys

import numpy as np
import tqdm

BUILDERS = pathlib.Path(__file__).resolve().parent.parent / "datasets"
_KINDS = {"combined": "blurred", "left": "left", "right": "right", "sharp": "sharp"}
# feature that is false -> features that are then one black pixel
_HELD_WHERE = {
    "has_views": ("left", "right"),
    "has_sharp": ("sharp",),
    "has_depth": ("depth",),
    "has_blur_map": ("blur_map",),
}


def load_builder(dataset, data_dir=None):
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


def load_examples(dataset, split, data_dir=None, manual_dir=None):
    """Prepares a dataset if need be and yields its examples.

    Args:
        dataset: str, `name/config`.
        split: str, a TFDS split such as `validation` or `train[:10]`.
        data_dir: where prepared data are kept.
        manual_dir: folder of files that the user fetched, for datasets that need it.

    Yields:
        dict of NumPy values as in the builder's features, without the single black
        pixels that stand for what an example lacks (`has_views` and the like).

    Raises:
        ValueError: if the dataset has no such split.
    """
    builder = _prepared(dataset, split, data_dir, manual_dir)
    yield from _read_examples(builder, split)


def _prepared(dataset, split, data_dir, manual_dir):
    import tensorflow_datasets as tfds

    builder = load_builder(dataset, data_dir)
    download = tfds.download.DownloadConfig(manual_dir=manual_dir)
    builder.download_and_prepare(download_config=download)
    if re.split(r"\W", split)[0] not in builder.info.splits:
        raise ValueError(
            f"{dataset} has the splits {sorted(builder.info.splits)}; name one of "
            f"them, or a part of one such as 'train[:90%]'. Received: {split!r}"
        )
    return builder


def _read_examples(builder, split):
    import tensorflow_datasets as tfds

    for example in tfds.as_numpy(builder.as_dataset(split=split)):
        absent = {
            feature
            for flag, features in _HELD_WHERE.items()
            for feature in features
            if not example.get(flag, True)
        }
        yield {k: value for k, value in example.items() if k not in absent}


def store_arrays(dataset, split, folder, data_dir=None, manual_dir=None):
    """Decodes a split into `StoredArrays`, once, one example in memory at a time.

    Args:
        dataset, split, data_dir, manual_dir: as for `load_examples`.
        folder: where the arrays go; left as it is if it holds finished ones.

    Returns:
        The folder.

    Raises:
        ValueError: if the folder holds the arrays of another dataset, if there are no
            sharp images to train towards, or if the examples differ in size or in
            which images they have (train such sets from their patch configs).
    """
    folder = pathlib.Path(folder)
    source = {"dataset": dataset, "split": split}
    index = folder / "arrays.json"
    if index.exists():
        found = json.loads(index.read_text())
        if {k: found.get(k) for k in source} != source:
            raise ValueError(f"{folder} holds {found}, not {source}; name another")
        return folder
    builder = _prepared(dataset, split, data_dir, manual_dir)
    if "sharp" not in builder.info.features:
        raise ValueError(
            f"{dataset} has no sharp images to train towards; it is for restoring "
            f"alone. Received: features {sorted(builder.info.features)}"
        )
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    count = builder.info.splits[split].num_examples
    examples = _read_examples(builder, split)
    bar = tqdm.tqdm(examples, desc=f"decode {dataset} {split}", total=count)
    _write_columns(partial, bar, count)
    source["examples"] = count
    (partial / "arrays.json").write_text(json.dumps(source))
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)
    return folder


def _write_columns(folder, examples, count):
    """One `.npy` file per kind of image, written example by example."""
    layout, files, mean_coc = None, {}, []
    with contextlib.ExitStack() as stack:
        for example in examples:
            images = {k: example[f] for f, k in _KINDS.items() if f in example}
            found = {kind: (i.shape, i.dtype) for kind, i in images.items()}
            if layout is None:
                layout = found
                for kind, image in images.items():
                    file = stack.enter_context(open(folder / f"{kind}.npy", "wb"))
                    files[kind] = _begin_column(file, count, image)
            _check_layout(layout, found, example)
            for kind, image in images.items():
                files[kind].write(np.ascontiguousarray(image).data)
            if "coc" in example:
                mean_coc.append(np.float32(np.abs(example["coc"]).mean()))
    if mean_coc:
        np.save(folder / "coc.npy", np.stack(mean_coc))


def _begin_column(file, count, image):
    np.lib.format.write_array_header_1_0(
        file,
        {
            "descr": np.lib.format.dtype_to_descr(image.dtype),
            "fortran_order": False,
            "shape": (count, *image.shape),
        },
    )
    return file


def _check_layout(expected, found, example):
    if "sharp" not in found or found.keys() != expected.keys():
        raise ValueError(
            f"Every example must have a sharp image and all of {sorted(expected)}. "
            f"Received: {example.get('scene_id')} with {sorted(found)}"
        )
    if found != expected:
        raise ValueError(
            "Examples must be of one size to be stored. Received: "
            f"{example.get('scene_id')} of {found['sharp'][0]} after "
            f"{expected['sharp'][0]}; use a patch config of the dataset"
        )
