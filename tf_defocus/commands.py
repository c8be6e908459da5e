"""Commands as pages of results show them: who reads the page can give them again."""

import pathlib


def shown_command(arguments, placeholders=None):
    """A command line without its author's folders.

    Args:
        arguments: list of str, such as `sys.argv`: the tool, then its options as
            `--name=value`, `--name value` or `--switch`.
        placeholders: dict, name of an option -> what stands in place of its value.

    Returns:
        str, one option per line, each but the last continued by a backslash. Other
        absolute paths are cut to their last part.
    """
    tool, *rest = arguments
    parts = pathlib.Path(tool).parts
    place = parts[parts.index("tools") :] if "tools" in parts else parts[-1:]
    lines = [f"python {pathlib.PurePosixPath(*place)}"]
    for argument in rest:
        if argument.startswith("--"):
            name, equals, value = argument[2:].partition("=")
            lines.append(f"--{name}")
            value = value if equals else None
        else:
            name, value = lines[-1].removeprefix("--"), argument
        if value is not None:
            lines[-1] += " " + _shown(name, value, placeholders or {})
    return " \\\n    ".join(lines)


def _shown(name, value, placeholders):
    if name in placeholders:
        return placeholders[name]
    parts = [
        pathlib.Path(part).name if part.startswith("/") else part
        for part in value.split(",")
    ]
    text = ",".join(parts)
    return f'"{text}"' if " " in text else text
