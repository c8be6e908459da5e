"""Batches made by processes: the same ones, and nothing left behind."""

import contextlib
import itertools
import os
import signal
import time

import numpy as np
import pytest

from tests.data.batches_test import KINDS, store
from tf_defocus.configs import Recipe
from tf_defocus.data.arrays import StoredArrays
from tf_defocus.data.batch_processes import batches_in_processes
from tf_defocus.data.batches import batches_in_thread, make_batch

RECIPE = Recipe(
    name="test",
    model="kpac_2level",
    crop_schedule=((0, 16, 4), (3, (8, 12), 6)),
    flip_probability=0.5,
    noise_range=(0.0, 0.02),
)


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    folder = tmp_path_factory.mktemp("processes") / "arrays"
    store(folder)
    return StoredArrays(folder)


def children():
    """Processes that this one started and that still run."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return [int(number) for number in file.read().split()]


def first(batches, count):
    """Copies of so many batches; what makes them ends."""
    with contextlib.closing(batches):
        return [
            {kind: values.copy() for kind, values in batch.items()}
            for batch in itertools.islice(batches, count)
        ]


@pytest.mark.parametrize("num_processes", [1, 3])
def test_batches_are_those_of_one_thread_from_any_step_on(arrays, num_processes):
    before = children()

    def odd_rows(size):
        return range(1, size, 2)

    arguments = arrays, RECIPE, KINDS, odd_rows, 2
    made = first(batches_in_processes(*arguments, num_processes), 8)
    assert children() == before
    threaded = first(batches_in_thread(*arguments), 8)
    for step, (one, other) in enumerate(zip(made, threaded), 2):
        expected = make_batch(
            arrays, RECIPE, step, KINDS, odd_rows(4 if step < 3 else 6)
        )
        assert one.keys() == other.keys() == expected.keys()
        for kind, values in expected.items():
            np.testing.assert_array_equal(one[kind], values)
            np.testing.assert_array_equal(other[kind], values)


def test_a_dead_process_is_one_line_and_ends_the_others(arrays):
    before = children()
    batches = batches_in_processes(arrays, RECIPE, KINDS, range, 0, 2)
    next(batches)
    victim, _ = (number for number in children() if number not in before)
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(ChildProcessError, match=r"data worker \d ended by SIGKILL"):
        for _ in range(8):
            next(batches)
    assert children() == before


def test_signals_are_left_to_the_training(arrays):
    batches = batches_in_processes(arrays, RECIPE, KINDS, range, 0, 1)
    before = children()
    next(batches)
    (number,) = (child for child in children() if child not in before)
    for wanted in (signal.SIGTERM, signal.SIGINT):
        os.kill(number, wanted)
    assert len(first(batches, 6)) == 6
    assert children() == before


def test_what_a_batch_cannot_be_made_of_is_said(arrays):
    large = RECIPE.replace(crop_schedule=(), crop_size=64)
    batches = batches_in_processes(arrays, large, KINDS, range, 0, 1)
    with pytest.raises(ValueError, match="crop_size must be at most the stored size"):
        next(batches)


def test_memory_has_no_name_and_ends_with_the_processes(arrays):
    """A killed training's processes see the end of their lines."""
    before, shared = children(), set(os.listdir("/dev/shm"))
    batches = batches_in_processes(arrays, RECIPE, KINDS, range, 0, 1)
    next(batches)
    (number,) = (child for child in children() if child not in before)
    assert set(os.listdir("/dev/shm")) == shared
    orders = batches.gi_frame.f_locals["processes"][0].process.stdin
    orders.close()  # as the system does when the training is killed
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and os.waitpid(number, os.WNOHANG) == (0, 0):
        time.sleep(0.02)
    assert number not in children()
    with contextlib.suppress(ValueError):
        batches.close()
