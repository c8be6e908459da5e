"""The commands and names that README and the pages of the site give exist."""

import functools
import itertools
import json
import re
import shlex

import numpy as np
import pytest
import setuptools.config.pyprojecttoml as pyprojecttoml

from tests.testing import ROOT
from tf_defocus import cli, configs
from tf_defocus.configs.ablations import ABLATIONS
from tf_defocus.models import list_models

PAGES = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/**/*.md", "docs/*/*.ipynb", "datasets/**/*.md")
    for path in ROOT.glob(pattern)
    if path.name not in ("CHANGELOG.md", "CODE_OF_CONDUCT.md")
)
RECIPES = set(configs.list_recipes())
# Programs that are not ours: nothing of a command but its first word is looked at.
OTHERS = (
    "docker",
    "git",
    "hf",
    "jupyter",
    "nice",
    "pytest",
    "source",
    "tensorboard",
    "tensorflow_model_server",
)
COMMAND = re.compile(r"(python tools/|tf-defocus |make |tfds build |pip install )")


def read_page(name):
    """A page's text; of a notebook its cells, as the site shows them."""
    text = (ROOT / name).read_text()
    if not name.endswith(".ipynb"):
        return text
    parts = []
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            language = "" if source.startswith("!") else "python"
            source = f"```{language}\n{source.removeprefix('!')}\n```"
        parts.append(source)
    return "\n".join(parts)


def split_fences(text):
    """(blocks of code by language, the text without them)."""
    blocks, rest, language = [], [], None
    for line in text.splitlines():
        fence = re.match(r" *```(.*)", line)
        if fence and language is None:
            language = fence.group(1).strip()
            blocks.append((language, []))
        elif fence:
            language = None
        else:
            (rest if language is None else blocks[-1][1]).append(line)
    return [(name, "\n".join(lines)) for name, lines in blocks], "\n".join(rest)


def fenced_commands(text):
    """Lines of the blocks without a language, continued lines joined, as words."""
    for language, block in split_fences(text)[0]:
        for line in block.replace("\\\n", " ").splitlines() if not language else ():
            if words := shlex.split(line, comments=True):
                yield words


def other_commands(text):
    """Commands in the running text, in tables and in indented blocks, as words."""
    _, text = split_fences(text)
    spans = re.findall(r"`([^`]+)`", text)
    spans += re.findall(r"^    (\S.*)$", text.replace("\\\n", " "), re.MULTILINE)
    for span in spans:
        if COMMAND.match(span):
            yield shlex.split(span.replace("\n", " ").replace("...", ""))


def python_blocks(page):
    blocks, _ = split_fences(read_page(page))
    return [block for language, block in blocks if language == "python"]


def flags_of(tool):
    """Names of the flags that a tool defines, itself or by `define_set_flags`."""
    source = (ROOT / tool).read_text()
    if "define_set_flags(" in source:
        source += (ROOT / "tf_defocus" / "commands" / "__init__.py").read_text()
    found = re.findall(r"DEFINE_(\w+)\(\s*\"(\w+)\"", source)
    switches = {f"no{name}" for kind, name in found if kind.startswith("bool")}
    return switches | {name for _, name in found}


@functools.cache
def extras():
    project = pyprojecttoml.load_file(ROOT / "pyproject.toml")["project"]
    return set(project["optional-dependencies"])


def check_tool(tool, rest):
    """A script of tools/: it is there, has these flags, and knows these names."""
    assert (ROOT / tool).is_file(), tool
    rest = rest[: rest.index("--")] if "--" in rest else rest
    given = {word[2:].partition("=")[0] for word in rest if word.startswith("--")}
    assert given <= flags_of(tool) | {"help"}, (tool, given - flags_of(tool))
    values = dict(itertools.pairwise(rest))
    values |= dict(word.split("=", 1) for word in rest if "=" in word)
    assert values.get("--recipe") in RECIPES | {None}, values
    for flag in ("--model", "--name"):
        if flag in values and tool != "tools/make_preset.py":
            assert values[flag] in list_models(), values


def check_program(rest, whole):
    """`tf-defocus`: the command line can be parsed, or its options are known."""
    parser = cli._parser()
    if whole:
        parser.parse_args(rest)
        return
    commands = parser._subparsers._group_actions[0].choices
    command = commands.get(rest[0]) if rest else parser
    known = set((command or parser)._option_string_actions)
    assert command is not None or rest[0] in known, rest
    assert {w for w in rest[1:] if re.match(r"--?[a-z]", w)} <= known, rest


def check_command(words, whole=True):
    """A command that a reader may type; `whole`: none of it is left out."""
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    program, *rest = words or [None]
    if program == "python" and rest[0].startswith("tools/"):
        check_tool(rest[0], rest[1:])
    elif program == "tf-defocus":
        check_program(rest, whole)
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M)
        assert set(word for word in rest if "=" not in word) <= set(targets), rest
    elif program == "tfds":
        folder = ROOT / rest[1]
        assert folder.is_dir() or "<" in rest[1], rest
        config = dict(itertools.pairwise(rest)).get("--config", "<any>")
        source = "".join(path.read_text() for path in folder.glob("*_builder.py"))
        assert f'name="{config}"' in source or "<" in config, rest
    elif program == "pip" or rest[:1] == ["install"]:
        for names in re.findall(r"(?:\.|tf-defocus|whl\))\[([\w,]+)\]", " ".join(rest)):
            assert set(names.split(",")) <= extras(), rest
    else:
        known = program in (None, "python", *OTHERS) or program.startswith("/tmp/")
        assert known, words


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_can_be_given(page):
    text = read_page(page)
    for words in fenced_commands(text):
        check_command(words)
    for words in other_commands(text):
        check_command(words, whole=False)


@pytest.mark.parametrize("page", PAGES)
def test_python_on_a_page_is_python(page):
    for code in python_blocks(page):
        compile(code, page, "exec")


def test_the_pages_hold_commands():
    def count(page):
        return sum(1 for _ in fenced_commands(read_page(page)))

    assert sum(map(count, PAGES)) > 60
    assert all(count(page) for page in PAGES if "/guides/" in page)


def test_a_wrong_command_is_found():
    for command in (
        "python tools/train.py --recipe nothing",
        "python tools/train.py --speed 3",
        "python tools/nothing.py",
        "tf-defocus deblur -i a.png",
        "make nothing",
        "tfds build datasets/synthetic_dp --config nothing",
        "pip install .[nothing]",
        "nothing",
    ):
        with pytest.raises((AssertionError, SystemExit)):
            check_command(shlex.split(command))


def test_every_recipe_of_the_tables_exists():
    """Names between backticks that begin like a network's."""
    networks = "kpac ifan gkmnet k3dn dpdnet srn restormer drbnet rdpd deeprft bambnet"
    prefixes = f"(?:{networks.replace(' ', '|')})"
    page = read_page("docs/reproduce.md")
    named = set(re.findall(rf"`({prefixes}_\w+)`", page))
    tables = set(ABLATIONS) | {
        "kpac_table2",
        "kpac_inverse_kernels",
        "kpac_attention",
        "k3dn_figures",
    }
    unknown = named - RECIPES - set(list_models()) - tables
    assert not unknown
    assert len(named & RECIPES) > 30


def test_the_simulators_page_renders(rng):
    """Its blocks are run one after the other, in one process."""
    names = {"sharp": rng.random((40, 48, 3))}
    for code in python_blocks("docs/guides/simulator.md"):
        exec(code, names)
    assert names["coc"].mean() == 7
    assert names["left"].sum() == pytest.approx(1)
    assert names["blurred"].dtype == np.uint16
    assert 0.5 < names["blurred"].std() / (65535 * names["sharp"].std()) * 5 < 2


def test_links_of_pages_outside_the_site_hold():
    """Those of the site are checked when it is built."""
    for path in [*ROOT.glob("*.md"), *ROOT.glob(".github/*.md")]:
        for link in re.findall(r"\]\(([^)#]+)", path.read_text()):
            assert "//" in link or (ROOT / link).exists(), f"{path.name}: {link}"
