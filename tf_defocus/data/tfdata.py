"""Training batches by tf.data from TFDS shards, on a disk or in a bucket.

Nothing is decoded beforehand: shards are read in turns, records shuffled as they are
stored, and images decoded and cropped in parallel, by the chain of the recipe.
"""

import contextlib
import functools
import hashlib
import itertools
import json
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tf_defocus.data import builders
from tf_defocus.data.arrays import IMAGE_KINDS, require_kinds
from tf_defocus.data.batches import augmentation, scheduled_crop, scheduled_place

SHARDS_AT_ONCE = 16
SHUFFLED_BYTES = 2**28  # of records, as they are stored, that are shuffled at a time


class Records:
    """A split of a prepared TFDS dataset, to train from.

    Args:
        builder: `tfds.core.DatasetBuilder`, prepared, of TFRecords.
        split: str, a split or a part of one, such as "train[:95%]".
        deterministic: bool, batches are a function of seed and step, so a run resumes
            exactly; False takes records in the order in which they arrive.

    Raises:
        ValueError: if the records are no TFRecords.
    """

    def __init__(
        self,
        builder: tfds.core.DatasetBuilder,
        split: str = "train",
        deterministic: bool = True,
    ) -> None:
        self.builder = builder
        self.deterministic = deterministic
        self.folder = pathlib.PurePath(str(builder.data_path))
        self.source = {"dataset": builder.info.full_name, "split": split}
        self.info = builder.info.splits[split]
        if builder.info.file_format != tfds.core.FileFormat.TFRECORD:
            raise ValueError(
                "tfdata reads TFRecords. Received: "
                f"{self.folder} in {builder.info.file_format}"
            )
        self._first = next(builders.read_examples(builder, split))
        if keras.backend.backend() != "tensorflow":
            tf.config.set_visible_devices([], "GPU")  # which are the other backend's

    def __len__(self):
        return self.info.num_examples

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the images that the records hold."""
        return tuple(kind for kind in IMAGE_KINDS if kind in self._first)

    def fingerprint(self) -> str:
        """A short hash that tells these records from others, by their shards' sizes."""
        lengths = [instruction.take for instruction in self.info.file_instructions]
        facts = [self.source, lengths, self.builder.info.splits.total_num_examples]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    def require(self, kinds: Sequence[str]) -> None:
        """Refuses to go on without some kinds of images.

        Raises:
            ValueError: if one of them is not in the records.
        """
        require_kinds(kinds, self.kinds, self.folder)

    def batches(
        self,
        recipe: Any,
        kinds: Sequence[str],
        rows: Callable[[int], Sequence[int]],
        first_step: int,
    ) -> Iterator[dict[str, np.ndarray]]:
        """The batches of one step after another.

        Args:
            recipe: `Recipe`.
            kinds: names of the images; `sharp` is added.
            rows: function of the batch size to the rows that are wanted.
            first_step: int.

        Yields:
            dict of (batch, crop, crop, 3) float32 in [0, 1].

        Raises:
            ValueError: if a record cannot be decoded or cropped.
        """
        names = tuple(dict.fromkeys((*kinds, "sharp")))
        _, _, first = scheduled_crop(recipe, first_step)
        examples = self._examples(recipe, names, rows, first)
        for step in itertools.count(first_step):
            wanted = rows(scheduled_crop(recipe, step)[1])
            order = sorted(set(wanted))
            made = [next(examples) for _ in order]
            chosen = [made[order.index(row)] for row in wanted]
            yield {name: np.stack(images) for name, images in zip(names, zip(*chosen))}

    def _examples(self, recipe, names, rows, first):
        """Yields the wanted crops from one position on, epoch after epoch."""
        epoch, done = divmod(first, len(self))
        pairs = tf.data.Dataset.range(epoch, tf.int64.max)
        pairs = pairs.flat_map(functools.partial(self._epoch, recipe.seed)).skip(done)
        pairs = pairs.filter(functools.partial(_is_wanted, recipe, rows))
        prepare = functools.partial(_prepare, self._features(names), recipe, names)
        crops = pairs.map(prepare, tf.data.AUTOTUNE, deterministic=True)
        with _in_words(self.folder):
            yield from crops.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()

    def _epoch(self, seed, number):
        """The positions and encoded records of an epoch, in its order."""
        shards = self.info.file_instructions
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(shards)), [tf.constant(seed, tf.int64), number]
        )
        columns = (
            [str(shard.filename) for shard in shards],
            np.array([shard.skip for shard in shards], np.int64),
            np.array([shard.take for shard in shards], np.int64),
        )
        columns = tuple(tf.gather(column, order) for column in columns)
        records = tf.data.Dataset.from_tensor_slices(columns).interleave(
            lambda name, skip, take: (
                tf.data.TFRecordDataset(name).skip(skip).take(take)
            ),
            cycle_length=SHARDS_AT_ONCE,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=self.deterministic,
        )
        size = max(1, self.info.num_bytes // max(1, len(self)))
        buffer = max(16, min(len(self), SHUFFLED_BYTES // size))
        tf.random.set_seed(1 + seed)  # of the graph that this is traced in
        records = records.shuffle(buffer, seed=number)
        first = number * len(self)
        return tf.data.Dataset.zip(tf.data.Dataset.range(first, tf.int64.max), records)

    def _features(self, names):
        features = self.builder.info.features
        return tfds.features.FeaturesDict({name: features[name] for name in names})


def _prepare(features, recipe, names, position, record):
    """Decodes a record and makes its crops."""
    images = features.deserialize_example(record)

    def crop(position, *images):
        position = int(position)
        _, _, size = scheduled_place(recipe, position)
        rng = np.random.default_rng((recipe.seed, position))
        made = augmentation(recipe, size)(rng, dict(zip(names, images)))
        return [np.ascontiguousarray(made[name], np.float32) for name in names]

    arguments = [position, *(images[name] for name in names)]
    return tuple(tf.numpy_function(crop, arguments, [tf.float32] * len(names)))


def _is_wanted(recipe, rows, position, _):
    """Whether this process needs the example of a position."""

    def check(position):
        step, row, _ = scheduled_place(recipe, int(position))
        return np.bool_(row in rows(scheduled_crop(recipe, step)[1]))

    return tf.numpy_function(check, [position], tf.bool)


@contextlib.contextmanager
def _in_words(folder):
    try:
        yield
    except tf.errors.OpError as error:
        raise ValueError(f"{folder}: {error.message.splitlines()[0]}") from error
