"""From TFDS to decoded arrays on disk, which `batches.py` crops and augments.

PNG cannot be decoded in part and 16-bit PNG decodes slowly, so every example is decoded
once. Builders live in `datasets/` and are loaded by path: the folder's name is that of
a well-known package.
"""

import importlib.util
import json
import os
import pathlib
import shutil
import sys

import numpy as np
import tqdm

BUILDERS = pathlib.Path(__file__).resolve().parent.parent / "datasets"
_KINDS = {"combined": "blurred", "left": "left", "right": "right", "sharp": "sharp"}


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
        dict of NumPy values as in the builder's features.
    """
    import tensorflow_datasets as tfds

    builder = load_builder(dataset, data_dir)
    download = tfds.download.DownloadConfig(manual_dir=manual_dir)
    builder.download_and_prepare(download_config=download)
    yield from tfds.as_numpy(builder.as_dataset(split=split))


def store_arrays(dataset, split, folder, data_dir=None, manual_dir=None):
    """Decodes a split into `StoredArrays`, once.

    Args:
        dataset, split, data_dir, manual_dir: as for `load_examples`.
        folder: where the arrays go; left as it is if it holds finished ones.

    Returns:
        The folder.

    Raises:
        ValueError: if the folder holds the arrays of another dataset, or if the
            examples differ in size (train such sets from their patch configs).
    """
    folder = pathlib.Path(folder)
    source = {"dataset": dataset, "split": split}
    index = folder / "arrays.json"
    if index.exists():
        found = json.loads(index.read_text())
        if {k: found.get(k) for k in source} != source:
            raise ValueError(f"{folder} holds {found}, not {source}; name another")
        return folder
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    examples = load_examples(dataset, split, data_dir, manual_dir)
    columns = _collect(tqdm.tqdm(examples, desc=f"decode {dataset} {split}"))
    for kind, values in columns.items():
        np.save(partial / f"{kind}.npy", np.stack(values))
    source["examples"] = len(columns["sharp"])
    (partial / "arrays.json").write_text(json.dumps(source))
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)
    return folder


def _collect(examples):
    columns = {}
    for example in examples:
        for feature, kind in _KINDS.items():
            if feature in example:
                columns.setdefault(kind, []).append(example[feature])
        if "coc" in example:
            mean = np.float32(np.abs(example["coc"]).mean())
            columns.setdefault("coc", []).append(mean)
    sizes = {image.shape for image in columns["sharp"]}
    if len(sizes) > 1:
        raise ValueError(
            f"Examples must be of one size to be stored. Received: {sorted(sizes)}; "
            "use a patch config of the dataset"
        )
    return columns
