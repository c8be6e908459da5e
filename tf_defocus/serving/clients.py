"""Clients over HTTP: arrays in, restored arrays out, tried again if need be."""

import base64
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, Protocol

import numpy as np
import orjson

from tf_defocus.images import levels
from tf_defocus.images.contents import read_content, write_content
from tf_defocus.images.files import Image
from tf_defocus.serving import v2
from tf_defocus.serving.photographs import RESTORED, RESTORED_FILES
from tf_defocus.serving.tensors import of_array

Views = dict[str, np.ndarray]
_PASSING = (429, 502, 503, 504)  # the same request may be answered later


class RefusedError(ValueError):
    """The server refuses a request: its reason, and the status in `status`."""

    def __init__(self, status: int | str, reason: str) -> None:
        super().__init__(f"the server refused it ({status}): {reason}")
        self.status = status


class UnavailableError(OSError):
    """The server cannot be reached or has no time: trying again may help."""


class Client(Protocol):
    """What `RemoteRestorer` needs of a protocol."""

    def view_names(self) -> tuple[str, ...]:
        """Of the server's model."""

    def restore(self, views: Views) -> np.ndarray:
        """One photograph, (height, width, 3) per view, restored in its dtype."""


class V1Client:
    """Protocol v1 (TensorFlow Serving's REST interface, KServe), files in JSON.

    Args:
        url: str, such as "http://localhost:8080".
        model: str, its name.
        timeout: float [s].
        views: tuple of str; the protocol does not tell them.
    """

    def __init__(
        self, url: str, model: str, timeout: float, views: tuple[str, ...]
    ) -> None:
        self._url = f"{url.rstrip('/')}/v1/models/{model}:predict"
        self._timeout = timeout
        self._views = views

    def view_names(self) -> tuple[str, ...]:
        """As given."""
        return self._views

    def restore(self, views: Views) -> np.ndarray:
        """See `Client`; floats travel as numbers, which take four times the bytes."""
        dtype = next(iter(views.values())).dtype
        if dtype.kind == "f":
            inputs = {name: view[None] for name, view in views.items()}
            content = {"signature_name": "serving_default", "inputs": inputs}
        else:
            files = {k: [{"b64": _as_png(view)}] for k, view in views.items()}
            content = {"signature_name": "encoded", "inputs": files}
        body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
        headers = {"content-type": "application/json"}
        answer, _ = send(self._url, body, headers, self._timeout)
        outputs = orjson.loads(answer)["outputs"]
        if dtype.kind == "f":
            found = outputs[RESTORED] if isinstance(outputs, dict) else outputs
            return np.asarray(found[0], dtype)
        encoded = base64.b64decode(outputs[RESTORED_FILES][0]["b64"])
        return read_content(encoded, _any_size).pixels


class V2Client:
    """Protocol v2 over HTTP, binary values.

    Args:
        url: str, such as "http://localhost:8080".
        model: str, its name.
        timeout: float [s].
    """

    def __init__(self, url: str, model: str, timeout: float) -> None:
        self._url = f"{url.rstrip('/')}/v2/models/{model}"
        self._timeout = timeout

    def view_names(self) -> tuple[str, ...]:
        """As the server tells."""
        answer, _ = send(self._url, None, {}, self._timeout)
        return tuple(given["name"] for given in orjson.loads(answer)["inputs"])

    def restore(self, views: Views) -> np.ndarray:
        """See `Client`."""
        tensors = [of_array(name, view[None]) for name, view in views.items()]
        body, headers = v2.write_request(tensors)
        answer, headers = send(f"{self._url}/infer", body, headers, self._timeout)
        return v2.read_answer(answer, headers[v2.LENGTH_HEADER]).values[0]


class RemoteRestorer:
    """A server in the place of a `Restorer`, for `photo_jobs.run_job`.

    Args:
        client: `Client`.
        attempts: int, how often a photograph is sent at most.
        first_delay: float [s], before the second attempt; doubled for each other one.
        say: called with a line when an attempt failed, or None.
    """

    def __init__(
        self,
        client: Client,
        attempts: int = 5,
        first_delay: float = 0.5,
        say: Callable[[str], Any] | None = None,
    ) -> None:
        self._client = client
        self._attempts = attempts
        self._first_delay = first_delay
        self._say = say
        self.view_names = self._try(client.view_names)

    def restore(
        self, on_progress: Callable[[int, int], None] | None = None, **views: np.ndarray
    ) -> np.ndarray:
        """Restores one photograph; see `Restorer.restore`.

        Args:
            on_progress: called with (1, 1) at the end, or None.
            **views: (height, width, 3) uint8, uint16 or float32 in [0, 1].

        Returns:
            (height, width, 3) of the same dtype.

        Raises:
            RefusedError: if the server refuses it.
            UnavailableError: if the last attempt failed, too.
        """
        restored = self._try(lambda: self._client.restore(views))
        if on_progress:
            on_progress(1, 1)
        return restored

    def _try(self, call):
        for attempt in range(1, self._attempts + 1):
            try:
                return call()
            except UnavailableError as error:
                if attempt == self._attempts:
                    raise
                # Not all clients again at the same time.
                delay = self._first_delay * 2 ** (attempt - 1) * random.uniform(0.5, 1)
                if self._say:
                    self._say(f"{error}; attempt {attempt + 1} in {delay:.1f} s")
                time.sleep(delay)
        raise AssertionError("attempts must be 1 or more")


def send(
    url: str, body: bytes | None, headers: dict[str, str], timeout: float
) -> tuple[bytes, Any]:
    """One request over HTTP.

    Args:
        url: str.
        body: bytes to POST, or None to GET.
        headers: dict.
        timeout: float [s].

    Returns:
        `(body, headers)` of the answer.

    Raises:
        RefusedError: for a status that stays, with the server's reason.
        UnavailableError: for one that passes, and where no whole answer comes.
    """
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        reason = _reason(error)
        if error.code in _PASSING:
            raise UnavailableError(f"{url}: {error.code}: {reason}") from error
        raise RefusedError(error.code, reason) from error
    except (OSError, HTTPException) as error:
        cause = getattr(error, "reason", None) or error
        raise UnavailableError(f"{url}: {cause}") from error


def _reason(error):
    try:
        text = error.read(1 << 16)
        return str(orjson.loads(text)["error"])
    except (orjson.JSONDecodeError, KeyError, TypeError, OSError, HTTPException):
        return error.reason


def _as_png(pixels):
    return base64.b64encode(write_content(Image(pixels), "png")).decode()


def _any_size(width, height):
    """The server's answers are as large as what was sent."""


def as_floats(views: Views) -> Views:
    """Views as float32 in [0, 1], for signatures that take nothing else.

    Args:
        views: dict, name -> (height, width, 3).

    Returns:
        dict of the same.
    """
    return {name: levels.to_float(view) for name, view in views.items()}
