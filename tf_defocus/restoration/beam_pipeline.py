"""A million photographs, restored by Apache Beam on one machine or on many.

    file pattern -> photographs by output -> read -> batches of one size
                 -> RunInference -> written, refusals and notes in two files

A photograph whose output is there is skipped, so that the same command goes on where a
killed one stopped. One that cannot be restored is refused with a reason and does not
stop the others. A worker process restores one batch at a time; what waits for others of
its size is bounded in pixels. Reading, restoring and writing are the command's own.
"""

import contextlib
import dataclasses
import json
import pathlib
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.io import fileio
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics, MetricsFilter
from apache_beam.ml.inference.base import ModelHandler, RunInference
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.window import GlobalWindows

from tf_defocus.images import Image, ImageFileError
from tf_defocus.restoration import beam_files
from tf_defocus.restoration.beam_files import Photograph, Places
from tf_defocus.restoration.colour_managed import restore_images
from tf_defocus.restoration.failures import describe_failure
from tf_defocus.restoration.photo_jobs import BatchError, read_views, write_restored
from tf_defocus.restoration.restorer import Restorer

REFUSALS, NOTES = "refusals.jsonl", "notes.jsonl"
COUNTS = ("restored", "skipped", "refused", "left_out")
_NAMESPACE = "tf_defocus.restore"
_BUFFERED_BATCHES = 4  # so many batches' pixels wait for others of their sizes
# A runner may give a process several threads; memory is reckoned for one photograph,
# and what quiets the decoders holds for the whole process.
_ONE_AT_A_TIME = threading.Lock()


def _count(name):
    Metrics.counter(_NAMESPACE, name).inc()


@dataclasses.dataclass(frozen=True)
class ReadPhotograph:
    """A photograph with its views' `Image`s, the first of which lends its metadata."""

    photograph: Photograph
    images: dict[str, Image]

    @property
    def first(self) -> Image:
        """The first view."""
        return next(iter(self.images.values()))


@dataclasses.dataclass(frozen=True)
class RestoredPhotograph:
    """A photograph as read and its restored `Image`, or (name, why there is none)."""

    read: ReadPhotograph
    image: Image | None = None
    refusal: tuple[str, str] | None = None


def _refusal(photograph, error):
    """(name, reason) of a photograph that is not restored."""
    reason = describe_failure(photograph, error)
    return photograph.name, reason.removeprefix(f"{photograph.name}: ")


class PhotographHandler(ModelHandler[ReadPhotograph, RestoredPhotograph, Restorer]):
    """A `Restorer` as Beam's `RunInference` wants it.

    Args:
        preset: as of `Restorer.from_preset`; workers on other machines must reach it.
        strength: as of `Restorer.restore`.
        **options: further ones of `Restorer.from_preset`.
    """

    def __init__(self, preset: str, strength: float = 1.0, **options: Any) -> None:
        super().__init__()
        self.preset, self.strength, self.options = preset, strength, options

    def load_model(self) -> Restorer:
        """Once in each process."""
        return Restorer.from_preset(self.preset, **self.options)

    def run_inference(
        self,
        batch: Sequence[ReadPhotograph],
        model: Restorer,
        inference_args: dict[str, Any] | None = None,
    ) -> list[RestoredPhotograph]:
        """Restores photographs of one size; one that fails does not fail the others."""
        del inference_args
        try:
            with _ONE_AT_A_TIME:
                images = [read.images for read in batch]
                restored = restore_images(model, images, self.strength)
        except Exception as error:
            if len(batch) > 1:
                return [self.run_inference([read], model)[0] for read in batch]
            (read,) = batch
            refusal = _refusal(read.photograph, error)
            return [RestoredPhotograph(read, refusal=refusal)]
        return list(map(RestoredPhotograph, batch, restored))

    def get_num_bytes(self, batch: Sequence[ReadPhotograph]) -> int:
        """Of pixels; the base class would pickle them to find out."""
        return sum(
            image.pixels.nbytes for read in batch for image in read.images.values()
        )


class _Find(beam.DoFn):
    """Files that match -> (key, (view, path)) of those that may be photographs."""

    def __init__(self, places):
        self.places = places

    def process(self, file):
        if not self.places.is_meant(file.path):
            return
        key = self.places.key(file.path)
        if key is None or not beam_files.looks_like_photograph(file.path):
            _count("left_out")
            return
        yield key[0], (key[1], file.path)


class _Read(beam.DoFn):
    """Photographs -> batches of `ReadPhotograph` of one size.

    Args:
        batch_size: int, photographs in a batch at most.
        batch_megapixels: float, megapixels in a batch at most; a larger photograph is
            a batch of its own.
    """

    def __init__(self, batch_size, batch_megapixels):
        self.batch_size = batch_size
        self.batch_pixels = batch_megapixels * 1e6

    def start_bundle(self):
        self.buckets = {}

    def process(self, photograph):
        try:
            if not photograph.problem and FileSystems.exists(photograph.output):
                _count("skipped")
                return
            read = ReadPhotograph(photograph, _read(photograph))
        except Exception as error:  # the other photographs are still to be done
            yield beam.pvalue.TaggedOutput("refused", _refusal(photograph, error))
            return
        size = read.first.pixels.shape[:2]
        self.buckets.setdefault(size, []).append(read)
        yield from self._full(*size)

    def _full(self, height, width):
        """The bucket of that size if it is full, the largest if all hold too much."""
        count = len(self.buckets[height, width])
        if count >= self.batch_size or (count + 1) * height * width > self.batch_pixels:
            yield self.buckets.pop((height, width))
        sizes = {size: size[0] * size[1] * len(b) for size, b in self.buckets.items()}
        if sum(sizes.values()) > _BUFFERED_BATCHES * self.batch_pixels:
            yield self.buckets.pop(max(sizes, key=sizes.get))

    def finish_bundle(self):
        for batch in self.buckets.values():
            yield GlobalWindows.windowed_value_at_end_of_window(batch)
        self.buckets = {}


def _read(photograph):
    with _on_this_disk(photograph) as job, _ONE_AT_A_TIME:
        return read_views(job)


class _Write(beam.DoFn):
    """`RestoredPhotograph` -> outputs; refusals and notes of what was converted."""

    def __init__(self, output):
        self.output = output

    def process(self, restored):
        photograph = restored.read.photograph
        if restored.refusal:
            yield beam.pvalue.TaggedOutput("refused", restored.refusal)
            return
        try:
            notes = _write(restored, self.output)
        except Exception as error:  # the other photographs are still to be done
            yield beam.pvalue.TaggedOutput("refused", _refusal(photograph, error))
            return
        _count("restored")
        for note in notes:
            yield photograph.name, note


def _write(restored, output):
    photograph, first = restored.read.photograph, restored.read.first
    with _on_this_disk(photograph, with_views=first.lossy) as job:
        notes = write_restored(job, first, restored.image)
        beam_files.put(job.output, photograph.output, output)
    return notes


@contextlib.contextmanager
def _on_this_disk(photograph, with_views=True):
    """`beam_files.fetched`; what is wrong is said of the photograph's own paths."""
    with beam_files.fetched(photograph, with_views) as job:
        try:
            yield job
        except ImageFileError as error:
            text = beam_files.named_as_given(str(error), photograph, job)
            raise ImageFileError(text) from error


class _Report(beam.DoFn):
    """(None, lines of name and text) -> one file of JSON lines, whole or not at all."""

    def __init__(self, path, output, word, counter=None):
        self.path, self.output = path, output
        self.word, self.counter = word, counter

    def process(self, element):
        with tempfile.TemporaryDirectory() as folder:
            local = pathlib.Path(folder, "report.jsonl")
            with open(local, "w", encoding="utf-8") as file:
                for name, text in element[1]:
                    file.write(json.dumps({"name": name, self.word: text}) + "\n")
                    if self.counter:
                        _count(self.counter)
            beam_files.put(local, self.path, self.output)
        yield self.path


def build(
    pipeline: beam.Pipeline,
    places: Places,
    handler: PhotographHandler,
    batch_size: int = 16,
    batch_megapixels: float = 2.0,
) -> None:
    """Adds all steps to a pipeline.

    Args:
        pipeline: `beam.Pipeline`.
        places: `Places`.
        handler: `PhotographHandler`, of a model with the views of `places`.
        batch_size: int, photographs of one size in a call of the network at most.
        batch_megapixels: float, of all photographs of such a call together, unless a
            single one is larger.
    """
    read = (
        pipeline
        | beam.Create([places.pattern])
        | fileio.MatchAll()
        | beam.ParDo(_Find(places)).with_output_types(tuple[str, tuple[str, str]])
        | beam.GroupByKey()
        | beam.FlatMap(lambda group: places.photographs(list(group[1])))
        | beam.ParDo(_Read(batch_size, batch_megapixels)).with_outputs(
            "refused", main="batches"
        )
    )
    written = (
        read.batches
        | RunInference(handler.with_no_batching())
        | beam.ParDo(_Write(places.output)).with_outputs("refused", main="notes")
    )
    refused = (read.refused, written.refused) | "All refused" >> beam.Flatten()
    _report(refused, REFUSALS, places.output, "reason", "refused")
    _report(written.notes, NOTES, places.output, "note")


def _report(lines, name, output, word, counter=None):
    report = _Report(FileSystems.join(output, name), output, word, counter)
    _ = (
        lines
        | f"{name}: key" >> beam.Map(lambda line: (None, line))
        | f"{name}: gather" >> beam.GroupByKey()
        | f"{name}: write" >> beam.ParDo(report)
    )


def restore_photographs(
    places: Places,
    handler: PhotographHandler,
    options: PipelineOptions,
    **batches: Any,
) -> dict[str, int]:
    """Restores what matches, and waits for it.

    Args:
        places: `Places`; no other run may write to its output meanwhile.
        handler: `PhotographHandler`.
        options: `PipelineOptions`, among them the runner.
        **batches: `batch_size` and `batch_megapixels` of `build`.

    Returns:
        dict of the `COUNTS` of this run. In the output, `refusals.jsonl` holds name and
        reason of every photograph that was refused, `notes.jsonl` name and note of
        those of which something was converted or dropped; where there is none of
        either, there is no such file.

    Raises:
        BatchError: if nothing matches.
    """
    (found,) = FileSystems.match([places.pattern], [1])
    if not found.metadata_list:
        raise BatchError(
            f"{places.pattern}: matches no file; * stands for names in one folder, ** "
            "for folders, too"
        )
    beam_files.remove_partial(places.output)
    older = [FileSystems.join(places.output, name) for name in (REFUSALS, NOTES)]
    FileSystems.delete([path for path in older if FileSystems.exists(path)])
    pipeline = beam.Pipeline(options=options)
    build(pipeline, places, handler, **batches)
    result = pipeline.run()
    result.wait_until_finish()
    beam_files.remove_partial(places.output)
    return dict(_counts(result))


def _counts(result) -> Iterator[tuple[str, int]]:
    """The counters of a run, 0 where nothing was counted."""
    found = result.metrics().query(MetricsFilter().with_namespace(_NAMESPACE))
    values: Iterable = found["counters"]
    totals = {counter.key.metric.name: counter.result for counter in values}
    for name in COUNTS:
        yield name, totals.get(name, 0)
