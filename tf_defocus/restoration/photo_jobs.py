"""Which photographs a command means, where their outputs go, and one after another.

A batch never stops at a bad file: each failure becomes one line that names the file and
the remedy, and the count of failures becomes the exit code of the command.
"""

import dataclasses
import os
import pathlib

import numpy as np

from tf_defocus.images.files import (
    ImageFileError,
    convert_for,
    read_image,
    write_image,
)
from tf_defocus.images.kinds import EXTENSIONS, format_of_extension
from tf_defocus.restoration.view_order import check_view_order

PICTURE_SUFFIXES = tuple(suffix for known in EXTENSIONS.values() for suffix in known)
REFUSED_SUFFIXES = (".gif", ".webp", ".bmp")  # tried, so that the refusal is said
# What the files or folders of a dual-pixel scene may be called.
VIEW_WORDS = {
    "blurred": ("combined", "blurred", "centre", "center"),
    "left": ("left", "l"),
    "right": ("right", "r"),
}


class BatchError(Exception):
    """The command as a whole makes no sense: one line with the remedy."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One photograph to restore.

    Attributes:
        views: dict, view name -> path; the first one lends its metadata.
        output: path.
        problem: str, why it is refused before it is tried, or None.
    """

    views: dict
    output: pathlib.Path
    problem: str | None = None

    @property
    def name(self):
        """The path that messages name."""
        return next(iter(self.views.values()))


@dataclasses.dataclass(frozen=True)
class Naming:
    """How outputs are named: `suffix` before the extension, `extension` or None."""

    output: pathlib.Path
    suffix: str = ""
    extension: str | None = None

    def path(self, source, root):
        """The output of `source`, at the place in the output it has below `root`."""
        extension = self.extension or source.suffix
        name = f"{source.stem}{self.suffix}{extension}"
        return self.output / source.relative_to(root).with_name(name)


def find_jobs(source, view_names, naming, left=None, right=None, recursive=False):
    """The jobs of one file or of a folder, in the order of their names.

    Args:
        source: path of a photograph or of a folder.
        view_names: tuple of str, what the model wants.
        naming: `Naming`.
        left, right: paths of the other views of one photograph, or None.
        recursive: bool, whether folders in the folder are searched.

    Returns:
        A list of `Job`, not empty.

    Raises:
        BatchError: if there is nothing to do or the views make no sense.
    """
    if not source.exists():
        raise BatchError(f"{source}: does not exist; give a photograph or a folder")
    if source.is_dir():
        if left or right:
            raise BatchError("--left and --right go with one file, not with a folder")
        jobs = _jobs_of_folder(source, view_names, naming, recursive)
        if not jobs:
            raise BatchError(f"{source}: {_what_was_expected(view_names, recursive)}")
    else:
        views = _views_of_file(source, view_names, left, right)
        jobs = [Job(views, _output_of_file(source, naming))]
    return _refuse_clashes(jobs)


def _what_was_expected(view_names, recursive):
    if len(view_names) > 1:
        return (
            "holds no scenes; expected files or folders named combined, left and right"
        )
    deeper = "" if recursive else "; add -r to search the folders in it"
    return f"holds no PNG, TIFF or JPEG files{deeper}"


def _views_of_file(source, view_names, left, right):
    given = {"left": left, "right": right}
    for name, path in given.items():
        if path and name not in view_names:
            raise BatchError(f"--{name} is not used by this model; leave it out")
        if name in view_names and not path:
            raise BatchError(f"this model wants the {name} view; add --{name} FILE")
    views = {"blurred": source, **given}
    return {name: views[name] for name in view_names}


def _output_of_file(source, naming):
    if format_of_extension(naming.output) and not naming.output.is_dir():
        if naming.extension not in (None, naming.output.suffix):
            raise BatchError(f"{naming.output} and --ext disagree; leave --ext out")
        return naming.output
    return naming.path(source, source.parent)


def _jobs_of_folder(folder, view_names, naming, recursive):
    if view_names == ("blurred",):
        return [
            Job({"blurred": path}, naming.path(path, folder))
            for path in _pictures(folder, recursive, naming.output)
        ]
    flat = _view_folders(folder)
    if set(flat) >= set(view_names):
        return _jobs_of_flat_folders(flat, view_names, naming)
    return _jobs_of_scenes(folder, view_names, naming, recursive)


def _pictures(folder, recursive, excluded):
    """Pictures of a folder, sorted; hidden files and the output are left out."""
    found = []
    for parent, folders, files in os.walk(folder):
        parent = pathlib.Path(parent)
        folders[:] = sorted(
            name
            for name in folders
            if recursive
            and not name.startswith(".")
            and (parent / name).resolve() != excluded.resolve()
        )
        for name in sorted(files):
            suffix = pathlib.Path(name).suffix.lower()
            known = suffix in PICTURE_SUFFIXES + REFUSED_SUFFIXES
            if known and not name.startswith("."):
                found.append(parent / name)
    return found


def _view_of(name):
    """The view that a file stem or folder name stands for, or None."""
    return next((v for v, words in VIEW_WORDS.items() if name.lower() in words), None)


def _view_folders(folder):
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir() and _view_of(path.name):
            found[_view_of(path.name)] = path
    return found


def _jobs_of_flat_folders(flat, view_names, naming):
    """Folders combined/, left/ and right/ with files of the same names."""
    files = {
        view: {path.stem: path for path in _pictures(flat[view], False, naming.output)}
        for view in view_names
    }
    stems = sorted(set().union(*files.values()))
    return [
        _scene_job(
            {view: files[view][stem] for view in view_names if stem in files[view]},
            view_names,
            naming,
            root=None,
        )
        for stem in stems
    ]


def _jobs_of_scenes(folder, view_names, naming, recursive):
    """Folders, each with the files combined, left and right; or `folder` itself."""
    scenes = {}
    for path in _pictures(folder, True, naming.output):
        depth = len(path.relative_to(folder).parts)
        view = _view_of(path.stem)
        if view in view_names and (recursive or depth <= 2):
            scenes.setdefault(path.parent, {})[view] = path
    return [
        _scene_job(views, view_names, naming, root=folder)
        for _, views in sorted(scenes.items())
    ]


def _scene_job(found, view_names, naming, root):
    views = {view: found[view] for view in view_names if view in found}
    missing = [view for view in view_names if view not in found]
    first = next(iter(views.values()))
    problem = None
    if missing:
        problem = (
            f"the scene lacks its {' and '.join(missing)} view; add the file or use a "
            "preset for single photographs"
        )
    return Job(views, naming.path(first, root or first.parent), problem)


def _refuse_clashes(jobs):
    """Marks jobs that would replace their own source or another job's output."""
    sources = {path.resolve() for job in jobs for path in job.views.values()}
    taken, checked = {}, []
    for job in jobs:
        target = job.output.resolve()
        problem = job.problem
        if target in sources:
            problem = (
                "the output would replace a photograph; give --suffix or another -o"
            )
        elif target in taken:
            problem = f"has the same output as {taken[target]}; restore it separately"
        taken.setdefault(target, job.name)
        checked.append(dataclasses.replace(job, problem=problem))
    return checked


def run_job(job, restorer, on_progress=None, check_views=False):
    """Reads, restores and writes one photograph.

    Args:
        job: `Job`.
        restorer: `Restorer`.
        on_progress: see `Restorer.restore`.
        check_views: bool, whether to tell what the left and right views say about
            their order, see `view_order`.

    Returns:
        Tuple of str: what was converted on the way, or seems wrong.

    Raises:
        ImageFileError: with the one line for the photographer.
    """
    if job.problem:
        raise ImageFileError(f"{job.name}: {job.problem}")
    images = {view: read_image(path) for view, path in job.views.items()}
    try:
        pixels = restorer.restore(
            **{view: image.pixels for view, image in images.items()},
            on_progress=on_progress,
        )
    except (ValueError, ArithmeticError) as error:
        raise ImageFileError(f"{job.name}: {error}") from error
    except MemoryError as error:
        raise ImageFileError(f"{job.name}: out of memory; use smaller tiles") from error
    first = next(iter(images.values()))
    restored = dataclasses.replace(first, pixels=np.ascontiguousarray(pixels))
    restored = convert_for(restored, job.output)
    try:
        job.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageFileError(
            f"{job.output.parent}: cannot be made ({error.strerror}); choose another -o"
        ) from error
    write_image(job.output, restored)
    if check_views:
        views = (images[side].pixels for side in ("left", "right"))
        return *restored.notes, check_view_order(*views, warn=False).describe()
    return restored.notes
