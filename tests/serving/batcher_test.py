"""Photographs of one size that wait together are computed together, each rightly."""

import asyncio
import threading

import numpy as np
import pytest

pytest.importorskip("kserve", reason='pip install ".[serving]"')

from tf_defocus.serving.batcher import Batcher
from tf_defocus.serving.limits import Limits


def views(value, size=4, dtype=np.uint8):
    return {"blurred": np.full((size, size, 3), value, dtype)}


def restore(photographs):
    found = [photo["blurred"] for photo in photographs]
    assert len({(photo.shape, photo.dtype) for photo in found}) == 1
    if any(photo[0, 0, 0] == 13 for photo in found):
        raise ArithmeticError("thirteen")
    return [photo + 1 for photo in found]


def run(limits, photographs):
    """The outcomes of photographs that come at once, and the sizes of the calls."""
    calls = []

    async def all_of_them():
        batcher = Batcher(restore, limits, calls.append)
        waiting = map(batcher.restore, photographs)
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        batcher.close()
        return outcomes

    return asyncio.run(all_of_them()), calls


def test_each_gets_its_own_result_whatever_it_was_computed_with():
    given = [views(i, size=4 + i % 3) for i in range(100, 130)]
    outcomes, calls = run(Limits(max_batch=4), given)
    for photo, outcome in zip(given, outcomes):
        np.testing.assert_array_equal(outcome, photo["blurred"] + 1)
    assert sum(calls) == 30 and max(calls) == 4 and len(calls) == 9


def test_dtypes_are_not_mixed():
    outcomes, calls = run(Limits(), [views(1), views(1, dtype=np.uint16)])
    assert [o.dtype for o in outcomes] == [np.uint8, np.uint16] and calls == [1, 1]


def test_large_photographs_go_alone():
    _, calls = run(Limits(max_batch_pixels=35), [views(i) for i in range(5)])
    assert calls == [2, 2, 1]  # of 16 pixels each
    _, calls = run(Limits(max_batch_pixels=10), [views(i) for i in range(3)])
    assert calls == [1, 1, 1]


def test_a_photograph_that_fails_costs_itself_alone():
    outcomes, _ = run(Limits(), [views(12), views(13), views(14)])
    assert isinstance(outcomes[1], ArithmeticError)
    assert outcomes[0].max() == 13 and outcomes[2].max() == 15


def test_who_gives_up_is_not_computed():
    free, calls = threading.Event(), []

    def slow(photographs):
        free.wait(30)
        return restore(photographs)

    async def give_up():
        batcher = Batcher(slow, Limits(max_batch=1), calls.append)
        first = asyncio.create_task(batcher.restore(views(1)))
        await asyncio.sleep(0.05)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(batcher.restore(views(2)), 0.05)
        last = asyncio.create_task(batcher.restore(views(3)))
        await asyncio.sleep(0)
        free.set()
        results = await asyncio.gather(first, last)
        batcher.close()
        return [int(result.max()) for result in results]

    assert asyncio.run(give_up()) == [2, 4] and calls == [1, 1]
