"""Every compared network has a card, and what the cards say of names is true."""

import re
import shlex

import pytest

from tests.testing import ROOT
from tf_defocus import configs
from tf_defocus.conversion.author_files import FILES
from tf_defocus.models.named import list_models, network_class
from tf_defocus.reports.paper_results import find_tables

CARDS = {path.stem: path.read_text() for path in (ROOT / "docs/cards").glob("*.md")}
PRESETS = ("kpac", "ifan", "gkmnet", "k3dn", "dpdnet")  # cards in checkpoints/


def test_every_compared_network_has_a_card():
    families = {network_class(n).__module__.rpartition(".")[2] for n in list_models()}
    assert families - set(PRESETS) == set(CARDS)


@pytest.mark.parametrize("family", sorted(CARDS))
def test_a_card_names_source_models_and_recipes_that_exist(family):
    text = CARDS[family]
    row = next(r for k, r in FILES.items() if k.__module__.endswith(f".{family}"))
    assert row.repository in text and row.licence in text
    commands = [shlex.split(c) for c in re.findall(r"^python (.+)$", text, re.M)]
    assert commands
    for tool, *words in commands:
        values = dict(zip(words[::2], words[1::2]))
        assert (ROOT / tool).is_file()
        assert values.get("--model", "ifan") in list_models()
        if "--recipe" in values:
            assert configs.get_recipe(values["--recipe"]).model.startswith(family)
        for flag in {word for word in words if word.startswith("--")}:
            assert f'"{flag[2:]}"' in (ROOT / tool).read_text()
    for path in re.findall(r"`(tests/\S+\.py)`", text):
        assert (ROOT / path).is_file()


@pytest.mark.parametrize("family", sorted(CARDS))
def test_a_cards_scores_are_the_papers(family):
    pattern = r"\| DPDD test \|.*\| ([\d.]+) \| ([\d.]+) \| (\w+), Table (\d) \|"
    for psnr, ssim, paper, number in re.findall(pattern, CARDS[family]):
        (table,) = find_tables(paper.lower(), "dpdd", int(number), noise_sigma=0.0)
        printed = {row.cells[:2] for row in table.rows}
        assert (float(psnr), float(ssim)) in printed
