"""Commands on pages: folders of their author are replaced, options kept."""

import pytest

from tf_defocus.commands import shown_command

SHOWN = """python tools/evaluate.py \\
    --preset a,b \\
    --folder SCENES \\
    --keep \\
    --output results"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--preset=/home/x/a,b", "--folder=/home/x/s", "--keep", "--output=results"],
        ["--preset", "a,b", "--folder", "/home/x/s", "--keep", "--output", "results"],
    ],
)
def test_both_forms_of_options_are_shown_alike(arguments):
    command = ["/home/x/tools/evaluate.py", *arguments]
    assert shown_command(command, {"folder": "SCENES"}) == SHOWN


def test_values_with_spaces_are_quoted():
    command = ["tools/a.py", "--title=Four scenes"]
    assert shown_command(command).endswith('--title "Four scenes"')
