"""One rule for folders of scenes: what is called how, and what belongs together.

A folder holds its scenes in either of two layouts:

    by scene  <scene>/{combined,left,right,target}.png
    by kind   {combined,left,right,target}/<name>.png

Names are read in any case. By kind, files belong together whose names are equal or,
where none is, equal without `_B`, `_L`, `_R`.
"""

import pathlib

WORDS = {
    "blurred": ("combined", "blurred", "centre", "center"),
    "left": ("left", "l"),
    "right": ("right", "r"),
    "sharp": ("target", "sharp"),
}
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
