"""Photographs of three kinds, with what is known of their blur, for DMENet's training.

Rendered photographs come with a map of their blur, marked ones with a mask of what is
blurred, unmarked ones alone. Each kind is stored once, decoded, its shorter side within
bounds; a batch is a function of seed and step, as in `batches`.
"""

import hashlib
import json
import os
import pathlib
import shutil

import cv2
import numpy as np
import tqdm

from tf_defocus import whole_files
from tf_defocus.data import builders
from tf_defocus.data.batches import shuffled
from tf_defocus.images import levels

# kind of photograph -> (what is known of it, levels of 8 bits to a unit of it)
TARGETS = {"rendered": ("blur_map", 10.0), "marked": ("mask", 1.0), "unmarked": None}
KINDS = tuple(TARGETS)
_INDEX = "domain.json"


class Domain:
    """Stored photographs of one kind.

    Args:
        folder: of `store_domain`.

    Raises:
        FileNotFoundError: if it holds no finished photographs.
        ValueError: if it is damaged.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        if not (self.folder / _INDEX).exists():
            raise FileNotFoundError(f"No finished photographs in {self.folder}")
        try:
            self.source = json.loads((self.folder / _INDEX).read_text())
            self.count, self.target = self.source["examples"], self.source["target"]
        except (ValueError, KeyError, OSError) as error:
            raise ValueError(f"{self.folder} is damaged; remove it") from error

    def __len__(self):
        return self.count

    def read(self, index):
        """dict of `blurred` (height, width, 3) and the target, uint8, left on disk."""
        names = ["blurred", self.target] if self.target else ["blurred"]
        return {
            name: np.load(self.folder / f"{index}_{name}.npy", mmap_mode="r")
            for name in names
        }

    def fingerprint(self):
        """A short hash of where they come from and of a row of up to 64 of them."""
        digest = hashlib.sha256(json.dumps(self.source, sort_keys=True).encode())
        for index in range(0, self.count, max(1, self.count // 64)):
            for image in self.read(index).values():
                digest.update(np.ascontiguousarray(image[len(image) // 2]).tobytes())
        return digest.hexdigest()[:16]


def store_domain(kind, examples, source, settings, folder):
    """Decodes photographs of one kind, once.

    Args:
        kind: of `KINDS`.
        examples: iterable of dicts with `blurred`, and `blur_map` [px] (rendered) or
            `mask` (marked).
        source: dict of JSON values that says where they come from.
        settings: `DomainAdaptation`, whose bounds the shorter side gets.
        folder: left as it is if it holds finished ones of that source.

    Returns:
        `Domain`.

    Raises:
        ValueError: if the folder holds others, or an example lacks its target.
    """
    folder = pathlib.Path(folder)
    source = {**source, "kind": kind}
    if (folder / _INDEX).exists():
        found = Domain(folder)
        if {k: found.source.get(k) for k in source} != source:
            raise ValueError(
                f"{folder} holds {found.source}, not {source}; name another"
            )
        return found
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    target, scale = TARGETS[kind] or (None, 1.0)
    count = 0
    for example in examples:
        if target and target not in example:
            raise ValueError(
                f"{kind} photographs need {target}; see datasets/README.md"
            )
        images = {"blurred": levels.convert(example["blurred"], "uint8")}
        if target:
            images[target] = np.rint(example[target] * scale).astype("uint8")
        for name, image in images.items():
            stored = _within_bounds(image, settings)
            np.save(partial / f"{count}_{name}.npy", stored)
        count += 1
    if not count:
        raise ValueError(f"there are no {kind} photographs in {source}")
    index = json.dumps({**source, "target": target, "examples": count})
    whole_files.write_text(partial / _INDEX, index)
    os.replace(partial, folder)
    return Domain(folder)


def load_domain(kind, dataset, split, settings, folder, data_dir=None, manual_dir=None):
    """`store_domain` of a data set of `datasets/`."""
    source = {"dataset": dataset, "split": split}
    if (pathlib.Path(folder) / _INDEX).exists():
        return store_domain(kind, (), source, settings, folder)
    examples = builders.load_examples(dataset, split, data_dir, manual_dir)
    bar = tqdm.tqdm(examples, desc=f"decode {dataset} {split}")
    return store_domain(kind, bar, source, settings, folder)


def make_domain_batch(domains, settings, step):
    """The photographs of one step.

    Args:
        domains: dict of `KINDS` -> `Domain`.
        settings: `DomainAdaptation`.
        step: int, from 0.

    Returns:
        dict of (batch, crop, crop, channels) float32 in [0, 1]: `rendered` and
        `rendered_target`, its map in units of `label_scale`; `marked` and
        `marked_target`, 1 where blurred; `unmarked`.
    """
    batch = {}
    for number, kind in enumerate(KINDS):
        crops = []
        for place in range(settings.batch_size):
            position = step * settings.batch_size + place
            seed = settings.seed, number
            index = shuffled(seed, position, len(domains[kind]))
            rng = np.random.default_rng((*seed, position))
            crops.append(_crop(rng, domains[kind].read(index), settings))
        batch[kind] = np.stack([crop["blurred"] for crop in crops]) / np.float32(255)
        target = domains[kind].target
        if target:
            scale = settings.label_scale if kind == "rendered" else 255.0
            values = np.stack([crop[target] for crop in crops]) / np.float32(scale)
            batch[f"{kind}_target"] = np.clip(values, 0, 1)
    return batch


def _within_bounds(image, settings):
    """An image whose shorter side is neither below nor above the bounds."""
    short = min(image.shape[:2])
    bounded = min(max(short, settings.shortest_side), settings.longest_side)
    if bounded == short:
        return image
    size = [max(bounded, round(side * bounded / short)) for side in image.shape[1::-1]]
    resized = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return resized.reshape(*size[::-1], image.shape[2])


def _crop(rng, images, settings):
    """The same random square of all images, turned at random alike."""
    size, sides = settings.crop_size, images["blurred"].shape[:2]
    top, left = (int(rng.integers(side - size + 1)) for side in sides)
    flipped = rng.random() < settings.flip_probability
    turns = int(rng.integers(4))
    crops = {}
    for name, image in images.items():
        crop = np.asarray(image[top : top + size, left : left + size])
        crop = crop[::-1] if flipped else crop
        crops[name] = np.rot90(crop, turns).astype("float32")
    return crops
