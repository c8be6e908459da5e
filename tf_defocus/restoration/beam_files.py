"""Photographs in any file system that Apache Beam has: found, fetched, put back whole.

Paths are text, `gs://bucket/photos/a.jpg` or `/photos/a.jpg`, with `/` between folders.
Files elsewhere are copied to the worker's disk, where the readers of `images` and the
writers of this package do with them what they do with all. An output is copied to
`<output>/.partial` first and then renamed, so that under its own name it is whole.
"""

import contextlib
import dataclasses
import os
import pathlib
import posixpath
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from tf_defocus.images import scene_folders
from tf_defocus.images.kinds import LONGEST_START, may_be_photograph, written_extension
from tf_defocus.images.refusals import shown
from tf_defocus.restoration.photo_jobs import BatchError, Job

_PARTIAL = ".partial"  # folder in the output


@dataclasses.dataclass(frozen=True)
class Photograph:
    """One photograph to restore, in any file system.

    Attributes:
        views: dict, view name -> path; the first one lends its metadata.
        output: path.
        problem: str, why it is refused before it is tried, or None.
    """

    views: dict[str, str]
    output: str
    problem: str | None = None

    @property
    def name(self) -> str:
        """The path that messages name."""
        return shown(next(iter(self.views.values())))


@dataclasses.dataclass(frozen=True)
class Places:
    """Which files are meant and where their outputs go.

    Attributes:
        pattern: path with `*` for anything within a folder, `**` for any folders too.
        output: path of a folder, which does not hold the pattern's own folder.
        view_names: tuple of str, what the model wants.
        suffix: str, added to the names of the outputs.
        extension: `.png` and the like, or None for that of the photograph.
    """

    pattern: str
    output: str
    view_names: tuple[str, ...] = ("blurred",)
    suffix: str = ""
    extension: str | None = None

    @classmethod
    def of(cls, pattern: str, output: str, **options) -> "Places":
        """The places of a command, with whole paths.

        Raises:
            BatchError: if the outputs would lie among the photographs.
        """
        places = cls(_whole_path(pattern), _whole_path(output), **options)
        if _lies_in(*map(_real_path, (places.root, places.output))):
            raise BatchError(
                f"{shown(output)}: holds the photographs; give another folder as output"
            )
        return places

    @property
    def root(self) -> str:
        """The folder before the first `*`, `?` or `[`, whose tree is kept."""
        return posixpath.dirname(re.split(r"[*?\[]", self.pattern)[0])

    def is_meant(self, path: str) -> bool:
        """Whether a path that matches may be a photograph: no output, not hidden."""
        inside = path.removeprefix(self.root).split("/")
        hidden = any(part.startswith(".") for part in inside)
        return not hidden and not _lies_in(path, self.output)

    def key(self, path: str) -> tuple[str, str] | None:
        """What a photograph is grouped by, and which view it is.

        Photographs of one key belong to one scene, or have the same output.

        Returns:
            `(key, view name)`, or None for a file that belongs to no scene.
        """
        folder, name = posixpath.split(path)
        stem = posixpath.splitext(name)[0]
        if self.view_names == ("blurred",):
            return self.output_of(path), "blurred"
        by_scene = scene_folders.role_of(stem)
        if by_scene in self.view_names:
            return folder, by_scene
        above, kind = posixpath.split(folder)
        by_kind = scene_folders.role_of(kind)
        return (f"{above}/{stem}", by_kind) if by_kind in self.view_names else None

    def output_of(self, path: str) -> str:
        """Where the photograph of that path is written."""
        folder, name = posixpath.split(path)
        stem, extension = posixpath.splitext(name)
        if self.view_names != ("blurred",) and not scene_folders.role_of(stem):
            folder = posixpath.dirname(folder)  # combined/a.png becomes a.png
        folder = folder.removeprefix(self.root).strip("/")
        name = f"{stem}{self.suffix}{self.extension or written_extension(extension)}"
        return FileSystems.join(self.output, *filter(None, folder.split("/")), name)

    def photographs(self, files: list[tuple[str, str]]) -> Iterator[Photograph]:
        """The photographs of one key: one, and others that are refused.

        Args:
            files: list of (view name, path).
        """
        found, others = {}, []
        for view, path in sorted(files):
            if view in found:
                others.append((view, path))
            found.setdefault(view, path)
        views = {view: found[view] for view in self.view_names if view in found}
        output = self.output_of(next(iter(views.values())))
        missing = [view for view in self.view_names if view not in found]
        problem = (
            f"the scene lacks its {' and '.join(missing)} view; add the file or use a "
            "preset for single photographs"
        )
        yield Photograph(views, output, problem if missing else None)
        for view, path in others:
            problem = (
                f"has the same output as {shown(found[view])}; restore it separately"
            )
            yield Photograph({view: path}, output, problem)


def _whole_path(path):
    return path if FileSystems.get_scheme(path) else os.path.abspath(path)


def _real_path(path):
    return path if FileSystems.get_scheme(path) else os.path.realpath(path)


def _lies_in(path, folder):
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")


def looks_like_photograph(path: str) -> bool:
    """Whether a file counts as one, by its extension or else by its first bytes."""
    return may_be_photograph(pathlib.PurePosixPath(path), lambda _: _open_start(path))


@contextlib.contextmanager
def _open_start(path):
    if not FileSystems.get_scheme(path) and not os.path.isfile(path):
        raise OSError("not a regular file")  # a pipe would be waited for
    with _open(path) as file, tempfile.TemporaryFile() as start:
        start.write(file.read(LONGEST_START))
        start.seek(0)
        yield start


def _open(path):
    return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)


@contextlib.contextmanager
def fetched(photograph: Photograph, with_views: bool = True) -> Iterator[Job]:
    """The photograph as a `Job` on the worker's own disk, while the block runs.

    Args:
        photograph: `Photograph`; local files of its views stay where they are.
        with_views: bool, whether its views are needed, or their names only.

    Yields:
        A `Job` whose output is the worker's own, to be passed to `put`.

    Raises:
        OSError: if a file cannot be copied.
    """
    with tempfile.TemporaryDirectory() as folder:
        views = {}
        for view, path in photograph.views.items():
            views[view] = pathlib.Path(path)
            if FileSystems.get_scheme(path):
                views[view] = pathlib.Path(folder, view, posixpath.basename(path))
                if with_views:
                    _fetch(path, views[view])
        output = pathlib.Path(folder, "out", posixpath.basename(photograph.output))
        yield Job(views, output, photograph.problem)


def _fetch(path, local):
    local.parent.mkdir()
    with _open(path) as source, open(local, "wb") as target:
        shutil.copyfileobj(source, target)


def named_as_given(text: str, photograph: Photograph, job: Job) -> str:
    """A message about a job of `fetched`, with the photograph's own paths."""
    names = {job.views[view]: path for view, path in photograph.views.items()}
    for local, path in {**names, job.output: photograph.output}.items():
        text = text.replace(shown(local), shown(path))
    return text


def put(local: pathlib.Path, path: str, output: str) -> None:
    """Copies a file to where it belongs; there it is whole or not at all.

    Args:
        local: of the worker's disk.
        path: where it goes, in the folder `output` or below it.
        output: folder of all outputs, of the same file system.

    Raises:
        OSError: if it cannot be written (`BeamIOError`, too, is one).
    """
    partial = FileSystems.join(output, _PARTIAL, f"{uuid.uuid4().hex}{local.suffix}")
    with contextlib.suppress(OSError):  # another worker has made it
        FileSystems.mkdirs(posixpath.dirname(partial))
    with open(local, "rb") as source, _create(partial) as target:
        shutil.copyfileobj(source, target)
        if not FileSystems.get_scheme(partial):  # elsewhere closing is what commits
            target.flush()
            os.fsync(target.fileno())
    with contextlib.suppress(OSError):
        FileSystems.mkdirs(posixpath.dirname(path))
    try:
        FileSystems.rename([partial], [path])
    except OSError:
        with contextlib.suppress(OSError):
            FileSystems.delete([partial])
        raise


def _create(path):
    return FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED)


def remove_partial(output: str) -> None:
    """Removes what killed runs have left half-written; no other run may be at work."""
    partial = FileSystems.join(output, _PARTIAL)
    with contextlib.suppress(BeamIOError):
        (found,) = FileSystems.match([f"{partial}/*"])
        FileSystems.delete([file.path for file in found.metadata_list])
    if not FileSystems.get_scheme(output):
        with contextlib.suppress(OSError):
            os.rmdir(partial)
