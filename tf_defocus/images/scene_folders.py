"""One rule for folders of scenes: what is called how, and what belongs together.

A folder holds its scenes in either of two layouts:

    by scene  <scene>/{combined,left,right,target}.png
    by kind   {combined,left,right,target}/<name>.png

or, as dual-pixel sets are published, in one of these:

    DPDD, PixelDP     {test,val,train}_{c,l,r}/source/<name>.png, the first split there
    DPDD's copies     [{test,val,train}/]input{C,L,R}/<name>.png
    DPD-disp          <name>_{B,L,R}.jpg in one folder

Names are read in any case. By kind, files belong together whose names are equal or,
where none is, equal without `_B`, `_L`, `_R`.
"""

import pathlib

from tf_defocus.images.kinds import format_of_extension

WORDS = {
    "blurred": ("combined", "blurred", "centre", "center"),
    "left": ("left", "l"),
    "right": ("right", "r"),
    "sharp": ("target", "sharp"),
}
PUBLISHED_SPLITS = ("test", "val", "train")
PUBLISHED_VIEWS = {"blurred": "c", "left": "l", "right": "r"}
SUFFIXES = {"left": "_l", "right": "_r"}  # of all other kinds "_b"


def role_of(name):
    """What a file or folder of that name (without extension) holds, or None.

    Returns:
        "blurred", "left", "right" or "sharp", or None.
    """
    return next((role for role, words in WORDS.items() if name.lower() in words), None)


def folders_by_role(folder):
    """The folders of the layout by kind: dict, role -> path.

    Raises:
        ValueError: if two folders hold one role.
    """
    folders = [path for path in sorted(pathlib.Path(folder).iterdir()) if path.is_dir()]
    return by_role(folders)


def by_role(paths):
    """dict, role -> path, of the paths whose names say one.

    Raises:
        ValueError: if two of them say the same.
    """
    found = {}
    for path in paths:
        role = role_of(path.stem)
        if role in found:
            raise ValueError(
                f"Expected one {role} image. Received: {found[role]} and {path}"
            )
        if role:
            found[role] = path
    return found


def match(files):
    """Scenes of the layout by kind.

    Args:
        files: dict, role (or the name of a further kind) -> list of paths.

    Returns:
        dict, scene name -> dict, role -> path, sorted by name.

    Raises:
        ValueError: if two files of a kind belong to one scene.
    """
    stems = [{path.stem for path in paths} for paths in files.values()]
    strip = len(stems) > 1 and not any(stems[0] & others for others in stems[1:])
    scenes = {}
    for role, paths in files.items():
        for path in paths:
            name = scene_name(path.stem, role) if strip else path.stem
            taken = scenes.setdefault(name, {}).setdefault(role, path)
            if taken != path:
                raise ValueError(f"{taken} is there twice: {path}")
    return dict(sorted(scenes.items()))


def scene_name(stem, role):
    """A file's name without the suffix of its role, in any case."""
    suffix = SUFFIXES.get(role, "_b")
    return stem[: -len(suffix)] if stem.lower().endswith(suffix) else stem


def published_scenes(folder):
    """Views of a set whose folders are laid out as DPDD, PixelDP or a copy of DPDD.

    Returns:
        dict, scene name -> dict, role -> path, sorted by name; empty if it is no such
        folder. Of several splits the first of test, val and train.
    """
    folder = pathlib.Path(folder)
    for folders in _published_folders(folder):
        found = {role: path for role, path in folders.items() if path.is_dir()}
        if found:
            return match({role: _images(path) for role, path in found.items()})
    return {}


def _published_folders(root):
    """Every layout as dict, role -> folder that may be there."""
    for split in PUBLISHED_SPLITS:
        yield {
            role: root / f"{split}_{letter}" / "source"
            for role, letter in PUBLISHED_VIEWS.items()
        }
    for parent in (root, *(root / split for split in PUBLISHED_SPLITS)):
        yield {
            role: parent / f"input{letter.upper()}"
            for role, letter in PUBLISHED_VIEWS.items()
        }


def suffixed_scenes(folder):
    """Views that lie in one folder as <name>_B, <name>_L and <name>_R, as DPD-disp's.

    Returns:
        dict, scene name -> dict, role -> path, sorted by name, of the scenes that have
        a left and a right view; other files are left out.
    """
    ends = {"_b": "blurred", "_l": "left", "_r": "right"}
    scenes = {}
    for path in _images(folder):
        role = ends.get(path.stem[-2:].lower())
        if role:
            scenes.setdefault(path.stem[:-2], {})[role] = path
    return {
        name: views for name, views in scenes.items() if {"left", "right"} <= set(views)
    }


def find_views(folder):
    """Scenes of a folder in any layout, else each of its photographs as a scene.

    Returns:
        dict, scene name -> dict, role -> path, sorted by name.

    Raises:
        FileNotFoundError: if there is no photograph.
        ValueError: as `match` and `folders_by_role`.
    """
    found = published_scenes(folder) or suffixed_scenes(folder)
    if not found:
        roles = folders_by_role(folder)
        found = match({role: _images(path) for role, path in roles.items()})
    found = found or {path.stem: {"blurred": path} for path in _images(folder)}
    if not found:
        raise FileNotFoundError(f"Expected photographs in {folder}. Received: none")
    return found


def _images(folder):
    return [
        path
        for path in sorted(pathlib.Path(folder).iterdir())
        if format_of_extension(path) and not path.name.startswith(".")
    ]
