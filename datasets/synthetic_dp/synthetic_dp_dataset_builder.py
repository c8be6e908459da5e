"""synthetic_dp: dual-pixel photographs of synthetic scenes, with their ground truth."""

import concurrent.futures
import dataclasses
import functools
import multiprocessing
from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from tf_defocus.data import beam_builds, kept_examples
from tf_defocus.synthesis import large_photographs, rdpd, scene_ranges, scenes, textures

_TRAIN_FOLDERS = ("train",)
_VALIDATION_FOLDERS = ("val", "validation")
_CHUNK = 4


@dataclasses.dataclass
class SyntheticDpConfig(tfds.core.BuilderConfig):
    """What to render.

    Attributes:
        rdpd: bool, form images as RDPD's generator does (`synthesis/rdpd.py`), without
            occlusion; validation too.
        photographs: bool, paint the scenes with photographs of `manual_dir`.
        split_by_name: bool, find them by `large_photographs.split_photographs` in one
            tree, not in a folder per split.
        size: int [px], side of the square examples.
        num_train, num_validation: int, number of examples.
        seed: int, of the whole set.
        validation_aperture_samples: int, points of the aperture over which validation
            examples are averaged, the exact rendering; 0: as in training, by layers.
        num_processes: int; the examples do not depend on it.
        ranges: scene_ranges.SceneRanges, what the scenes are drawn from.
    """

    rdpd: bool = False
    photographs: bool = False
    split_by_name: bool = False
    size: int = 256
    num_train: int = 1600
    num_validation: int = 120
    seed: int = 2021
    validation_aperture_samples: int = 64
    num_processes: int = 2
    ranges: scene_ranges.SceneRanges = scene_ranges.DEFAULT


class Builder(beam_builds.OnBeam, tfds.core.GeneratorBasedBuilder):
    """Renders the scenes of `tf_defocus.synthesis.scenes`; downloads nothing."""

    pkg_dir_path = epath.Path(__file__).parent  # also when loaded by path
    VERSION = tfds.core.Version("2.0.0")
    RELEASE_NOTES: ClassVar = {
        "1.0.0": "First release.",
        "2.0.0": "`combined` is called `blurred`.",
    }
    _most = None  # examples per split
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Configs `procedural` and `rdpd_compat` need no file. Config `photos` needs "
        "sharp photographs: "
        "put them into <manual_dir>/train and <manual_dir>/val; a label map "
        "NAME_segments.png beside NAME.jpg, where there is one, gives the outlines of "
        "objects. Config `free_photos` needs large ones, anywhere below <manual_dir>."
    )
    BUILDER_CONFIGS: ClassVar = [
        SyntheticDpConfig(
            name="procedural",
            description="Dead leaves, text and test patterns; needs no file.",
        ),
        SyntheticDpConfig(
            name="photos",
            description="Sharp photographs and their outlines, from manual_dir.",
            photographs=True,
        ),
        SyntheticDpConfig(
            name="free_photos",
            description="Large photographs, reduced; wider blur, and a camera's files.",
            photographs=True,
            split_by_name=True,
            size=192,
            num_train=6000,
            num_validation=60,
            ranges=scene_ranges.WIDE,
        ),
        SyntheticDpConfig(
            name="rdpd_compat",
            description="RDPD's image formation, less faithful: 8 bits, no occlusion.",
            rdpd=True,
        ),
    ]

    def _info(self):
        view = tfds.features.Image(
            shape=(None, None, 3), dtype=np.uint16, encoding_format="png"
        )
        plane = tfds.features.Tensor(
            shape=(None, None, 1), dtype=np.float32, encoding="zlib"
        )
        camera = ("max_coc", "shift_ratio", "shot_noise", "read_noise")
        features = {
            "left": view,
            "right": view,
            "blurred": view,
            "sharp": view,
            "coc": plane,
            "disparity": plane,
            "mask": tfds.features.Image(
                shape=(None, None, 1), dtype=np.uint8, encoding_format="png"
            ),
            "scene_id": tfds.features.Text(),
            "camera": {name: np.float32 for name in camera},
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("blurred", "sharp"),
        )

    def _download_and_prepare(self, dl_manager, download_config):
        """Renders; what an interrupted build has rendered is not rendered again."""
        self._most = download_config.max_examples_per_split
        older = self._partial.with_name("1.0.0.partial")
        if older.exists() and not self._partial.exists():
            older.rename(self._partial)  # the same examples in older words
        jobs = self._jobs(dl_manager)
        total = sum(count for count, _ in jobs.values())
        with kept_examples.shown_progress(
            self._partial, total, f"render {self.info.full_name}"
        ):
            super()._download_and_prepare(dl_manager, download_config)
        self._partial.rmtree()

    @property
    def _partial(self):
        """Folder of the examples of a build that is not finished."""
        return self.data_dir_root / f"{self.info.full_name}.partial"

    def _jobs(self, dl_manager):
        """dict, split -> (number of examples, function of the index that makes one)."""
        config = self.builder_config
        photographs = {"train": (), "validation": ()}
        if config.split_by_name:
            photographs = large_photographs.split_photographs(dl_manager.manual_dir)
        elif config.photographs:
            root = epath.Path(dl_manager.manual_dir)
            photographs["train"] = _find_photographs(root, _TRAIN_FOLDERS)
            photographs["validation"] = _find_photographs(root, _VALIDATION_FOLDERS)
        counts = {"train": config.num_train, "validation": config.num_validation}
        samples = {"train": 0, "validation": config.validation_aperture_samples}
        return {
            split: (
                count if self._most is None else min(count, self._most),
                self._example_maker(split, photographs[split], samples[split]),
            )
            for split, count in counts.items()
        }

    def _example_maker(self, split, photographs, aperture_samples):
        config = self.builder_config
        arguments = {
            "seed": config.seed,
            "split": split,
            "size": config.size,
            "photographs": photographs,
            "ranges": config.ranges,
        }
        if config.rdpd:
            make = functools.partial(rdpd.make_example, **arguments)
        else:
            make = functools.partial(
                scenes.make_example, aperture_samples=aperture_samples, **arguments
            )
        folder = kept_examples.open_folder(self._partial, split, make, photographs)
        return functools.partial(
            kept_examples.make_or_read, make=make, folder=folder, split=split
        )

    def _split_generators(self, dl_manager):
        return {
            split: self._generate_examples(*job)
            for split, job in self._jobs(dl_manager).items()
        }

    def _generate_examples(self, count, make):
        if not self._uses_beam:
            return _render(make, count, self.builder_config.num_processes)
        import apache_beam as beam

        return beam.Create(range(count)) | beam.Reshuffle() | beam.Map(make)


def _find_photographs(root, names):
    """Photographs of the first folder of these names that exists.

    Raises:
        FileNotFoundError: if there is no such folder, or no photograph in it.
    """
    for name in names:
        if (root / name).exists():
            paths = textures.find_photographs(root / name)
            if not paths:
                raise FileNotFoundError(
                    f"Expected photographs (.jpg, .png, .tif) in {root / name}. "
                    "Received: none."
                )
            return paths
    raise FileNotFoundError(
        f"Expected a folder {' or '.join(names)} of sharp photographs in {root}. "
        "Received: no such folder. Pass its parent as --manual_dir."
    )


def _render(make, count, num_processes):
    """What `make` gives for 0 to `count` - 1, in order, by so many processes."""
    if num_processes == 1:
        yield from map(make, range(count))
        return
    # a forked child could inherit locked mutexes of TensorFlow's threads
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(num_processes, context) as pool:
        # a bounded window: rendered examples do not pile up in memory
        window = []
        for index in range(count):
            window.append(pool.submit(make, index))
            if len(window) >= _CHUNK * num_processes:
                yield window.pop(0).result()
        for future in window:
            yield future.result()
