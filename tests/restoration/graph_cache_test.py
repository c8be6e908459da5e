"""The cache of converted graphs keeps what is in use, and nothing for ever."""

import os
import time

import pytest

from tf_defocus.restoration.engines import graph_cache


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("TF_DEFOCUS_CACHE", str(tmp_path))
    return graph_cache.engines_folder()


def make(folder):
    (folder / "graph.onnx").write_bytes(b"graph")


def aged(path, seconds):
    then = time.time() - seconds
    os.utime(path, (then, then))
    return path


def test_the_oldest_graphs_are_removed(root, monkeypatch):
    monkeypatch.setattr(graph_cache, "MAX_GRAPHS", 2)
    folders = []
    for number in range(3):
        folders.append(graph_cache.cached_graph({"number": number}, make))
        aged(folders[-1], 100 - number)
    assert graph_cache.cached_graph({"number": 3}, make).is_dir()
    assert [folder.exists() for folder in folders] == [False, False, True]


def test_what_a_killed_conversion_left_is_removed_after_a_day(root):
    left = root / f"{graph_cache.SCRATCH}killed"
    running = root / f"{graph_cache.SCRATCH}running"
    for folder in (left, running):
        (folder / "graph").mkdir(parents=True)
        make(folder / "graph")
    aged(left, graph_cache.ABANDONED + 60)
    graph_cache.cached_graph({}, make)
    assert not left.exists() and (running / "graph" / "graph.onnx").exists()
