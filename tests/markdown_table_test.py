"""Tables are aligned, and whole or refused."""

import pytest

from tf_defocus.markdown_table import leave_table, markdown_table


def test_texts_stand_to_the_left_and_numbers_to_the_right():
    assert markdown_table(["", "a", "b"], [["x", "1", ""], ["y", "2", "3"]]) == (
        "|  | a | b |\n|---|---:|---:|\n| x | 1 |  |\n| y | 2 | 3 |\n"
    ).replace("|---|---:|---:|", "| --- | ---: | ---: |")


def test_a_short_row_is_refused():
    with pytest.raises(ValueError, match="Expected 2 cells"):
        markdown_table(["a", "b"], [["1"]])


def test_a_table_is_left_in_a_new_folder_and_shown(tmp_path, capsys):
    leave_table(tmp_path / "new", ["a", "b"], [["c", "1"]])
    text = (tmp_path / "new" / "table.md").read_text()
    assert text == markdown_table(["a", "b"], [["c", "1"]])
    assert capsys.readouterr().out == text + "\n"
