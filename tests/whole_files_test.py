"""Files are whole or absent, whatever their name and whatever fails."""

import os
import subprocess
import sys

import pytest

from tf_defocus import whole_files


def test_text_is_written_and_nothing_else_is_left(tmp_path):
    whole_files.write_text(tmp_path / "a.txt", "Größe\n")
    assert (tmp_path / "a.txt").read_bytes() == "Größe\n".encode()
    assert os.listdir(tmp_path) == ["a.txt"]


def test_names_as_long_as_the_file_system_allows(tmp_path):
    name = "n" * 251 + ".txt"
    whole_files.write_text(tmp_path / name, "x")
    assert (tmp_path / name).read_text() == "x"


def test_a_failure_leaves_the_older_file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), whole_files.open_whole(path) as file:
        file.write(b"new")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_only_what_dead_processes_left_is_removed(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"],
        capture_output=True,
        text=True,
        check=True,
    )
    dead = tmp_path / f".{int(done.stdout)}.0123abcd.partial"
    alive = tmp_path / f".{os.getpid()}.0123abcd.partial"
    other = tmp_path / "photo.partial"
    for path in (dead, alive, other):
        path.write_bytes(b"")
    assert whole_files.remove_abandoned(tmp_path) == 1
    assert sorted(os.listdir(tmp_path)) == sorted([alive.name, other.name])
