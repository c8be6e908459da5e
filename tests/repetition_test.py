"""Nothing of the package and the tools is written twice."""

import collections
import re

from tests.testing import ROOT

LINES = 6  # equal ones in a row make a repetition
SUFFIXES = (".py", ".cc", ".cu", ".h")


def telling_lines(text):
    """(number, line) of what a file says: no blanks, comments, imports, brackets.

    A signature is one line, however many it takes.
    """
    signature = ""
    for number, line in enumerate(text.splitlines(), start=1):
        line = " ".join([signature, *line.split()]).strip()
        signature = line if line.startswith("def ") and line[-1] != ":" else ""
        if signature:
            continue
        comment = line.startswith(("#", "//", "import ", "from "))
        if re.search(r"\w", line) and not comment:
            yield number, line


def repetitions(texts):
    """Places that share `LINES` lines: `a.py:3 ~ b.py:7`, the first of each run.

    Args:
        texts: dict, name of a file -> its text.
    """
    places = collections.defaultdict(list)
    for name, text in texts.items():
        said = list(telling_lines(text))
        for start in range(len(said) - LINES + 1):
            window = tuple(line for _, line in said[start : start + LINES])
            places[window].append(f"{name}:{said[start][0]}")
    return sorted(" ~ ".join(found) for found in places.values() if len(found) > 1)


def test_six_equal_lines_are_found_whatever_lies_between():
    text = "import os\n\n" + "".join(f"x{i} = {i}\n" for i in range(LINES))
    other = text.replace("x3", "# so\n\n    x3")
    assert repetitions({"a.py": text, "b.py": other}) == ["a.py:3 ~ b.py:3"]
    assert not repetitions({"a.py": text, "b.py": text.replace("x3", "y3")})


def test_no_six_equal_lines_stand_in_two_places():
    paths = [p for f in ("tf_defocus", "tools") for p in (ROOT / f).rglob("*")]
    texts = {
        str(path.relative_to(ROOT)): path.read_text()
        for path in paths
        if path.suffix in SUFFIXES
    }
    assert len(texts) > 100
    assert not repetitions(texts)
