"""Photographs on Apache Beam: each once, whole, as the command restores it."""

import json
import os
import pathlib

import numpy as np
import pytest

from tests.cli_test import Inverting, RightView, save
from tf_defocus import cli
from tf_defocus.images.files import Image, read_image, write_image
from tf_defocus.models import presets
from tf_defocus.restoration.photo_jobs import BatchError
from tf_defocus.restoration.restorer import Restorer

beam = pytest.importorskip("apache_beam", reason="needs Apache Beam: [beam]")

from apache_beam.io import localfilesystem  # noqa: E402
from apache_beam.options.pipeline_options import PipelineOptions  # noqa: E402

from tf_defocus.restoration import beam_files, beam_pipeline  # noqa: E402
from tf_defocus.restoration.beam_files import Photograph, Places  # noqa: E402

IN_THIS_PROCESS = ["--runner=FnApiRunner"]


class Boxed(localfilesystem.LocalFileSystem):
    """Files of a folder under names `boxed://...`, as another file system has them."""

    box = pathlib.Path("/nowhere")

    @classmethod
    def scheme(cls):
        return "boxed"

    def _inside(self, path):
        return str(self.box / path.removeprefix("boxed://"))

    def _list(self, dir_or_prefix):
        for found in super()._list(self._inside(dir_or_prefix)):
            path = f"boxed://{pathlib.Path(found.path).relative_to(self.box)}"
            yield type(found)(path, found.size_in_bytes, found.last_updated_in_seconds)

    def mkdirs(self, path):
        super().mkdirs(self._inside(path))

    def exists(self, path):
        return super().exists(self._inside(path))

    def create(self, path, *arguments, **more):
        return super().create(self._inside(path), *arguments, **more)

    def open(self, path, *arguments, **more):
        return super().open(self._inside(path), *arguments, **more)

    def rename(self, sources, targets):
        super().rename(
            list(map(self._inside, sources)), list(map(self._inside, targets))
        )

    def delete(self, paths):
        super().delete(list(map(self._inside, paths)))


@pytest.fixture(autouse=True)
def single(monkeypatch):
    """Every preset is `Inverting`."""
    monkeypatch.setattr(presets, "load_preset", lambda name: Inverting())


def restore(pattern, output, batches=None, **options):
    places = Places.of(str(pattern), str(output), **options)
    handler = beam_pipeline.PhotographHandler("any")
    runner = PipelineOptions(IN_THIS_PROCESS)
    return beam_pipeline.restore_photographs(places, handler, runner, **batches or {})


def counts(restored=0, skipped=0, refused=0, left_out=0):
    return dict(zip(beam_pipeline.COUNTS, (restored, skipped, refused, left_out)))


def refusals(output):
    lines = (output / beam_pipeline.REFUSALS).read_text().splitlines()
    found = [json.loads(line) for line in lines]
    return {pathlib.Path(line["name"]).name: line["reason"] for line in found}


def photographs(folder):
    """Of several kinds and depths, with metadata and transparency, in two folders."""
    rng = np.random.default_rng(3)
    folder.mkdir()
    (folder / "deep").mkdir()
    small = rng.integers(0, 256, (9, 14, 3)).astype(np.uint8)
    deep = rng.integers(0, 65536, (9, 14, 3)).astype(np.uint16)
    alpha = np.ascontiguousarray(deep[..., 0])
    resolution = (300.0, 300.0, "inch")
    texts = ((b"tEXt", b"Author\0somebody"),)
    write_image(folder / "a.jpg", Image(small, format="jpeg", resolution=resolution))
    write_image(folder / "b.tif", Image(deep, alpha, format="tiff"))
    write_image(folder / "c.png", Image(small, is_gray=True, extras=texts))
    write_image(folder / "deep" / "d.png", Image(deep, alpha, resolution=resolution))
    return ("a.jpg", "b.tif", "c.png", "deep/d.png")


def test_outputs_are_those_of_the_command_byte_for_byte(tmp_path):
    names = photographs(tmp_path / "in")
    plain = ["--scales", "1", "--no-protect-sharp", "-q", "-r"]
    arguments = ["-i", tmp_path / "in", "-o", tmp_path / "by_command"]
    assert cli.main(["deblur", *plain, *map(str, arguments)]) == 0
    assert restore(tmp_path / "in/**", tmp_path / "out") == counts(restored=4)
    for name in names:
        expected = (tmp_path / "by_command" / name).read_bytes()
        assert (tmp_path / "out" / name).read_bytes() == expected, name
    assert len([p for p in (tmp_path / "out").rglob("*") if p.is_file()]) == 4


def test_a_second_run_skips_what_is_done_and_does_the_rest(tmp_path):
    names = photographs(tmp_path / "in")
    assert restore(tmp_path / "in/**", tmp_path / "out") == counts(restored=4)
    times = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in names}
    os.remove(tmp_path / "out" / "b.tif")
    assert restore(tmp_path / "in/**", tmp_path / "out") == counts(1, skipped=3)
    for name in ("a.jpg", "c.png", "deep/d.png"):
        assert (tmp_path / "out" / name).stat().st_mtime_ns == times[name]


def test_broken_photographs_are_refused_by_name_and_the_rest_is_done(tmp_path):
    for index in range(3):
        save(tmp_path / "in" / f"{index}.png", 55)
    (tmp_path / "in" / "junk.png").write_bytes(b"no picture")
    (tmp_path / "in" / "raw.cr3").write_bytes(b"")
    (tmp_path / "in" / "letter.txt").write_text("dear")
    (tmp_path / "in" / ".hidden.png").write_bytes(b"")
    os.mkfifo(tmp_path / "in" / "pipe")
    expected = counts(3, refused=2, left_out=2)
    assert restore(tmp_path / "in/**", tmp_path / "out") == expected
    reasons = refusals(tmp_path / "out")
    assert reasons.keys() == {"junk.png", "raw.cr3"}
    assert "no image file" in reasons["junk.png"]
    assert str(tmp_path) not in reasons["junk.png"]
    # and again, with the reasons of the second run alone
    (tmp_path / "in" / "junk.png").unlink()
    expected = counts(skipped=3, refused=1, left_out=2)
    assert restore(tmp_path / "in/**", tmp_path / "out") == expected
    assert refusals(tmp_path / "out").keys() == {"raw.cr3"}


def test_another_file_system_gets_the_same_bytes(tmp_path, monkeypatch):
    names = photographs(tmp_path / "in")
    (tmp_path / "in" / "junk.png").write_bytes(b"no picture")
    monkeypatch.setattr(Boxed, "box", tmp_path)
    restore(tmp_path / "in/**", tmp_path / "out")
    assert restore("boxed://in/**", "boxed://there") == counts(4, refused=1)
    for name in names:
        expected = (tmp_path / "out" / name).read_bytes()
        assert (tmp_path / "there" / name).read_bytes() == expected
    (line,) = (tmp_path / "there" / beam_pipeline.REFUSALS).read_text().splitlines()
    assert json.loads(line)["name"] == "boxed://in/junk.png"
    assert "no image file" in line and "/tmp" not in line
    assert restore("boxed://in/**", "boxed://there") == counts(0, 4, 1)


def test_unchanged_jpeg_is_copied_from_another_file_system(tmp_path, monkeypatch):
    photographs(tmp_path / "in")
    monkeypatch.setattr(Boxed, "box", tmp_path)
    monkeypatch.setattr(
        Inverting, "call", lambda _, inputs: {"deblurred": inputs["blurred"] + 0}
    )
    assert restore("boxed://in/*.jpg", "boxed://out") == counts(1)
    expected = (tmp_path / "in" / "a.jpg").read_bytes()
    assert (tmp_path / "out" / "a.jpg").read_bytes() == expected


def test_scenes_by_folder_and_by_kind(tmp_path, monkeypatch):
    monkeypatch.setattr(presets, "load_preset", lambda name: RightView())
    for scene, value in (("one", 10), ("two", 20)):
        for offset, view in enumerate(("combined", "left", "right")):
            save(tmp_path / "in" / scene / f"{view}.png", value + offset)
            save(tmp_path / "kinds" / view / f"{scene}.png", value + offset)
    os.remove(tmp_path / "in" / "two" / "left.png")
    save(tmp_path / "in" / "two" / "target.png", 0)
    names = Restorer(RightView()).view_names
    expected = counts(1, refused=1, left_out=1)
    assert restore(tmp_path / "in/**", tmp_path / "a", view_names=names) == expected
    pixels = read_image(tmp_path / "a" / "one" / "combined.png").pixels
    assert np.unique(pixels).tolist() == [12]
    assert "lacks its left view" in refusals(tmp_path / "a")["combined.png"]
    assert restore(tmp_path / "kinds/**", tmp_path / "b", view_names=names) == counts(2)
    assert np.unique(read_image(tmp_path / "b" / "two.png").pixels).tolist() == [22]


def test_two_photographs_with_one_output_are_not_both_written(tmp_path):
    save(tmp_path / "in" / "a.png", 10)
    save(tmp_path / "in" / "a.tif", 20)
    received = restore(tmp_path / "in/*", tmp_path / "out", extension=".png")
    assert received == counts(1, refused=1)
    assert np.unique(read_image(tmp_path / "out" / "a.png").pixels).tolist() == [245]
    assert "same output as" in refusals(tmp_path / "out")["a.tif"]


def test_outputs_inside_the_folder_are_not_restored_again(tmp_path):
    save(tmp_path / "a.png", 10)
    for expected in (counts(1), counts(skipped=1)):
        assert restore(tmp_path / "**", tmp_path / "out", suffix="_sharp") == expected
    assert (tmp_path / "out" / "a_sharp.png").exists()


def test_mistaken_places_are_refused(tmp_path):
    for pattern in ("in/**", "in/deep/*.png", "in/a.png"):
        with pytest.raises(BatchError, match="holds the photographs"):
            Places.of(str(tmp_path / pattern), str(tmp_path / "in"))
    with pytest.raises(BatchError, match="matches no file"):
        restore(tmp_path / "in/**", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_put_in_place_leaves_nothing(tmp_path, monkeypatch):
    for name in ("a", "b"):
        save(tmp_path / "in" / f"{name}.png", 10)
    rename = beam_files.FileSystems.rename

    def fail_for_a(sources, targets):
        if targets[0].endswith("a.png"):
            raise OSError(28, "No space left on device")
        rename(sources, targets)

    monkeypatch.setattr(beam_files.FileSystems, "rename", fail_for_a)
    (tmp_path / "out" / ".partial").mkdir(parents=True)
    (tmp_path / "out" / ".partial" / "old.png").write_bytes(b"of a killed run")
    assert restore(tmp_path / "in/*", tmp_path / "out") == counts(1, refused=1)
    assert "No space left" in refusals(tmp_path / "out")["a.png"]
    left = sorted(p.name for p in (tmp_path / "out").rglob("*"))
    assert left == ["b.png", beam_pipeline.REFUSALS]


def test_batches_are_of_one_size_and_bounded(tmp_path, monkeypatch):
    sizes = [(8, 8)] * 5 + [(8, 16)] * 3 + [(64, 64)]
    for index, size in enumerate(sizes):
        save(tmp_path / "in" / f"{index}.png", index, size)
    seen, restore_batch = [], Restorer.restore_batch

    def record(self, batch, strength):
        seen.append([views["blurred"].shape[:2] for views in batch])
        return restore_batch(self, batch, strength)

    monkeypatch.setattr(Restorer, "restore_batch", record)
    limits = {"batch_size": 2, "batch_megapixels": 64 * 64 / 1e6}
    assert restore(tmp_path / "in/*", tmp_path / "out", limits) == counts(9)
    assert all(len(set(batch)) == 1 and len(batch) <= 2 for batch in seen)
    assert sorted(map(len, seen)) == [1, 1, 1, 2, 2, 2]
    for index in range(9):
        pixels = read_image(tmp_path / "out" / f"{index}.png").pixels
        assert np.unique(pixels).tolist() == [255 - index]


def test_waiting_photographs_are_bounded_in_pixels():
    """Photographs of as many sizes as there are: none of them fills a batch."""
    reader = beam_pipeline._Read(16, 100 / 1e6)
    reader.start_bundle()
    held = []
    for width in range(1, 40):
        reader.buckets.setdefault((1, width), []).append(None)
        list(reader._full(1, width))
        held.append(sum(h * w * len(b) for (h, w), b in reader.buckets.items()))
    assert max(held) <= 400 and held[-1] > 300


def test_one_photograph_that_fails_does_not_fail_its_batch():
    class Failing:
        def restore_batch(self, batch, strength):
            if any(views["blurred"].max() == 7 for views in batch):
                raise MemoryError
            return [views["blurred"] for views in batch]

    batch = [
        beam_pipeline.ReadPhotograph(
            Photograph({"blurred": f"{value}.png"}, "out"),
            {"blurred": Image(np.full((4, 4, 3), value, np.uint8))},
        )
        for value in (5, 7, 9)
    ]
    handler = beam_pipeline.PhotographHandler("any")
    received = handler.run_inference(batch, Failing())
    assert [one.refusal is None for one in received] == [True, False, True]
    name, reason = received[1].refusal
    assert name == "7.png" and reason.startswith("out of memory; try smaller tiles")
    assert handler.get_num_bytes(batch) == 3 * 48
