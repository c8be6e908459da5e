"""Decoded examples on disk: one memory-mapped array per kind of image.

PNG cannot be decoded in part and 16-bit PNG decodes slowly, so every example is decoded
once, and a training step reads only its crops. Reading needs NumPy alone, so that a
machine without TensorFlow can train.
"""

import contextlib
import functools
import hashlib
import json
import os
import pathlib
import shutil
from collections.abc import Sequence

import numpy as np
import tqdm

from tf_defocus import whole_files
from tf_defocus.data import builders
from tf_defocus.images import levels

IMAGE_KINDS = ("blurred", "left", "right", "sharp")
_INDEX = "arrays.json"
_DISTANCE = "radial_distance"  # made of the size of the examples, not stored


class StoredArrays:
    """Decoded examples on disk.

    Args:
        folder: holds `arrays.json` and, per kind, `<kind>.npy` of shape
            (examples, height, width, 3), uint8 or uint16; `coc.npy` of shape
            (examples,) holds the mean |circle of confusion| [px] where known.

    Raises:
        FileNotFoundError: if the folder holds no finished arrays.
        ValueError: if they are damaged.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = pathlib.Path(folder)
        index = self.folder / _INDEX
        if not index.exists():
            raise FileNotFoundError(
                f"No finished arrays in {self.folder}; make them with "
                "tf_defocus.data.arrays.store_arrays"
            )
        try:
            self.source = json.loads(index.read_text())
            self._arrays = {
                path.stem: np.load(path, mmap_mode="r", allow_pickle=False)
                for path in sorted(self.folder.glob("*.npy"))
            }
            counts = {len(array) for array in self._arrays.values()}
            if "sharp" not in self._arrays or len(counts) > 1:
                raise ValueError(
                    f"it holds {sorted(self._arrays)} of {counts} examples"
                )
        except (ValueError, OSError, EOFError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(
                f"{self.folder} is damaged ({reason}); remove the folder, and the same "
                "command makes it again"
            ) from error

    def __len__(self):
        return len(self._arrays["sharp"])

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the images that are stored."""
        return tuple(k for k in IMAGE_KINDS if k in self._arrays)

    def fingerprint(self) -> str:
        """A short hash that tells these data from others.

        It covers where they come from, the shape and type of every kind of image, and
        the middle row of up to 64 examples of each, not every byte: gigabytes would
        take minutes at every start.
        """
        digest = hashlib.sha256(json.dumps(self.source, sort_keys=True).encode())
        for name, array in sorted(self._arrays.items()):
            digest.update(f"{name} {array.shape} {array.dtype}".encode())
            for index in np.unique(np.linspace(0, len(array) - 1, 64).astype(int)):
                example = array[index]
                row = example[len(example) // 2] if example.ndim else example
                digest.update(np.ascontiguousarray(row).tobytes())
        return digest.hexdigest()[:16]

    def require(self, kinds: Sequence[str]) -> None:
        """Refuses to go on without some kinds of images.

        Raises:
            ValueError: if one of them is not stored.
        """
        require_kinds(kinds, (*self._arrays, _DISTANCE), self.folder)

    @property
    def mean_coc(self) -> np.ndarray | None:
        """(examples,) float32 [px], or None."""
        return self._arrays.get("coc")

    def read(
        self,
        index: int,
        kinds: Sequence[str] | None = None,
        crop: tuple[int, int, int] | None = None,
    ) -> dict[str, np.ndarray]:
        """Images of one example as float32 in [0, 1].

        Args:
            index: int.
            kinds: names of the images to read; None: all that are stored.
            crop: (top, left, size) or None for the whole images.

        Returns:
            dict of (height, width, 3).
        """
        return {
            k: levels.to_float(image)
            for k, image in self.read_stored(index, kinds, crop).items()
        }

    def read_stored(
        self,
        index: int,
        kinds: Sequence[str] | None = None,
        crop: tuple[int, int, int] | None = None,
    ) -> dict[str, np.ndarray]:
        """Images of one example as they are stored, uint8 or uint16.

        The kind "radial_distance" says of every pixel how far from the middle it is.
        """
        rows, columns = slice(None), slice(None)
        if crop is not None:
            top, left, size = crop
            rows, columns = slice(top, top + size), slice(left, left + size)
        return {
            kind: self._distance[rows, columns]
            if kind == _DISTANCE
            else self._arrays[kind][index, rows, columns]
            for kind in kinds or self.kinds
        }

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the stored images."""
        return self._arrays["sharp"].shape[1:3]

    @functools.cached_property
    def _distance(self):
        """(height, width, 3) uint8, 255 in the first corner, as RDPD's masks are."""
        middle = [side / 2 for side in self.image_size]
        rows, columns = (np.arange(2 * m) - m for m in middle)
        distance = np.hypot(rows[:, None], columns)
        levels = np.rint(255 * distance / distance[0, 0]).astype("uint8")
        return np.broadcast_to(levels[..., None], (*levels.shape, 3))


def require_kinds(kinds, known, folder):
    """Refuses to go on without some kinds of images.

    Raises:
        ValueError: if one of `kinds` is not `known`.
    """
    missing = [kind for kind in kinds if kind not in known]
    if missing:
        held = [kind for kind in known if kind in IMAGE_KINDS]
        raise ValueError(
            f"This training needs {missing} of every example. Received: "
            f"{folder} with {held}"
        )


def store_arrays(
    dataset: str,
    split: str,
    folder: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
    manual_dir: str | os.PathLike | None = None,
) -> pathlib.Path:
    """Decodes a split into `StoredArrays`, once, one example in memory at a time.

    Args:
        dataset, split, data_dir, manual_dir: as for `builders.load_examples`.
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
    builder = builders.prepare(dataset, split, data_dir, manual_dir)
    if "sharp" not in builder.info.features:
        raise ValueError(
            f"{dataset} has no sharp images to train towards; it is for restoring "
            f"alone. Received: features {sorted(builder.info.features)}"
        )
    count = builder.info.splits[split].num_examples
    examples = builders.read_examples(builder, split)
    bar = tqdm.tqdm(examples, desc=f"decode {dataset} {split}", total=count)
    return write_arrays(folder, bar, count, source)


def write_arrays(folder, examples, count, source):
    """Writes examples as `StoredArrays`; the folder appears when all are there.

    Args:
        folder: path; replaced if it exists.
        examples: iterable of dicts with `sharp` and the views of `store_arrays`'
            builders, and `coc` where known.
        count: int, their number.
        source: dict of JSON values that says where they come from.

    Returns:
        pathlib.Path of the folder.

    Raises:
        ValueError: if the examples differ in size or in which images they have.
    """
    folder = pathlib.Path(folder)
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    _write_columns(partial, examples, count)
    for path in partial.iterdir():  # on the disk before the folder gets its name
        with open(path, "rb") as file:
            os.fsync(file.fileno())
    index = json.dumps({**source, "examples": count})
    whole_files.write_text(partial / _INDEX, index)
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)
    return folder


def _write_columns(folder, examples, count):
    """One `.npy` file per kind of image, written example by example."""
    layout, files, mean_coc = None, {}, []
    with contextlib.ExitStack() as stack:
        for example in examples:
            images = {kind: example[kind] for kind in IMAGE_KINDS if kind in example}
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
