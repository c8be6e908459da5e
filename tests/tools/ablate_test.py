"""`tools/ablate.py`: how variants are read and results tabled."""

import pytest

from tests.testing import load_tool

ablate = load_tool("ablate")


def test_variants_are_names_and_arguments():
    assert ablate.parse_variant("full:") == ("full", {})
    name, overrides = ablate.parse_variant("a:shape_attention=false,num_blocks=1")
    assert (name, overrides) == ("a", {"shape_attention": False, "num_blocks": 1})


@pytest.mark.parametrize("text", ["full", ":a=1", "a:b", "a:b=c"])
def test_other_texts_are_refused(text):
    with pytest.raises(ValueError, match="Expect"):
        ablate.parse_variant(text)


def test_the_table_holds_mean_spread_and_every_seed():
    rows = [
        {"validation_psnr": p, "validation_gain": p - 24, "parameters_m": 1.58}
        for p in (25.0, 26.0, 27.0)
    ]
    lines = ablate.table({"a": rows, "b": rows[:1]}).splitlines()
    assert lines[2] == "| a | 26.00 | 1.000 | +2.00 | 25.00, 26.00, 27.00 | 1.58 |"
    assert lines[3] == "| b | 25.00 |  | +1.00 | 25.00 | 1.58 |"
