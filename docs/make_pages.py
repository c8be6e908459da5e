"""Pages of the site that are made when it is built, and their places in its menu.

Model cards, the data sets' descriptions, changelog and contributors' notes lie where
they are needed; notebooks are shown as pages; the reference lists what each room
offers. A public name without a docstring is an error of the build.
"""

import functools
import importlib
import inspect
import json
import os
import pathlib
import pkgutil
import re
import types

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

from tf_defocus import cli
from tf_defocus.markdown_table import markdown_table

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
# Rooms of the reference, in the order in which they build on one another; then others.
ROOMS = [
    "ops",
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "optics",
    "synthesis",
    "deconvolution",
    "images",
    "models",
    "conversion",
    "configs",
    "data",
    "training",
    "restoration",
    "evaluation",
    "export",
    "saved_models",
    "reports",
]
ROOMS += sorted(
    path.parent.name
    for path in (ROOT / "tf_defocus").glob("*/__init__.py")
    if path.parent.name not in ROOMS
)
# Networks, whose file in `models` names its paper in its second paragraph.
PAPERS = sorted(
    path.stem
    for path in (ROOT / "tf_defocus" / "models").glob("[!_]*.py")
    if (ROOT / "tf_defocus" / "configs" / path.name).is_file() or path.stem == "dddnet"
)
DEEPER = "    options: {heading_level: 3}"
PROJECT_PAGES = {"changelog.md": "CHANGELOG.md", "contributing.md": "CONTRIBUTING.md"}


def on_config(config):
    """Adds to the sections of the menu which name their first page alone."""
    pages = made_pages()
    written = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
    folders = {os.path.dirname(name) for name in pages}
    beside = [name for name in written if os.path.dirname(name) in folders - {""}]
    placed = {*_leaves(config.nav), *beside}
    rest = [name for name in written if name not in placed]
    for item in config.nav:
        ((_, content),) = item.items()
        if not isinstance(content, list) or len(content) > 1:
            continue
        folder = os.path.dirname(content[0])
        if not folder:  # of results: every page that stands nowhere else
            content += rest
        own = (*pages, *beside)
        content += [n for n in own if folder and os.path.dirname(n) == folder]
        content[:] = dict.fromkeys(content)
    return config


def on_files(files, config):
    """Adds the made pages."""
    for name, content in made_pages().items():
        files.append(File.generated(config, name, content=content))
    return files


@functools.cache
def made_pages():
    """dict, path in the site -> Markdown, in the order of the menu."""
    pages = {page: _moved(file, page) for page, file in PROJECT_PAGES.items()}
    for path in sorted((DOCS / "tutorials").glob("*.ipynb")):
        pages[f"tutorials/{path.stem}.md"] = notebook_page(path)
    pages["cards/index.md"] = _moved("checkpoints/README.md", "cards/index.md")
    for path in sorted((ROOT / "checkpoints").glob("*.md")):
        if path.stem != "README":
            page = f"cards/{path.name}"
            pages[page] = _moved(f"checkpoints/{path.name}", page)
    pages["data_sets/index.md"] = _moved("datasets/README.md", "data_sets/index.md")
    for path in sorted((ROOT / "datasets").glob("*/README.md")):
        name = path.parent.name
        pages[f"data_sets/{name}.md"] = f"# {name}\n\n{path.read_text()}"
    pages |= reference_pages()
    return pages


def notebook_page(path):
    """A notebook as Markdown: its texts, and its code in blocks."""
    parts = []
    for cell in json.loads(path.read_text())["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else _fenced(text))
    download = f"[Download this notebook]({path.name})"
    return "\n\n".join([parts[0], download, *parts[1:]]) + "\n"


def _fenced(code):
    """A cell of code; what follows `!` is a command of the shell."""
    if code.startswith("!"):
        return f"```\n{code.removeprefix('!')}\n```"
    return f"```python\n{code}\n```"


def _moved(file, page):
    """The text of a file whose page lies elsewhere: links into docs/ still hold."""
    base = os.path.relpath(".", os.path.dirname(page) or ".")
    return re.sub(r"\]\((?:\.\./)?docs/", f"]({base}/", (ROOT / file).read_text())


def reference_pages():
    """dict, path -> Markdown: the package's names, and a page for each room."""
    shown, pages = {}, {}
    for room in ROOMS:
        pages[f"reference/{room}.md"], names = room_page(room)
        shown |= names
    first = {"reference/index.md": index_page(shown)}
    return first | {"reference/command_line.md": commands_page()} | pages


def commands_page():
    """`tf-defocus` and each of its commands, as `--help` shows them."""
    parser = cli._parser()
    (commands,) = parser._subparsers._group_actions
    helps = {"tf-defocus": parser, **commands.choices}
    parts = [f"## {name}\n\n```text\n{p.format_help()}```" for name, p in helps.items()]
    return "\n\n".join(["# The command line", *parts, ""])


def public_names(module):
    """dict, name -> object: what a module offers.

    These are the names of its `__all__`; without one, what is written in it.
    """
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return {name: getattr(module, name) for name in sorted(listed)}
    return {
        name: found
        for name, found in sorted(vars(module).items())
        if not name.startswith("_")
        and (inspect.isclass(found) or inspect.isfunction(found))
        and found.__module__ == module.__name__
    }


def room_page(room):
    """A room's page, and the places of its entries: dict, object -> its full name."""
    module = importlib.import_module(f"tf_defocus.{room}")
    offered = public_names(module)
    modules = [v for v in offered.values() if isinstance(v, types.ModuleType)]
    objects = [v for v in offered.values() if not isinstance(v, types.ModuleType)]
    if not offered:  # a room of modules, each with names of its own
        modules = [
            importlib.import_module(f"{module.__name__}.{found.name}")
            for found in pkgutil.iter_modules(module.__path__)
        ]
    lines = [f"# {room}", "", inspect.getdoc(module) or _undocumented(module), ""]
    places = {}
    groups = {}
    for found in objects:
        places[found] = place_of(found)
        groups.setdefault(found.__module__, []).append(places[found])
    for name, group in sorted(groups.items()):
        lines += [*_group_head(name), *(f"::: {place}\n{DEEPER}\n" for place in group)]
    for found in modules:
        members = {
            member: place_of(member)
            for member in public_names(found).values()
            if member not in places and not isinstance(member, types.ModuleType)
        }
        places |= {found: found.__name__} | members
        names = [m.__name__ for m in members if m.__module__ == found.__name__]
        lines += [f"::: {found.__name__}", f"    options: {{members: {names}}}", ""]
    return "\n".join(lines), places


def _group_head(name):
    """Heading, purpose and, of a network's own modules, the paper it stems from."""
    purpose, *_ = inspect.getdoc(importlib.import_module(name)).split("\n\n")
    lines = [f"## {name.removeprefix('tf_defocus.')}", "", purpose, ""]
    network = name.split(".")[-1].split("_")[0]
    if network in PAPERS:
        source = inspect.getdoc(importlib.import_module(f"tf_defocus.models.{network}"))
        lines += [f"Source: {source.split(chr(10) * 2)[1]}", ""]
    return lines


def place_of(found):
    """Where an object is written: its full name.

    Raises:
        PluginError: if it has no docstring.
    """
    if not inspect.getdoc(found):
        _undocumented(found)
    return f"{found.__module__}.{found.__qualname__}"


def _undocumented(found):
    raise PluginError(
        f"{found.__module__}.{found.__qualname__} is public and has no docstring"
        if not isinstance(found, types.ModuleType)
        else f"{found.__name__} has no docstring"
    )


def index_page(shown):
    """The names of `tf_defocus` itself, each linked to its entry."""
    import tf_defocus

    rows = []
    for name, found in public_names(tf_defocus).items():
        summary = inspect.getdoc(found).split("\n\n")[0].replace("\n", " ")
        link = f"[`{name}`][{shown.get(found)}]"
        if isinstance(found, types.ModuleType):
            page = name if name in ROOMS else found.__name__.split(".")[1]
            link = f"[`{name}`]({page}.md)"
        elif found not in shown:
            raise PluginError(f"tf_defocus.{name} stands on no page of the reference")
        rows.append([link, summary])
    head = [
        "# Reference",
        "",
        "Everything that is public, room by room. `tf_defocus` itself has these names:",
        "",
        markdown_table(["name", "what"], rows, num_texts=2),
    ]
    return "\n".join(head)


def _leaves(nav):
    for item in nav or ():
        if isinstance(item, dict):
            for content in item.values():
                yield from [content] if isinstance(content, str) else _leaves(content)
        else:
            yield item
