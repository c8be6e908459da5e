"""A network as a model of KServe: inputs checked, restored in batches, answered.

KServe brings the protocols' routes, the gRPC service, the repository of models and its
metrics; what comes in and goes out here is the same for all of them.
"""

import asyncio
import concurrent.futures
from typing import Any

import kserve
import numpy as np
from kserve.protocol.dataplane import DataPlane
from prometheus_client import Counter, Gauge, Histogram

from tf_defocus.serving.batcher import Batcher
from tf_defocus.serving.hosts import Host
from tf_defocus.serving.limits import Limits
from tf_defocus.serving.photographs import (
    RESTORED,
    Photograph,
    answer,
    read_photographs,
)
from tf_defocus.serving.refusals import TIMED_OUT, Refusal
from tf_defocus.serving.tensors import Tensor

NUM_READERS = 2  # threads that decode and encode files
BATCH_SIZES = (1, 2, 4, 8, 16, 32)
REQUESTS = Counter(
    "tf_defocus_requests", "Requests answered, by protocol and status.",
    ["protocol", "status"],
)  # fmt: skip
PHOTOGRAPHS = Counter("tf_defocus_photographs", "Photographs restored.")
PIXELS = Counter("tf_defocus_pixels", "Pixels restored.")
BATCHES = Histogram(
    "tf_defocus_batch_size", "Photographs in one call.", buckets=BATCH_SIZES
)
WAITING = Gauge("tf_defocus_waiting_photographs", "Photographs that wait.")


class RestorationModel(kserve.Model):
    """A network that restores photographs.

    Args:
        name: str, under which clients find it.
        host: what computes.
        limits: `Limits`.
    """

    def __init__(self, name: str, host: Host, limits: Limits) -> None:
        super().__init__(name)
        self.view_names = tuple(host.view_names)
        self._limits = limits
        self._readers = concurrent.futures.ThreadPoolExecutor(NUM_READERS, "read")
        self._batcher = Batcher(host.restore_batch, limits, BATCHES.observe)
        WAITING.set_function(lambda: len(self._batcher))
        self.ready = True

    def load(self) -> bool:
        """It is loaded when it is made; KServe asks again while a server stops."""
        return self.ready

    async def preprocess(
        self, payload: list[Tensor], headers: dict[str, str] | None = None
    ) -> list[Photograph]:
        """The photographs of a request; see `read_photographs`."""
        return await self.in_reader(
            read_photographs, payload, self.view_names, self._limits.max_pixels
        )

    async def predict(
        self,
        payload: list[Photograph],
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> tuple[list[Photograph], list[np.ndarray]]:
        """The photographs and what they were restored to."""
        waited_for = (self._batcher.restore(photograph.views) for photograph in payload)
        restored = await asyncio.gather(*waited_for)
        PHOTOGRAPHS.inc(len(restored))
        PIXELS.inc(sum(pixels.shape[0] * pixels.shape[1] for pixels in restored))
        return payload, restored

    async def postprocess(
        self,
        result: tuple[list[Photograph], list[np.ndarray]],
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> Tensor:
        """The output; see `answer`."""
        return await self.in_reader(answer, *result)

    async def in_reader(self, function: Any, *arguments: Any) -> Any:
        """What a function returns that reads or writes much, without holding others up.

        Args:
            function: of these arguments.
            *arguments: of the function.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, function, *arguments)

    def close(self) -> None:
        """Waits for the threads."""
        self.ready = False
        self._readers.shutdown()
        self._batcher.close()

    def get_input_types(self) -> list[dict]:
        """What KServe tells of the inputs: arrays; BYTES (batch,) are taken, too."""
        return [self._described(name) for name in self.view_names]

    def get_output_types(self) -> list[dict]:
        """What KServe tells of the output, for arrays."""
        return [self._described(RESTORED)]

    def _described(self, name):
        return {"name": name, "datatype": "UINT8", "shape": [-1, -1, -1, 3]}


async def infer(
    plane: DataPlane, model_name: str, tensors: list[Tensor], timeout: float
) -> Tensor:
    """The output of one request.

    Args:
        plane: KServe's, which finds the model.
        model_name: str.
        tensors: the inputs.
        timeout: float [s]; what still waits then is dropped.

    Raises:
        Refusal: for inputs that do not fit, and after that time.
        kserve.errors.ModelNotFound: if there is no model of that name.
    """
    try:
        output, _ = await asyncio.wait_for(plane.infer(model_name, tensors), timeout)
    except asyncio.TimeoutError as error:
        raise Refusal(
            f"not answered within {timeout:g} s; try later or send less", TIMED_OUT
        ) from error
    return output
