"""Photographs of one size and dtype that wait at the same time are computed together.

One thread computes; it takes the photograph that has waited longest and all that are
like it, up to a bound. So nothing waits for a batch to fill, and under load batches
fill by themselves.
"""

import asyncio
import collections
import concurrent.futures
import dataclasses
from collections.abc import Callable

import numpy as np

from tf_defocus.serving.limits import Limits

Views = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class _Waiting:
    views: Views
    restored: asyncio.Future

    @property
    def kind(self):
        """What all photographs of a call have in common."""
        first = next(iter(self.views.values()))
        return first.shape, first.dtype


class Batcher:
    """Computes what several tasks of one event loop wait for.

    Args:
        restore: function of a list of dicts of views, all of one size and dtype, that
            returns the list of restored photographs.
        limits: `Limits`.
        observe: called with the number of photographs of each call, or None.
    """

    def __init__(
        self,
        restore: Callable[[list[Views]], list[np.ndarray]],
        limits: Limits,
        observe: Callable[[int], None] | None = None,
    ) -> None:
        self._function = restore
        self._limits = limits
        self._observe = observe
        self._waiting: collections.deque[_Waiting] = collections.deque()
        self._thread = concurrent.futures.ThreadPoolExecutor(1, "restore")
        self._task: asyncio.Task | None = None

    def __len__(self) -> int:
        """How many photographs wait."""
        return len(self._waiting)

    async def restore(self, views: Views) -> np.ndarray:
        """Waits until a photograph is restored.

        Args:
            views: dict, name -> (height, width, 3), all alike.

        Returns:
            (height, width, 3) of the same dtype.

        Raises:
            Exception: what the function raises over this photograph.
        """
        waiting = _Waiting(views, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._compute_all())
        return await waiting.restored

    def close(self) -> None:
        """Waits for the call that is computed, if any."""
        self._thread.shutdown()

    async def _compute_all(self):
        while batch := self._take_batch():
            outcomes = await self._compute([waiting.views for waiting in batch])
            for waiting, outcome in zip(batch, outcomes):
                if waiting.restored.done():  # who waited has gone
                    continue
                if isinstance(outcome, Exception):
                    waiting.restored.set_exception(outcome)
                else:
                    waiting.restored.set_result(outcome)

    def _take_batch(self):
        """Removes the oldest that is still wanted and those like it; may be empty."""
        wanted = [w for w in self._waiting if not w.restored.done()]
        batch = [w for w in wanted if w.kind == wanted[0].kind]
        if batch:
            (height, width, _), _ = batch[0].kind
            fitting = self._limits.max_batch_pixels // (height * width)
            batch = batch[: max(1, min(self._limits.max_batch, fitting))]
        taken = set(map(id, batch))
        self._waiting = collections.deque(w for w in wanted if id(w) not in taken)
        return batch

    async def _compute(self, photographs):
        """The restored photograph or the exception of each."""
        loop = asyncio.get_running_loop()
        if self._observe:
            self._observe(len(photographs))
        try:
            return await loop.run_in_executor(self._thread, self._function, photographs)
        except Exception as error:
            if len(photographs) == 1:
                return [error]
        # One of them is at fault: the others are not to suffer.
        return [(await self._compute([views]))[0] for views in photographs]
