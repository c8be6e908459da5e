"""The commands and names that docs/reproduce.md gives exist."""

import itertools
import re
import shlex

import pytest

from tests.testing import ROOT
from tf_defocus import configs
from tf_defocus.models import list_models

PAGE = (ROOT / "docs" / "reproduce.md").read_text()
RECIPES = set(configs.list_recipes())


def commands():
    """Every `python tools/...` of the page, as lists of words."""
    found = re.findall(r"python (tools/[^\n`|]+)", PAGE)
    return [shlex.split(line) for line in found]


def flags_of(tool):
    """Names of the flags that a tool defines, and the values of its enumerations."""
    source = (ROOT / tool).read_text()
    return set(re.findall(r"DEFINE_\w+\(\s*\"(\w+)\"", source))


def test_the_page_holds_commands():
    assert len(commands()) > 15


@pytest.mark.parametrize("words", commands(), ids=lambda words: " ".join(words)[:60])
def test_every_command_names_a_tool_and_its_flags(words):
    tool, *rest = words
    assert (ROOT / tool).is_file(), tool
    known = flags_of(tool)
    given = {word[2:].partition("=")[0] for word in rest if word.startswith("--")}
    assert given, words
    assert given <= known, f"{tool}: {sorted(given - known)}"
    values = dict(itertools.pairwise(rest))
    if "--recipe" in values:
        assert values["--recipe"] in RECIPES
    for flag in ("--model", "--name"):
        if flag in values:
            assert values[flag] in list_models()


def test_every_recipe_of_the_tables_exists():
    """Names between backticks that begin like a network's."""
    networks = "kpac ifan gkmnet k3dn dpdnet srn restormer drbnet rdpd deeprft bambnet"
    prefixes = f"(?:{networks.replace(' ', '|')})"
    named = set(re.findall(rf"`({prefixes}_\w+)`", PAGE))
    tables = {"kpac_table2", "kpac_inverse_kernels", "kpac_attention", "k3dn_figures"}
    unknown = named - RECIPES - set(list_models()) - tables
    assert not unknown
    assert len(named & RECIPES) > 30
