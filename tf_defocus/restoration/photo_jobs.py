"""Which photographs a command means, where their outputs go, and one after another.

A batch never stops at a bad file: each failure becomes one line that names the file and
the remedy, and the count of failures becomes the exit code of the command.
"""

import collections
import contextlib
import dataclasses
import errno
import os
import pathlib

import numpy as np

from tf_defocus import whole_files
from tf_defocus.images import bounds, kinds, scene_folders
from tf_defocus.images.files import (
    convert_for,
    copy_image,
    read_image,
    write_image,
)
from tf_defocus.images.kinds import format_of_extension
from tf_defocus.images.refusals import ImageFileError, shown
from tf_defocus.restoration.colour_managed import restore_image
from tf_defocus.restoration.failures import quiet_libraries
from tf_defocus.restoration.folder_search import search
from tf_defocus.restoration.photo_control import PhotoControl, write_map
from tf_defocus.restoration.view_order import check_view_order


class BatchError(ValueError):
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
        return shown(next(iter(self.views.values())))


@dataclasses.dataclass(frozen=True)
class Naming:
    """How outputs are named: `suffix` before the extension, `extension` or None."""

    output: pathlib.Path
    suffix: str = ""
    extension: str | None = None

    def path(self, source, root):
        """The output of `source`, at the place in the output it has below `root`."""
        extension = self.extension or kinds.written_extension(source.suffix)
        name = f"{source.stem}{self.suffix}{extension}"
        return self.output / source.relative_to(root).with_name(name)


def check_sources(sources, output, left=None, right=None, mask=None):
    """Looks at what is to be restored, before a network is loaded for it.

    Args:
        sources: list of paths of photographs or of folders.
        output: path of a folder, or of a file for one photograph.
        left, right: paths of the other views of one photograph, or None.
        mask: path of a picture, or None.

    Raises:
        BatchError: if a path does not exist, all together make no sense, or the limit
            of a photograph's size is no number.
    """
    try:
        bounds.max_megapixels()
    except ImageFileError as error:
        raise BatchError(str(error)) from error
    for path in (*sources, left, right, mask):
        if path and not os.path.lexists(path):
            raise BatchError(
                f"{shown(path)}: does not exist; give a photograph or a folder"
            )
    is_one_file = len(sources) == 1 and not os.path.isdir(sources[0])
    if (left or right) and not is_one_file:
        raise BatchError("--left and --right go with one file, not with a folder")
    _check_output(output, not is_one_file)


def find_jobs(sources, view_names, naming, left=None, right=None, recursive=False):
    """The jobs of files and folders, each in the order of their names.

    Args:
        sources: list of paths of photographs or of folders.
        view_names: tuple of str, what the model wants.
        naming: `Naming`.
        left, right: paths of the other views of one photograph, or None.
        recursive: bool, whether folders in the folder are searched.

    Returns:
        `(jobs, left_out)`: a list of `Job`, not empty, and a Counter of what was left
        out, by its name in the plural.

    Raises:
        BatchError: if there is nothing to do or the views make no sense.
    """
    check_sources(sources, naming.output, left, right)
    jobs, left_out = [], collections.Counter()
    for source in sources:
        if os.path.isdir(source):
            found = _jobs_of_folder(source, view_names, naming, recursive, left_out)
            if not found:
                expected = _what_was_expected(view_names, recursive)
                raise BatchError(f"{shown(source)}: {expected}")
            jobs += found
        else:
            views = _views_of_file(source, view_names, left, right)
            jobs.append(Job(views, _output_of_file(source, naming)))
    return _refuse_clashes(_without_own_outputs(jobs, naming, left_out)), left_out


def _check_output(output, must_be_folder):
    """Raises BatchError for an output that can only be a mistake."""
    unwritten = kinds.unwritten_of_extension(output)
    if unwritten and not output.is_dir():
        raise BatchError(
            f"{shown(output)}: {unwritten} is not written; use .png, .tif or .jpg"
        )
    if must_be_folder and format_of_extension(output) and not output.is_dir():
        raise BatchError(
            f"{shown(output)}: is one file for several photographs; give a folder as -o"
        )


def _what_was_expected(view_names, recursive):
    if len(view_names) > 1:
        return (
            "holds no scenes; expected files or folders named combined, left and "
            "right, or DPDD's, PixelDP's or DPD-disp's own folders"
        )
    deeper = "" if recursive else "; add -r to search the folders in it"
    return f"holds no photographs{deeper}"


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
        wanted = naming.extension and format_of_extension(f"a{naming.extension}")
        if wanted not in (None, format_of_extension(naming.output)):
            raise BatchError(
                f"{shown(naming.output)} and --ext disagree; leave --ext out"
            )
        return naming.output
    return naming.path(source, source.parent)


def _jobs_of_folder(folder, view_names, naming, recursive, left_out):
    scenes = _published(folder, len(view_names) > 1)
    if scenes:
        return [_scene_job(v, view_names, naming, root=None) for v in scenes.values()]
    if view_names == ("blurred",):
        return _jobs_of_photographs(folder, naming, recursive, left_out)
    flat = _view_folders(folder)
    if set(flat) >= set(view_names):
        return _jobs_of_flat_folders(flat, view_names, naming)
    return _jobs_of_scenes(folder, view_names, naming, recursive, left_out)


def _published(folder, by_suffix):
    """Scenes of a folder laid out as a published dual-pixel set, or {}."""
    try:
        scenes = scene_folders.published_scenes(folder)
        return scenes or (scene_folders.suffixed_scenes(folder) if by_suffix else {})
    except OSError:  # `search` says what is wrong with the folder
        return {}


def _jobs_of_photographs(folder, naming, recursive, left_out):
    found = search(folder, recursive, naming.output)
    left_out.update(found.left_out)
    return [
        Job({"blurred": path}, naming.path(path, folder)) for path in found.photographs
    ] + _problem_jobs(found, naming)


def _problem_jobs(found, naming):
    return [
        Job({"blurred": path}, naming.output / path.name, problem)
        for path, problem in found.problems
    ]


def _view_folders(folder):
    try:
        return scene_folders.folders_by_role(folder)
    except OSError:  # `search` says what is wrong with the folder
        return {}


def _jobs_of_flat_folders(flat, view_names, naming):
    """Folders combined/, left/ and right/ with files of the same names."""
    files = {view: search(flat[view], False).photographs for view in view_names}
    return [
        _scene_job(views, view_names, naming, root=None)
        for views in scene_folders.match(files).values()
    ]


def _jobs_of_scenes(folder, view_names, naming, recursive, left_out):
    """Folders, each with the files combined, left and right; or `folder` itself."""
    scenes = {}
    found = search(folder, True, naming.output)
    for path in found.photographs:
        depth = len(path.relative_to(folder).parts)
        view = scene_folders.role_of(path.stem)
        if view in view_names and (recursive or depth <= 2):
            scenes.setdefault(path.parent, {})[view] = path
        else:
            left_out["files of no scene"] += 1
    return [
        _scene_job(views, view_names, naming, root=folder)
        for _, views in sorted(scenes.items())
    ] + _problem_jobs(found, naming)


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


def _without_own_outputs(jobs, naming, left_out):
    """The jobs without those whose photograph an earlier run has written."""
    if not naming.suffix:
        return jobs
    outputs = {os.path.realpath(job.output) for job in jobs}
    kept = [job for job in jobs if not outputs & _real_paths(job)]
    left_out["outputs of an earlier run"] += len(jobs) - len(kept)
    return kept


def _real_paths(job):
    """Where the views of a job really lie; a link to itself lies where it is."""
    return {os.path.realpath(path) for path in job.views.values()}


def _refuse_clashes(jobs):
    """Marks jobs that would replace their own source or another job's output."""
    sources = set().union(*map(_real_paths, jobs))
    taken, checked = {}, []
    for job in jobs:
        problem = job.problem or _clash(job.output, sources, taken)
        if not problem:
            taken[os.path.realpath(job.output)] = job.name
        checked.append(dataclasses.replace(job, problem=problem))
    return checked


def _clash(output, sources, taken):
    """Why an output cannot be written, or None."""
    target = os.path.realpath(output)
    if target in sources:
        return "the output would replace a photograph; give --suffix or another -o"
    if target in taken:
        return f"has the same output as {taken[target]}; restore it separately"
    if _is_too_long(output):
        return "the name of its output is too long; use a shorter --suffix"
    return None


def _is_too_long(path):
    try:
        os.lstat(path)
    except OSError as error:
        return error.errno == errno.ENAMETOOLONG
    return False


def remove_abandoned(jobs):
    """Removes what killed runs have left half-written where the outputs will go."""
    for folder in {job.output.parent for job in jobs if not job.problem}:
        with contextlib.suppress(OSError):
            whole_files.remove_abandoned(folder)


def run_job(job, restorer, on_progress=None, check_views=False, control=None):
    """Reads, restores and writes one photograph.

    Args:
        job: `Job`.
        restorer: `Restorer`.
        on_progress: see `Restorer.restore`.
        check_views: bool, whether to tell what the left and right views say about
            their order, see `view_order`.
        control: `PhotoControl`, or None to restore everything in full.

    Returns:
        Tuple of str: what was converted on the way, or seems wrong.

    Raises:
        Exception: whatever went wrong; `describe_failure` says it in one line.
    """
    images = read_views(job)
    first = next(iter(images.values()))
    control = control or PhotoControl()
    restored, defocus = restore_image(
        restorer,
        images,
        on_progress=on_progress,
        **control.keywords(first.pixels, job.name),
    )
    if control.defocus_map:  # before the photograph, which then says that all is done
        write_map(control.map_path(job.output), defocus)
    notes = write_restored(job, first, restored)
    if check_views:
        views = (images[side].pixels for side in ("left", "right"))
        return *notes, check_view_order(*views, warn=False).describe()
    return notes


def read_views(job):
    """The views of a job, dict of view name -> `Image`.

    Raises:
        ImageFileError: if the job has a problem or a file cannot be read.
    """
    if job.problem:
        raise ImageFileError(f"{job.name}: {job.problem}")
    with quiet_libraries():
        return {view: read_image(path) for view, path in job.views.items()}


def write_restored(job, first, restored):
    """Writes what became of a photograph, with all that its file held besides pixels.

    Args:
        job: `Job`.
        first: `Image`, the first view as it was read.
        restored: `Image`.

    Returns:
        Tuple of str: what was converted on the way.

    Raises:
        ImageFileError: if the output cannot be written.
    """
    restored = convert_for(restored, job.output)
    try:
        job.output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImageFileError(
            f"{shown(job.output.parent)}: cannot be made ({error.strerror}); choose "
            "another -o"
        ) from error
    if is_copied(job, first, restored):
        copy_image(next(iter(job.views.values())), job.output)
        return ()  # all of it is kept
    write_image(job.output, restored)
    return restored.notes


def is_copied(job, first, restored):
    """Whether the file itself is the output: written anew, it would change."""
    unchanged = first.lossy and np.array_equal(restored.pixels, first.pixels)
    return unchanged and format_of_extension(job.output) == first.format
