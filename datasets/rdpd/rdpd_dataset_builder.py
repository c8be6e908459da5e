"""rdpd: synthetic dual-pixel videos of Abuolaim et al., ICCV 2021."""

from typing import ClassVar

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from tf_defocus.data import beam_builds, published_files

_SPLITS = {"train": "train", "validation": "val", "test": "test"}  # ours -> files'
_ROLES = {
    "blurred": ("c/source", ""),
    "left": ("l/source", "_L"),
    "right": ("r/source", "_R"),
    "sharp": ("c/target", ""),
}


class Builder(beam_builds.OnBeam, tfds.core.GeneratorBasedBuilder):
    """One example per frame; `val` and `test` hold the same sequences."""

    pkg_dir_path = epath.Path(__file__).parent  # also when loaded by path
    VERSION = tfds.core.Version("2.0.0")
    RELEASE_NOTES: ClassVar = {
        "1.0.0": "First release.",
        "2.0.0": "`combined` is called `blurred`.",
    }
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Run the generator of RDPD on SYNTHIA-SF and pass its folder as manual_dir; "
        "dd_dp_dataset_synth_vid holds {train,val,test}_{c,l,r}/source/seq_NNN and "
        "{train,val,test}_c/target/seq_NNN."
    )

    def _info(self):
        image = tfds.features.Image(
            shape=(None, None, 3), dtype=np.uint8, encoding_format="png"
        )
        features = {
            **{role: image for role in _ROLES},
            "scene_id": tfds.features.Text(),
            "sequence_id": tfds.features.Text(),
            "frame": np.int32,
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            supervised_keys=("blurred", "sharp"),
        )

    def _split_generators(self, dl_manager):
        splits = find_frames(published_files.manual_folder(dl_manager))
        return {
            split: self._generate_examples(frames) for split, frames in splits.items()
        }

    def _generate_examples(self, frames):
        return self.examples_of(frames, make_example)


def is_root(folder):
    """Whether the folder is the dataset's own."""
    return any(
        any((folder / f"{name}_c/source").glob("seq_*")) for name in _SPLITS.values()
    )


def find_frames(manual_dir):
    """dict, split -> list of (sequence, position of the frame, dict of paths).

    Raises:
        DatasetFilesError: naming a missing split, sequence or frame.
    """
    names = ("dd_dp_dataset_synth_vid",)
    expected = "{train,val,test}_{c,l,r}/source/seq_NNN"
    root = published_files.find_root(manual_dir, names, is_root, expected)
    splits = {}
    for split, name in _SPLITS.items():
        folder = root / f"{name}_c/source"
        sequences = (
            sorted(folder.glob("seq_*"), key=_natural) if folder.is_dir() else []
        )
        if not sequences:
            raise published_files.DatasetFilesError(
                f"Expected sequences seq_NNN in {folder}. Received: none."
            )
        splits[split] = [
            (sequence.name, index, paths)
            for sequence in sequences
            for index, paths in enumerate(_pair_sequence(root, name, sequence.name))
        ]
    return splits


def _natural(path):
    return published_files.natural_key(path.name)


def _pair_sequence(root, split, sequence):
    files = {
        role: published_files.list_images(root / f"{split}_{folder}" / sequence)
        for role, (folder, _) in _ROLES.items()
    }
    matched = {
        role: dict(published_files.pair_view(files["blurred"], paths, _ROLES[role][1]))
        for role, paths in files.items()
    }
    return [{r: matched[r][path] for r in _ROLES} for path in files["blurred"]]


def make_example(frame):
    """Yields (key, example) of a sequence's name, a position in it and the paths."""
    sequence, index, paths = frame
    read = {r: published_files.read_rgb(p, np.uint8) for r, p in paths.items()}
    published_files.check_sizes(
        list(paths.values()), [pixels for pixels, _ in read.values()]
    )
    name = f"{sequence}_{paths['blurred'].stem}"
    yield (
        name,
        {
            **{role: stored for role, (_, stored) in read.items()},
            "scene_id": name,
            "sequence_id": sequence,
            "frame": index,
        },
    )
