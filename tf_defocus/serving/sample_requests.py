"""Requests whose answers are known: good ones of every kind, and bad ones.

For load tests: a good request is a function that returns a restored array, a bad one a
function that must raise `RefusedError`.
"""

import base64
import dataclasses
import functools
import struct
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import orjson

from tf_defocus.images import levels
from tf_defocus.images.contents import read_content, write_content
from tf_defocus.images.files import Image
from tf_defocus.serving import v2
from tf_defocus.serving.clients import V1Client, V2Client, send
from tf_defocus.serving.grpc_clients import V2GrpcClient
from tf_defocus.serving.photographs import RESTORED_FILES
from tf_defocus.serving.tensors import BYTES, Tensor

FORMATS = {"png": "uint8", "jpeg": "uint8", "tiff": "uint16"}
DTYPES = ("uint8", "uint16", "float32")
Views = dict[str, np.ndarray]
Request = Callable[[], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Sample:
    """One good request.

    Attributes:
        protocol: str, for tables.
        ask: function without arguments that returns the answered array.
        pixels: dict, view -> the array that the server sees.
    """

    protocol: str
    ask: Request
    pixels: Views


class Requests:
    """Requests to one server.

    Args:
        url: str, of HTTP.
        target: str, of gRPC.
        model: str.
        view_names: tuple of str.
        timeout: float [s].
    """

    def __init__(
        self,
        url: str,
        target: str,
        model: str,
        view_names: Sequence[str],
        timeout: float = 120.0,
    ) -> None:
        self._root = url
        self._model = model
        self._views = tuple(view_names)
        self._timeout = timeout
        self._clients = {
            "v1": V1Client(url, model, timeout, self._views),
            "v2": V2Client(url, model, timeout),
            "grpc": V2GrpcClient(target, model, timeout),
        }
        self._lost = V2GrpcClient(target, "nothing", timeout)

    def good(self, rng: np.random.Generator, height: int, width: int) -> list[Sample]:
        """One of every protocol, dtype and format, of one size.

        Args:
            rng: NumPy's generator.
            height, width: int [px].

        Returns:
            List of `Sample`.
        """
        samples = []
        for dtype in DTYPES:
            views = self._photograph(rng, height, width, dtype)
            for name, client in self._clients.items():
                ask = functools.partial(client.restore, views)
                samples.append(Sample(f"{name} {dtype}", ask, views))
        for kind, dtype in FORMATS.items():
            views = self._photograph(rng, height, width, dtype)
            files = {k: write_content(Image(v), kind) for k, v in views.items()}
            seen = {k: read_content(f, _any_size).pixels for k, f in files.items()}
            for name, ask in (("v1", self._ask_v1), ("v2", self._ask_v2)):
                ask = functools.partial(ask, files)
                samples.append(Sample(f"{name} {kind}", ask, seen))
        return samples

    def bad(self, max_request_bytes: int) -> dict[str, Callable[[], object]]:
        """Requests that must be refused.

        Args:
            max_request_bytes: int, the server's limit, which one of them exceeds.

        Returns:
            dict, what is wrong -> function without arguments.
        """
        photo = np.full((8, 9, 3), 100, np.uint8)
        png = write_content(Image(photo), "png")
        jpeg, tiff = (write_content(Image(photo), kind) for kind in ("jpeg", "tiff"))
        huge = _claims(png, 100_000, 100_000)
        files = {
            "truncated PNG": png[: len(png) // 2],
            "truncated JPEG": jpeg[: len(jpeg) // 2],
            "truncated TIFF": tiff[: len(tiff) // 2],
            "corrupt PNG": png[:45] + bytes(len(png) - 45),
            "a PNG that claims 10 gigapixels": huge,
            "GIF": b"GIF89a" + bytes(60),
            "a file of no bytes": b"",
        }
        found = self._bad_arrays(photo)
        for what, file in files.items():
            views = _every(self._views, file)
            found[f"{what}, v1"] = functools.partial(self._ask_v1, views)
            found[f"{what}, v2"] = functools.partial(self._ask_v2, views)
        bodies = {
            "an empty body": b"",
            "cut JSON": b'{"inputs": [',
            "no object": b"[1, 2]",
            "a body beyond the limit": b" " * (max_request_bytes + 1),
        }
        for what, body in bodies.items():
            found[f"{what}, v1"] = functools.partial(self._post_v1, body)
            found[f"{what}, v2"] = functools.partial(self._post_v2, body)
        floats = b'{"signature_name": "uint8", "inputs": [[[[0.5, 0.5, 0.5]]]]}'
        found["floats to uint8"] = functools.partial(self._post_v1, floats)
        for protocol, path in (("v1", "v1/models/nothing:predict"),
                               ("v2", "v2/models/nothing/infer")):  # fmt: skip
            found[f"a model that is not there, {protocol}"] = functools.partial(
                self._post, f"/{path}", floats
            )
        return found

    def _bad_arrays(self, photo):
        """Over v2, HTTP and gRPC."""
        doubles = {"name": self._views[0], "datatype": "FP64", "shape": [1, 1, 1, 3]}
        doubles = orjson.dumps({"inputs": [{**doubles, "data": [0.1, 0.2, 0.3]}]})
        described = {"name": self._views[0], "datatype": "FP32"}
        described["shape"] = [1, 60_000, 60_000, 3]
        described["parameters"] = {"binary_data_size": 4}
        head = orjson.dumps({"inputs": [described]})
        headers = {v2.LENGTH_HEADER: str(len(head))}
        broken = _every(self._views, np.full((4, 4, 3), np.nan, np.float32))
        other = {"other": photo}
        different = {name: photo[: 8 - i] for i, name in enumerate(self._views)}
        different["right"] = photo[:4]
        scale = _every(self._views, photo.astype(np.float32))
        grpc, http = self._clients["grpc"], self._clients["v2"]
        return {
            "float64": functools.partial(self._post_v2, doubles),
            "a shape beyond the bytes": functools.partial(
                self._post_v2, head + bytes(4), headers
            ),
            "NaN": functools.partial(http.restore, broken),
            "another view": functools.partial(http.restore, other),
            "views of different sizes": functools.partial(http.restore, different),
            "floats from 0 to 255": functools.partial(http.restore, scale),
            "NaN, gRPC": functools.partial(grpc.restore, broken),
            "another view, gRPC": functools.partial(grpc.restore, other),
            "views of different sizes, gRPC": functools.partial(
                grpc.restore, different
            ),
            "no view": functools.partial(http.restore, {}),
            "no view, gRPC": functools.partial(grpc.restore, {}),
            "a model that is not there, gRPC": functools.partial(
                self._lost.restore, _every(self._views, photo)
            ),
        }

    def _photograph(self, rng, height, width, dtype):
        values = rng.random((len(self._views), height, width, 3), np.float32)
        return dict(zip(self._views, levels.to_levels(values, dtype)))

    def _ask_v1(self, files):
        coded = {k: [{"b64": base64.b64encode(f).decode()}] for k, f in files.items()}
        body = {"signature_name": "encoded", "inputs": coded}
        answer = orjson.loads(self._post_v1(orjson.dumps(body))[0])
        found = answer["outputs"][RESTORED_FILES][0]["b64"]
        return read_content(base64.b64decode(found), _any_size).pixels

    def _ask_v2(self, files):
        tensors = [Tensor(name, BYTES, [file]) for name, file in files.items()]
        body, headers = v2.write_request(tensors)
        answer, headers = self._post_v2(body, headers)
        (file,) = v2.read_answer(answer, headers[v2.LENGTH_HEADER]).values
        return read_content(file, _any_size).pixels

    def _post_v1(self, body):
        return self._post(f"/v1/models/{self._model}:predict", body)

    def _post_v2(self, body, headers=None):
        return self._post(f"/v2/models/{self._model}/infer", body, headers)

    def _post(self, path, body, headers=None):
        headers = headers or {"content-type": "application/json"}
        return send(self._root + path, body, headers, self._timeout)


def _every(names, value):
    return dict.fromkeys(names, value)


def _any_size(width, height):
    """Made here, so it is small."""


def _claims(png, width, height):
    """A PNG whose header states another size, with a checksum that fits."""
    header = png[12:16] + struct.pack(">II", width, height) + png[24:29]
    return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:]
